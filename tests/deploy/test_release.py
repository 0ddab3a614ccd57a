"""What is released, and what the files around it say."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import yaml

from connector import __version__
from connector.config import Settings, load
from connector.config.sections import Delivery
from connector.config.units import parse_duration
from tests.deploy.conftest import CHART, ROOT

COMPOSE: Any = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
WORKFLOW: Any = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yaml").read_text("utf-8"))


def test_a_release_is_what_its_checksums_say(helm: str, tmp_path: Path) -> None:
    """The packaged chart has what a reader of its README needs."""
    env = {**os.environ, "HELM": helm, "DIST": str(tmp_path)}
    subprocess.run([str(ROOT / "scripts" / "release"), "chart"], env=env, check=True, capture_output=True)
    (line,) = (tmp_path / "SHA256SUMS").read_text("utf-8").splitlines()
    digest, name = line.split()
    assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    with tarfile.open(tmp_path / name) as archive:
        inside = {member.name.removeprefix("invoke-connector/") for member in archive}
    assert {"README.md", "CHANGELOG.md", "ci/minimal.yaml", "values.schema.json", "files/settings.schema.json"} < inside
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["version"]
    assert name == f"invoke-connector-{version}.tgz"


def test_the_release_tools_are_locked() -> None:
    """Each by its hash, in a version that is named."""
    named = (ROOT / "requirements" / "release.in").read_text("utf-8")
    assert re.search(r"^cyclonedx-bom==", named, re.M)
    locked = (ROOT / "requirements" / "release.txt").read_text("utf-8")
    assert locked.count("==") <= locked.count("--hash=sha256:")


def test_the_workflow_releases_what_make_release_makes() -> None:
    """On a tag, after the same checks as every change."""
    steps = [step.get("run", "") for step in WORKFLOW["jobs"]["release"]["steps"]]
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}, "YAML 1.1 reads the key `on` as true"
    assert any("bash .ci/run" in step for step in steps)
    assert any("make release" in step for step in steps)
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_everything_that_compose_mounts_is_there() -> None:
    """Docker would make an empty folder of a file that is missing."""
    mounted = [one.split(":")[0] for service in COMPOSE["services"].values() for one in service.get("volumes", [])]
    assert mounted
    assert [path for path in mounted if not (ROOT / path).exists()] == []
    assert all(one.endswith(":ro") for service in COMPOSE["services"].values() for one in service.get("volumes", []))


def test_composes_connector_is_the_image_of_this_commit_and_has_time_to_drain() -> None:
    """And is as little allowed as in the chart."""
    service = COMPOSE["services"]["connector"]
    assert service["image"] == f"${{IMAGE:-invoke-connector:{__version__}}}"
    assert parse_duration(service["stop_grace_period"]) >= Delivery().drain + 20
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_composes_settings_are_settings(tmp_path: Path) -> None:
    """The password is where its volume is."""
    text = (ROOT / "deploy" / "compose" / "config.yaml").read_text("utf-8")
    assert "/etc/connector/secrets/password" in text
    file = tmp_path / "config.yaml"
    file.write_text(text.replace("/etc/connector/secrets", str(tmp_path)))
    (tmp_path / "password").write_text((ROOT / "examples" / "simulator-password").read_text("utf-8"))
    assert isinstance(load(file, {}), Settings)


def test_composes_services_name_each_other_rightly() -> None:
    """Whatever a file of ours asks for is a service here, on a port that it listens on."""
    prometheus = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yaml").read_text("utf-8"))
    (target,) = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    source = yaml.safe_load((ROOT / "deploy/compose/grafana/datasources/prometheus.yaml").read_text("utf-8"))
    named = [target, source["datasources"][0]["url"].removeprefix("http://")]
    services = set(COMPOSE["services"])
    assert {one.split(":")[0] for one in named} <= services
    for service in COMPOSE["services"].values():
        wanted = service.get("depends_on", {})
        assert set(wanted) <= services


def test_the_dashboards_that_grafana_is_given_are_the_charts() -> None:
    provider = yaml.safe_load((ROOT / "deploy/compose/grafana/dashboards/files.yaml").read_text("utf-8"))
    (path,) = (one["options"]["path"] for one in provider["providers"])
    sources = [one for one in COMPOSE["services"]["grafana"]["volumes"] if f":{path}:" in one]
    assert [one.split(":")[0] for one in sources] == ["./helm/invoke-connector/files/dashboards"]
    for dashboard in (CHART / "files" / "dashboards").glob("*.json"):
        assert json.loads(dashboard.read_text("utf-8"))["title"]
