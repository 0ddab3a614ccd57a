"""One release in the cluster: what Helm is told, and what the API server then says."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.api import ApiError
from tests.cluster.control_plane import ControlPlane
from tests.cluster.neighbours import PASSWORD, Neighbours
from tests.cluster.node import Node
from tests.cluster.sandbox import ROOT

CHART = ROOT / "helm" / "invoke-connector"
NAMESPACE = "messaging"
NAME = "invoke-connector"
_CORE = f"/api/v1/namespaces/{NAMESPACE}"
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"


class Release:
    """`values` are those that Helm is given; change them and `upgrade`."""

    def __init__(self, plane: ControlPlane, neighbours: Neighbours, node: Node, folder: Path) -> None:
        self.api, self.neighbours, self.node = plane.api, neighbours, node
        self.folder = folder
        self.programs = plane.programs
        self.env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
        fetched = subprocess.run(
            [sys.executable, str(ROOT / "helm" / "fetch.py")], capture_output=True, text=True, check=True
        )
        self.helm_path = fetched.stdout.strip()
        self.values: dict[str, Any] = {
            "image": {"repository": "registry.example.com/invoke-connector"},
            "config": neighbours.settings(),
            "secrets": {"existingSecret": NAME},
        }

    def prepare(self) -> None:
        """The CRDs, a namespace where pods must be restricted, and the Secret."""
        crds = self.folder / "crds"
        crds.mkdir()
        subprocess.run([sys.executable, str(ROOT / "helm" / "crds.py"), str(crds)], check=True)
        for file in sorted(crds.glob("*.yaml")):
            crd = yaml.safe_load(file.read_text("utf-8"))
            self.api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        made = [
            f"/apis/{group}" for group in ("keda.sh/v1alpha1/scaledobjects", "keda.sh/v1alpha1/triggerauthentications")
        ]
        made += [
            f"/apis/monitoring.coreos.com/v1/{kind}" for kind in ("podmonitors", "servicemonitors", "prometheusrules")
        ]
        self.wait(lambda: all(map(self._is_there, made)), 60, "the CRDs' kinds")
        self.api.call(
            "POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "messaging"}, "value": 1}
        )
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
        self.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
        self.secret({"password": PASSWORD, "kafka-password": "first"}, create=True)
        self.wait(lambda: len(self.api.list(f"{_CORE}/serviceaccounts")) > 0, 30, "the default account")

    def _is_there(self, path: str) -> bool:
        try:
            self.api.list(path)
        except ApiError:
            return False
        return True

    def secret(self, data: Mapping[str, str], create: bool = False) -> None:
        """Make the Secret, or write over some of its keys."""
        body = {"metadata": {"name": NAME}, "stringData": dict(data)}
        if create:
            self.api.call("POST", f"{_CORE}/secrets", body)
        else:
            self.api.patch(f"{_CORE}/secrets/{NAME}", body)

    def helm(self, *command: str, chart: Path | None = None, values: Any = None) -> subprocess.CompletedProcess[str]:
        """Run Helm on the cluster. With a chart, the values go with it."""
        arguments = [self.helm_path, *command]
        if chart is not None:
            file = self.folder / "values.json"
            file.write_text(json.dumps(self.values if values is None else values), encoding="utf-8")
            arguments += [NAME, str(chart), "--values", str(file)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, env=self.env)

    def upgrade(self, *options: str, chart: Path = CHART, **changes: Any) -> None:
        """Change the values by these, and upgrade; AssertionError with Helm's words when it fails."""
        self.values = merged(self.values, changes)
        done = self.helm("upgrade", "--wait", "--timeout", "10m", *options, chart=chart)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.logs('check')}"

    def earlier_chart(self) -> tuple[str, Path]:
        """The chart of the version before this one, out of the history: its version and its folder."""
        now = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["version"]
        inside = "helm/invoke-connector"
        for commit in _git("log", "--format=%H", "--", f"{inside}/Chart.yaml").split():
            version = yaml.safe_load(_git("show", f"{commit}:{inside}/Chart.yaml"))["version"]
            if version != now:
                packed = self.folder / "earlier.tar"
                packed.write_bytes(subprocess.check_output(["git", "archive", commit, inside], cwd=ROOT))
                with tarfile.open(packed) as archive:
                    archive.extractall(self.folder / "earlier", filter="data")
                return version, self.folder / "earlier" / inside
        raise AssertionError("the history has no earlier version of the chart")

    def uninstall(self) -> None:
        """Take the release away, and wait until its pods are gone."""
        done = self.helm("uninstall", NAME, "--ignore-not-found", "--wait", "--timeout", "5m")
        assert done.returncode == 0, done.stderr
        self.wait(lambda: self.all_gone_but(0), 120, "all gone")

    def pods(self) -> list[Any]:
        """The connector's pods that are not on their way out."""
        selector = f"labelSelector=app.kubernetes.io/name%3D{NAME}"
        found = self.api.list(f"{_CORE}/pods?{selector}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def all_gone_but(self, count: int) -> bool:
        """Whether there are so many pods of the connector, all ready, and none on its way out."""
        found = self.api.list(f"{_CORE}/pods?labelSelector=app.kubernetes.io/name%3D{NAME}")
        return len(found) == count and all(is_ready(pod) for pod in found)

    def workload(self, kind: str = "deployments") -> Any:
        """The Deployment or StatefulSet."""
        return self.api.call("GET", f"{_APPS}/{kind}/{NAME}")

    def scale(self, replicas: int) -> None:
        """As `kubectl scale`, an autoscaler or KEDA does it."""
        self.api.patch(f"{_APPS}/deployments/{NAME}/scale", {"spec": {"replicas": replicas}})
        self.wait(lambda: self.all_gone_but(replicas), 240, f"{replicas} pods, all ready")

    def logs(self, part: str) -> str:
        """What the pods wrote whose names have this part."""
        names = {folder.name.rpartition(".")[0] for folder in (self.folder / "pods").iterdir() if part in folder.name}
        return "".join(self.node.log(name) for name in sorted(names))

    def delivered(self, count: int, seconds: float = 120) -> None:
        """Wait until the vendor has accepted so many events, none of them twice."""

        def arrived() -> bool:
            ledger = self.neighbours.ledger()
            return int(ledger["distinct"]) >= count

        self.wait(arrived, seconds, f"{count} events accepted")
        ledger = self.neighbours.ledger()
        assert (ledger["distinct"], ledger["repeated"]) == (count, 0), ledger

    def wait(self, predicate: Callable[[], bool], seconds: float, why: str) -> float:
        """Poll until it holds; the seconds that took. AssertionError at the deadline."""
        began = time.monotonic()
        while not predicate():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not within {seconds} s: {why}\n{self.logs(NAME)[-4000:]}")
            time.sleep(0.3)
        return time.monotonic() - began


def is_ready(pod: Any) -> bool:
    """Whether the pod's condition says so."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both in one, as Helm merges values."""
    result = copy.deepcopy(dict(under))
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
