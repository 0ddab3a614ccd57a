"""Real Helm on the real chart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "invoke-connector"
FULL_NAME = "release-invoke-connector"
OPERATORS = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
"""What a cluster with the Prometheus operator and KEDA says that it has."""

Resources = Mapping[str, Any]
"""Kind, followed by what the name has beyond the release's, such as `ConfigMap-paused` → resource."""


class Chart:
    """The chart, rendered with given values over those of a set in `ci/`. What was rendered once is kept."""

    def __init__(self, helm: str, folder: Path) -> None:
        self._helm = helm
        self._folder = folder
        self._rendered: dict[str, Resources] = {}

    def run(
        self, *command: str, values: Mapping[str, Any] | None = None, base: str = "minimal"
    ) -> subprocess.CompletedProcess[str]:
        """Run a Helm command, such as `template`, with the values over the set `base`, or alone when that is empty."""
        # JSON is YAML, and leaves no doubt about which ids are strings.
        given = self._folder / "values.json"
        given.write_text(json.dumps(values or {}), encoding="utf-8")
        arguments = [self._helm, *command, str(CHART)]
        for file in (*([CHART / "ci" / f"{base}.yaml"] if base else []), given):
            arguments += ["--values", str(file)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    def render(
        self,
        values: Mapping[str, Any] | None = None,
        base: str = "minimal",
        apis: Sequence[str] = (),
        kube: str = "1.37",
    ) -> Resources:
        """What the chart makes of the values in a cluster of version `kube` that has the `apis`.

        Fails the test with Helm's words when the chart refuses the values.
        """
        key = json.dumps([values, base, apis, kube])
        if key not in self._rendered:
            options = [f"--kube-version={kube}", *(f"--api-versions={api}" for api in apis)]
            done = self.run("template", "release", *options, values=values, base=base)
            assert done.returncode == 0, done.stderr
            found = [each for each in yaml.load_all(done.stdout, yaml.CSafeLoader) if each]
            self._rendered[key] = {
                each["kind"] + each["metadata"]["name"].removeprefix(FULL_NAME): each for each in found
            }
            assert len(self._rendered[key]) == len(found), "two resources of one name"
        return self._rendered[key]

    def refusal(self, values: Mapping[str, Any], base: str = "minimal") -> str:
        """What Helm says when the chart refuses the values."""
        done = self.run("template", "release", values=values, base=base)
        assert done.returncode != 0, "the chart rendered"
        return done.stderr


@pytest.fixture(scope="session")
def helm() -> str:
    """Path of Helm, fetched once; without it the tests are skipped, but fail in CI."""
    fetched = subprocess.run(
        [sys.executable, str(ROOT / "helm" / "fetch.py")], capture_output=True, text=True, check=False
    )
    if fetched.returncode == 0:
        return fetched.stdout.strip()
    if os.environ.get("CI"):
        pytest.fail(fetched.stderr)
    pytest.skip(f"no Helm: {fetched.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="session")
def chart(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """The chart with real Helm."""
    return Chart(helm, tmp_path_factory.mktemp("chart"))


def workload(resources: Resources) -> Any:
    """The Deployment's or StatefulSet's spec."""
    (found,) = (resources[kind]["spec"] for kind in ("Deployment", "StatefulSet") if kind in resources)
    return found


def pod(resources: Resources) -> Any:
    """The spec of the connector's pods."""
    return workload(resources)["template"]["spec"]


def connector(resources: Resources) -> Any:
    """The connector's container."""
    return pod(resources)["containers"][0]
