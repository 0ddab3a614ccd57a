"""What the chart makes of its values, by real Helm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector import __version__
from connector.config import Settings, load
from connector.config.sections import Admin, Delivery
from connector.config.units import parse_duration
from connector.core.pauses import parse_file, parse_target
from tests.deploy.conftest import CHART, FULL_NAME, Chart, pod

EXAMPLES = sorted(path.stem for path in (CHART / "examples").glob("*.yaml"))
PAUSED_FILE = "/etc/connector/paused/paused"
MARGIN = 20
"""Seconds that a pod has after its drain, to commit and leave the group."""


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _settings(resources: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(resources["ConfigMap"]["data"]["config.yaml"])
    return content


def _openmarket(**settings: object) -> dict[str, object]:
    return {"config": {"openmarket": settings}}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_connectors_file_is_config_key_for_key(chart: Chart, example: str) -> None:
    """And names the file of pauses."""
    assert _settings(chart.over(example).render()) == {
        **_read(CHART / "examples" / f"{example}.yaml")["config"],
        "hold": {"paused_file": PAUSED_FILE},
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_connector_accepts_the_settings_of_every_example(chart: Chart, example: str, tmp_path: Path) -> None:
    """Files are looked for where the volumes are mounted."""
    text = chart.over(example).render()["ConfigMap"]["data"]["config.yaml"]
    assert isinstance(load(_with_files(text, tmp_path), {}), Settings)


def _with_files(text: str, folder: Path) -> Path:
    """The settings' file, with every file that it names in place under `folder`."""
    mounted = str(folder / "mounted")
    for line in text.splitlines():
        value = line.partition(": ")[2]
        if value.startswith("/etc/connector/"):
            file = Path(value.replace("/etc/connector", mounted))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("content", encoding="utf-8")
    settings = folder / "config.yaml"
    settings.write_text(text.replace("/etc/connector", mounted), encoding="utf-8")
    return settings


@pytest.mark.parametrize("drain", ["500ms", "40s", "1.5m", "0.25h", "1h", "1.001s"])
def test_the_grace_period_is_the_drain_and_a_margin(chart: Chart, drain: str) -> None:
    spec = pod(chart.render({"config": {"delivery": {"drain": drain}}}))
    assert spec["terminationGracePeriodSeconds"] == math.ceil(parse_duration(drain)) + MARGIN


def test_without_a_drain_the_connectors_default_counts(chart: Chart) -> None:
    assert pod(chart.render())["terminationGracePeriodSeconds"] == Delivery().drain + MARGIN


def test_a_longer_grace_period_is_taken_as_given(chart: Chart) -> None:
    assert pod(chart.render({"terminationGracePeriodSeconds": 61}))["terminationGracePeriodSeconds"] == 61


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"terminationGracePeriodSeconds": 59}, "at least 60, or leave it out"),
        ({"config": {"delivery": {"drain": 40}}}, "must be a duration with its unit"),
        ({"config": {"delivery": {"drain": "1m30s"}}}, "must be a duration with its unit"),
        (_openmarket(account_id=12345), "config.openmarket.account_id: put it in quotes"),
        (_openmarket(service_ids=["0A", 123e43]), "config.openmarket.service_ids: put every id in quotes"),
        ({"config": {"admin": {"host": "127.0.0.1"}}}, "cannot reach loopback"),
        ({"config": {"admin": {"port": 0}}}, "which no probe can find"),
        ({"config": {"kafka": {"group_instance_id": "one"}}}, "the same id in several pods"),
        ({"secrets": {"existingSecret": ""}}, "secrets.existingSecret: name the Secret"),
        ({"image": {"repository": ""}}, "image.repository: say where"),
        ({"config": None}, "config: the connector's settings are missing"),
        ({"paused": "*"}, "want array"),
        ({"paused": ["invocations:x"]}, "does not match pattern"),
        ({"replica": 3}, "'replica' not allowed"),
        ({"podMonitor": {"enable": True}}, "'enable' not allowed"),
        (
            {"extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "subPath": "ca.crt"}]},
            "'subPath' not allowed",
        ),
    ],
)
def test_values_that_could_not_work_are_refused_with_a_remedy(chart: Chart, values: dict[str, Any], words: str) -> None:
    assert words in chart.refusal(values)


def test_a_change_of_the_settings_replaces_the_pods(chart: Chart) -> None:
    def annotations(level: str) -> Any:
        rendered = chart.render({"config": {"log": {"level": level}}})
        return rendered["Deployment"]["spec"]["template"]["metadata"]["annotations"]

    assert annotations("info") == annotations("info")
    assert annotations("info") != annotations("debug")


@pytest.mark.parametrize("paused", [[], ["*"], ["invocations", "invocations.retry:12", "a_B.c-9:0"]])
def test_what_is_paused_is_a_file_that_the_connector_reads(chart: Chart, paused: list[str]) -> None:
    content = chart.render({"paused": paused})["ConfigMap-paused"]["data"]["paused"]
    assert parse_file(content.encode()) == frozenset(map(parse_target, paused))


