"""Real Helm on the real chart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "invoke-connector"
FULL_NAME = "release-invoke-connector"


class Chart:
    """The chart, rendered with given values over those of an example."""

    def __init__(self, helm: str, folder: Path, example: str = "minimal") -> None:
        self._helm = helm
        self._folder = folder
        self._example = CHART / "examples" / f"{example}.yaml"

    def over(self, example: str) -> Chart:
        """The same over another example's values."""
        return Chart(self._helm, self._folder, example)

    def run(self, *command: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a Helm command, such as `template`; its exit code is the caller's to judge."""
        # JSON is YAML, and leaves no doubt about which ids are strings.
        given = self._folder / "values.yaml"
        given.write_text(json.dumps(values or {}), encoding="utf-8")
        arguments = [self._helm, *command, "release", str(CHART)]
        for file in (self._example, given):
            arguments += ["--values", str(file)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    def render(self, values: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """Kind → resource, the kind followed by what its name has beyond the release's, such as `ConfigMap-paused`.

        Fails the test with Helm's words when the chart refuses the values.
        """
        done = self.run("template", values=values)
        assert done.returncode == 0, done.stderr
        resources = [resource for resource in yaml.safe_load_all(done.stdout) if resource]
        return {each["kind"] + each["metadata"]["name"].removeprefix(FULL_NAME): each for each in resources}

    def refusal(self, values: Mapping[str, Any]) -> str:
        """What Helm says when the chart refuses the values."""
        done = self.run("template", values=values)
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


@pytest.fixture
def chart(helm: str, tmp_path: Path) -> Chart:
    """The chart with real Helm."""
    return Chart(helm, tmp_path)


def pod(resources: Mapping[str, Mapping[str, Any]]) -> Any:
    """The pod's spec in the Deployment."""
    return resources["Deployment"]["spec"]["template"]["spec"]
