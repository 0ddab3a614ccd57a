"""Stands in for scheduler and kubelet: runs the connector's pods as processes and tells the API server about them.

What it does as the kubelet does: volumes out of Secrets and ConfigMaps and their updates, variables, init containers,
probes by the pod's address, readiness as a condition, SIGTERM and the grace period, restarts of containers. What it
does not: images (the connector runs from this checkout), limits, lifecycle hooks; containers that are not the
connector's are passed over.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import Any

from tests.cluster import sandbox
from tests.cluster.api import Api, ApiError
from tests.cluster.kubelet import Kubelet

_TURN = 0.3
_REFRESH = 2.0


class Node:
    """One node, whose pods have addresses of these families."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.families: Sequence[int] = (4, 6)
        self._api, self._folder = api, folder
        self._pods: dict[str, Pod] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turns, name="node")
        self._number = 10
        self._kubelet = Kubelet(self.log, folder.parent)

    def start(self) -> None:
        """Join the cluster, and run whatever pods there are until `stop`."""
        capacity = {"cpu": "64", "memory": "64Gi", "pods": "110"}
        ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
        self._api.call("POST", "/api/v1/nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "node-1"}})
        status = {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}
        status |= {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
        status |= {"daemonEndpoints": {"kubeletEndpoint": {"Port": self._kubelet.port}}}
        self._api.patch("/api/v1/nodes/node-1/status", {"status": status})
        self._kubelet.start()
        self._thread.start()

    def stop(self) -> None:
        """End every pod's process."""
        self._ended.set()
        self._thread.join()
        self._kubelet.stop()
        for pod in self._pods.values():
            pod.kill()

    def log(self, name: str) -> str:
        """What a pod has written, also when it is gone."""
        return "".join(file.read_text("utf-8", "replace") for file in sorted(self._folder.glob(f"{name}.*/log")))

    def execute(self, uid: str, words: Sequence[str], given: str = "") -> CompletedProcess[str]:
        """What `kubectl exec` does, in the pod with this uid."""
        return sandbox.enter(self._pods[uid].process_id, words, given)

    def _turns(self) -> None:
        while not self._ended.wait(_TURN):
            try:
                self._turn()
            except (OSError, ApiError) as error:
                print(f"node: {error}", flush=True)  # noqa: T201 - for whoever watches

    def _turn(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self._api.list("/api/v1/pods")}
        for uid, described in found.items():
            name, namespace = described["metadata"]["name"], described["metadata"]["namespace"]
            path = f"/api/v1/namespaces/{namespace}/pods/{name}"
            if "nodeName" not in described["spec"]:
                target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
                self._api.call("POST", f"{path}/binding", binding)
            elif uid not in self._pods:
                if "deletionTimestamp" in described["metadata"]:
                    self._api.call("DELETE", path, {"gracePeriodSeconds": 0})
                    continue
                self._number += 1
                self._pods[uid] = Pod(self._api, described, self._folder / f"{name}.{uid}", self._number, self.families)
            elif "deletionTimestamp" in described["metadata"]:
                if self._pods[uid].stopped(described["metadata"].get("deletionGracePeriodSeconds", 30)):
                    self._api.call("DELETE", path, {"gracePeriodSeconds": 0})
            else:
                self._pods[uid].turn()
        for uid in set(self._pods) - set(found):
            self._pods.pop(uid).kill()


class Pod:
    """One pod of the API server as processes of this machine."""

    def __init__(self, api: Api, described: Any, folder: Path, number: int, families: Sequence[int]) -> None:
        self._api, self._described, self._folder = api, described, folder
        self._metadata, self._spec = described["metadata"], described["spec"]
        self._path = f"/api/v1/namespaces/{self._metadata['namespace']}/pods/{self._metadata['name']}"
        folder.mkdir(parents=True, exist_ok=True)
        self._network = sandbox.Network(number, families)
        containers = [*self._spec.get("initContainers", []), *self._spec["containers"]]
        self._left = [one for one in containers if one.get("args", [""])[0] in ("run", "check")]
        self._refreshed = 0.0
        self._process: Popen[bytes] | None = None
        self._told: Any = None
        self._restarts = 0
        self._asked_to_stop: float | None = None
        self._probes: dict[str, Probe] = {}
        self._next()

    @property
    def process_id(self) -> int:
        """Of the container that runs."""
        if self._process is None:
            raise RuntimeError("no container of the pod runs")
        return self._process.pid

    def turn(self) -> None:
        """Look at the process and the probes; tell the API server what changed."""
        if self._process is None:
            return
        if time.monotonic() - self._refreshed > _REFRESH:
            self._write_volumes()
        code = self._process.poll()
        if code is None:
            self._probe()
        elif len(self._left) > 1 and code == 0:
            self._left.pop(0)
            self._next()
        elif self._spec["restartPolicy"] == "Never":
            self._tell("Succeeded" if code == 0 else "Failed", code)
            self._process = None
        else:
            self._restarts += 1
            self._next()

    def stopped(self, grace: int) -> bool:
        """Ask the process to stop, once; kill it when its grace period is over. Whether it is gone."""
        if self._process is None or self._process.poll() is not None:
            return True
        now = time.monotonic()
        if self._asked_to_stop is None:
            self._asked_to_stop = now
            self._process.terminate()
        elif now - self._asked_to_stop > grace:
            self._process.kill()
        return False

    def kill(self) -> None:
        """End it and its network at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait()
        self._network.close()

    def _next(self) -> None:
        container = self._left[0]
        self._write_volumes()
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {Path(path).name: self._folder / name for name, path in mounts.items()}
        env = {one["name"]: self._value(one) for one in container.get("env", [])}
        security = self._spec["securityContext"]
        place = sandbox.Place(
            self._network, volumes, security.get("runAsUser", sandbox.USER), security.get("fsGroup", sandbox.USER)
        )
        self._process = sandbox.start(place, container["args"], env, self._folder / "log")
        named = ("startup", "liveness", "readiness")
        self._probes = {name: Probe(container[f"{name}Probe"]) for name in named if f"{name}Probe" in container}
        self._ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        self._tell("Running" if len(self._left) == 1 else "Pending")

    def _value(self, variable: Mapping[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        found = self._described
        for part in variable["valueFrom"]["fieldRef"]["fieldPath"].split("."):
            found = found[part]
        return str(found)

    def _write_volumes(self) -> None:
        self._refreshed = time.monotonic()
        for volume in self._spec["volumes"]:
            kind = next((kind for kind in ("secret", "configMap") if kind in volume), None)
            if kind is None:
                continue
            source = volume[kind]
            name, plural = source.get("secretName") or source["name"], f"{kind.lower()}s"
            path = f"/api/v1/namespaces/{self._metadata['namespace']}/{plural}/{name}"
            try:
                files = sandbox.content({**self._api.call("GET", path), "kind": kind.title()})
            except ApiError:
                if not source.get("optional"):
                    raise
                files = {}
            group = self._spec["securityContext"].get("fsGroup", 0)
            sandbox.write_volume(self._folder / volume["name"], files, source.get("defaultMode", 0o644), group)

    def _probe(self) -> None:
        startup = self._probes.get("startup")
        if startup is not None and not startup.succeeded:
            startup.ask(self._network, self._ports)
            if startup.failed:
                self.stopped(0)
            return
        for name in ("liveness", "readiness"):
            if name in self._probes:
                self._probes[name].ask(self._network, self._ports)
        if "liveness" in self._probes and self._probes["liveness"].failed and self._process is not None:
            self._process.terminate()
        self._tell("Running")

    def _tell(self, phase: str, code: int | None = None) -> None:
        readiness = self._probes.get("readiness")
        ready = phase == "Running" and (readiness is None or readiness.succeeded)
        now = (phase, ready, self._restarts)
        if now == self._told:
            return
        self._told = now
        state: Any = {"running": {}}
        if code is not None:
            state = {"terminated": {"exitCode": code, "reason": phase}}
        statuses = [
            {
                "name": one["name"],
                "ready": ready,
                "restartCount": self._restarts,
                "state": state,
                "image": "",
                "imageID": "",
            }
            for one in self._spec["containers"]
        ]
        conditions = [
            {"type": kind, "status": str(value)}
            for kind, value in (
                ("Ready", ready),
                ("ContainersReady", ready),
                ("Initialized", True),
                ("PodScheduled", True),
            )
        ]
        addresses = [{"ip": ip} for ip in self._network.ips]
        status = {"phase": phase, "conditions": conditions, "containerStatuses": statuses}
        self._api.patch(
            f"{self._path}/status", {"status": {**status, "podIP": addresses[0]["ip"], "podIPs": addresses}}
        )


class Probe:
    """One HTTP probe, asked as often as its period says."""

    def __init__(self, described: Any) -> None:
        self._described = described
        self._asked = 0.0
        self._failures = 0
        self.succeeded = False

    @property
    def failed(self) -> bool:
        """Whether it failed so often in a row as the pod allows."""
        return self._failures >= int(self._described.get("failureThreshold", 3))

    def ask(self, network: sandbox.Network, ports: Mapping[str, int]) -> None:
        """Ask when it is time."""
        now = time.monotonic()
        if now - self._asked < self._described.get("periodSeconds", 10):
            return
        self._asked = now
        get = self._described["httpGet"]
        host = f"[{network.ips[0]}]" if ":" in network.ips[0] else network.ips[0]
        url = f"http://{host}:{ports[get['port']]}{get['path']}"
        try:
            with urllib.request.urlopen(url, timeout=self._described.get("timeoutSeconds", 1)):
                self._failures, self.succeeded = 0, True
        except (OSError, urllib.error.HTTPError):
            self._failures += 1
            if self.failed:
                self.succeeded = False