def test_a_pause_reaches_the_pods_without_replacing_them(chart: Chart) -> None:
    """The file is in a ConfigMap of its own, a whole directory is mounted, and no checksum of it is on the pods."""
    before, after = chart.render(), chart.render({"paused": ["*"]})
    assert before["ConfigMap-paused"] != after["ConfigMap-paused"]
    assert before["Deployment"] == after["Deployment"]
    (container,) = pod(after)["containers"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "paused")
    assert mount == {"name": "paused", "mountPath": str(Path(PAUSED_FILE).parent), "readOnly": True}
    (volume,) = (volume for volume in pod(after)["volumes"] if volume["name"] == "paused")
    assert volume == {"name": "paused", "configMap": {"name": f"{FULL_NAME}-paused"}}
    assert set(after["ConfigMap-paused"]["data"]) == {Path(PAUSED_FILE).name}


@pytest.mark.parametrize("given", ["/elsewhere/paused", None])
def test_settings_that_name_a_file_of_pauses_keep_it(chart: Chart, given: str | None) -> None:
    assert _settings(chart.render({"config": {"hold": {"paused_file": given}}}))["hold"] == {"paused_file": given}


def test_the_other_settings_of_hold_stay(chart: Chart) -> None:
    hold = _settings(chart.render({"config": {"hold": {"brake": {"then": "warn"}}}}))["hold"]
    assert hold == {"brake": {"then": "warn"}, "paused_file": PAUSED_FILE}


@pytest.mark.parametrize(("paused", "warned"), [([], False), (["*"], True)])
def test_the_notes_say_what_is_paused(chart: Chart, paused: list[str], warned: bool) -> None:
    notes = chart.run("install", "--dry-run=client", values={"paused": paused}).stdout.partition("NOTES:")[2]
    assert ("PAUSED: nothing is posted of *" in notes) == warned


def test_the_pod_meets_the_restricted_profile(chart: Chart) -> None:
    """Kubernetes' Pod Security Standards, *restricted*; and a root that cannot be written, and no token."""
    spec = pod(chart.render())
    (container,) = spec["containers"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False


def test_no_variable_of_the_cluster_can_look_like_a_setting(chart: Chart) -> None:
    """A Service named `connector` would become CONNECTOR_SERVICE_HOST, which the settings refuse as unknown."""
    assert pod(chart.render())["enableServiceLinks"] is False


def test_secrets_are_mounted_as_whole_directories(chart: Chart) -> None:
    (container,) = pod(chart.over("production").render())["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {"/etc/connector/secrets", "/etc/connector/tls"} < set(mounts)
    assert not any("subPath" in mount for mount in mounts.values())


def test_no_directory_is_mounted_inside_another(chart: Chart) -> None:
    """A mount point cannot be made in a ConfigMap's read-only directory."""
    (container,) = pod(chart.over("production").render())["containers"]
    paths = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    assert not [path for path in paths if set(path.parents) & set(paths)]


def test_the_pod_is_given_the_file_that_is_mounted(chart: Chart) -> None:
    (container,) = pod(chart.render())["containers"]
    assert container["args"] == ["run", "--config", "/etc/connector/config/config.yaml"]


def test_the_probes_ask_the_port_of_the_settings(chart: Chart) -> None:
    (default,) = pod(chart.render())["containers"]
    (moved,) = pod(chart.render({"config": {"admin": {"port": 9500}}}))["containers"]
    assert [one["ports"] for one in (default, moved)] == [
        [{"name": "admin", "containerPort": port}] for port in (Admin().port, 9500)
    ]


def test_a_new_pod_joins_before_an_old_one_leaves(chart: Chart) -> None:
    strategy = chart.render()["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_static_member_leaves_before_its_successor_joins(chart: Chart) -> None:
    """Two processes with one group.instance.id fence each other."""
    rendered = chart.over("static-member").render()
    strategy = rendered["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0, "maxUnavailable": 1}


def test_monitors_are_off_by_default(chart: Chart) -> None:
    assert set(chart.render()) == {"ConfigMap", "ConfigMap-paused", "Deployment", "ServiceAccount"}


def test_monitors_find_the_pods_by_their_labels(chart: Chart) -> None:
    rendered = chart.render({"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}})
    labels = rendered["Deployment"]["spec"]["template"]["metadata"]["labels"]
    service = rendered["Service"]
    assert rendered["PodMonitor"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert (
        rendered["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    assert service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize(("host", "warned"), [("servicemanager-cie", True), ("servicemanager", False)])
def test_the_notes_warn_of_the_vendors_test_environment(chart: Chart, host: str, warned: bool) -> None:
    values = _openmarket(base_url=f"https://{host}.openmarket.com")
    notes = chart.run("install", "--dry-run=client", values=values).stdout.partition("NOTES:")[2]
    assert ("nobody is reached" in notes, "rollout status" in notes) == (warned, True)


def test_the_chart_installs_the_connector_of_its_commit() -> None:
    assert _read(CHART / "Chart.yaml")["appVersion"] == __version__
