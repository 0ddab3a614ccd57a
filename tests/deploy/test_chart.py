"""What the chart makes of its values, by real Helm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector import __version__
from connector.config.sections import Admin, Delivery
from connector.config.units import parse_duration
from connector.core.pauses import parse_file, parse_target
from tests.deploy.conftest import CHART, FULL_NAME, ROOT, Chart, connector, pod, workload

PAUSED_FILE = "/etc/connector/paused/paused"
MARGIN = 20
"""Seconds that a pod has after its drain, to commit and leave the group."""


def _settings(resources: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(resources["ConfigMap"]["data"]["config.yaml"])
    return content


@pytest.mark.parametrize("drain", ["31001ms", "0.75m", "0.025h"])
def test_the_grace_period_is_the_drain_and_a_margin(chart: Chart, drain: str) -> None:
    spec = pod(chart.render({"config": {"delivery": {"drain": drain}}}))
    assert spec["terminationGracePeriodSeconds"] == math.ceil(parse_duration(drain)) + MARGIN


def test_without_a_drain_the_connectors_default_counts(chart: Chart) -> None:
    assert pod(chart.render())["terminationGracePeriodSeconds"] == Delivery().drain + MARGIN


def test_a_longer_grace_period_is_taken_as_given(chart: Chart) -> None:
    assert pod(chart.render(base="production"))["terminationGracePeriodSeconds"] == 115


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"terminationGracePeriodSeconds": 59}, "at least 60, or leave it out"),
        ({"config": {"admin": {"host": "127.0.0.1"}}}, "cannot reach loopback"),
        ({"config": {"admin": {"port": 0}}}, "which no probe can find"),
        ({"config": {"kafka": {"group_instance_id": "one"}}}, "the same id in several pods"),
        ({"config": {"kafka": {"group_instance_id": "one"}}, "staticMembers": True}, "leave it out"),
        ({"secrets": {"existingSecret": ""}}, "secrets.existingSecret: name the Secret"),
        (
            {"config": {"openmarket": {"tls": {"ca_file": "/etc/connector/tls/ca.crt"}}}},
            "tls.existingSecret: name the Secret",
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}},
            "terminationGracePeriodSeconds: lifecycle.preStop takes",
        ),
        ({"image": {"repository": ""}}, "image.repository: say where"),
        ({"config": None}, "config: the connector's settings are missing"),
        ({"paused": "*"}, "want array"),
        ({"paused": ["invocations:x"]}, "does not match pattern"),
        ({"replica": 3}, "'replica' not allowed"),
        ({"image": {"tga": "1"}}, "'tga' not allowed"),
        ({"podMonitor": {"enable": True}}, "'enable' not allowed"),
        ({"podMonitor": {"interval": "2m"}}, "podMonitor.interval: 2m is longer than 30s"),
        ({"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}, "would be scraped twice"),
        ({"scaling": {"by": "lag"}}, "must be one of 'replicas', 'keda', 'hpa'"),
        ({"paused": ["invocatons:3"]}, "paused: invocatons is not read: invocations, invocations.retry"),
        (
            {"config": {"kafka": {"security": {"protocol": "ssl", "ca_file": "/etc/connector/kafka-ca/ca.crt"}}}},
            "config.kafka.security.ca_file: no volume of the pod is at /etc/connector/kafka-ca: mount it",
        ),
        (
            {"config": {"kafka": {"client": {"ssl.crl.location": "/etc/connector/crl.pem"}}}},
            "config.kafka.client: ssl.crl.location: no volume of the pod is at /etc/connector:",
        ),
        (
            {"config": {"openmarket": {"password_file": "/etc/connector/secrets/openmarket/password"}}},
            "config.openmarket.password_file: a Secret's keys are files right in /etc/connector/secrets",
        ),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "never lets a node be drained"),
        ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "never lets a node be drained"),
        ({"scaling": {"max": 4}}, "scaling.max: counts for nothing with scaling.by: replicas"),
        ({"scaling": {"by": "keda", "max": 4}, "replicas": 3}, "replicas: counts for nothing with scaling.by: keda"),
        ({"scaling": {"by": "keda"}}, "scaling.max: say how many pods keda may make"),
        ({"scaling": {"by": "hpa", "max": 1}}, "scaling.max: 1 is below scaling.min, 2"),
        ({"scaling": {"by": "hpa", "max": 3, "hpa": {"cpu": 0}}}, "nothing to scale by"),
        ({"scaling": {"min": 0}}, "minimum: got 0, want 1"),
        ({"scaling": {"keda": {"metadata": {"limit": 5}}}}, "got number, want string"),
        (
            {"extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "subPath": "ca.crt"}]},
            "'subPath' not allowed",
        ),
    ],
)
def test_values_that_could_not_work_are_refused_with_a_remedy(chart: Chart, values: dict[str, Any], words: str) -> None:
    assert words in chart.refusal(values)


def test_files_that_another_volume_brings_are_not_missed(chart: Chart) -> None:
    """One of the values', one that an injector adds to the pod, and one of the image."""
    security = {"protocol": "ssl", "ca_file": "/etc/connector/kafka/ca/ca.crt"}
    chart.render(
        {
            "config": {"kafka": {"security": security}, "openmarket": {"password_file": "/vault/secrets/password"}},
            "extraVolumes": [{"name": "ca", "projected": {"sources": []}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/connector/kafka", "readOnly": True}],
        }
    )


def test_a_pause_is_believed_where_the_topics_are_not_known(chart: Chart) -> None:
    """A variable or a ConfigMap of the platform's may name them."""
    env = {"env": [{"name": "CONNECTOR_KAFKA__TOPICS__MAIN", "value": "other"}]}
    assert chart.render({**env, "paused": ["other:1"]})["ConfigMap-paused"]["data"]["paused"] == "other:1"


def test_without_a_number_of_pods_there_are_two(chart: Chart) -> None:
    assert workload(chart.render())["replicas"] == 2
    assert workload(chart.render({"replicas": 0}))["replicas"] == 0


def test_a_change_of_the_settings_replaces_the_pods(chart: Chart) -> None:
    def annotations(level: str) -> Any:
        return workload(chart.render({"config": {"log": {"level": level}}}))["template"]["metadata"]["annotations"]

    assert annotations("debug") != annotations("info")


@pytest.mark.parametrize("paused", [["*"], ["invocations", "invocations.retry:12", "a_B.c-9:0"]])
def test_what_is_paused_is_a_file_that_the_connector_reads(chart: Chart, paused: list[str]) -> None:
    read = {"config": {"kafka": {"topics": {"retry_also": ["a_B.c-9"]}}}}
    content = chart.render({**read, "paused": paused})["ConfigMap-paused"]["data"]["paused"]
    assert parse_file(content.encode()) == frozenset(map(parse_target, paused))


def test_a_pause_reaches_the_pods_without_replacing_them(chart: Chart) -> None:
    """The file is in a ConfigMap of its own, a whole directory is mounted, and no checksum of it is on the pods."""
    before, after = chart.render(), chart.render({"paused": ["*"]})
    assert before["ConfigMap-paused"] != after["ConfigMap-paused"]
    assert before["Deployment"] == after["Deployment"]
    (mount,) = (mount for mount in connector(after)["volumeMounts"] if mount["name"] == "paused")
    assert mount == {"name": "paused", "mountPath": str(Path(PAUSED_FILE).parent), "readOnly": True}
    (volume,) = (volume for volume in pod(after)["volumes"] if volume["name"] == "paused")
    assert volume["configMap"]["name"] == f"{FULL_NAME}-paused"
    assert set(after["ConfigMap-paused"]["data"]) == {Path(PAUSED_FILE).name}


def test_settings_that_name_a_file_of_pauses_keep_it(chart: Chart) -> None:
    hold = {"brake": {"then": "warn"}}
    named = {**hold, "paused_file": "/elsewhere/paused"}
    assert _settings(chart.render({"config": {"hold": named}}))["hold"] == named
    assert _settings(chart.render({"config": {"hold": hold}}))["hold"] == {**hold, "paused_file": PAUSED_FILE}


def test_the_pod_is_given_the_file_that_is_mounted(chart: Chart) -> None:
    assert connector(chart.render())["args"] == ["run", "--config", "/etc/connector/config/config.yaml"]
    assert "/etc/connector/config/config.yaml" in (ROOT / "docs" / "runbooks" / "README.md").read_text()


def test_the_probes_ask_the_port_of_the_settings(chart: Chart) -> None:
    """By name, so that no family of addresses is named; `/livez` is our own loops, never the broker."""
    default, moved = connector(chart.render()), connector(chart.render(base="production"))
    ports = [one["ports"] for one in (default, moved)]
    assert ports == [[{"name": "admin", "containerPort": port}] for port in (Admin().port, 9500)]
    probes = {name: default[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["port"] for name, probe in probes.items()} == dict.fromkeys(probes, "admin")
    assert [probe["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
    assert not any("host" in probe for probe in probes.values())


def test_a_new_pod_joins_before_an_old_one_leaves(chart: Chart) -> None:
    strategy = workload(chart.render())["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_one_static_name_leaves_before_its_successor_joins(chart: Chart) -> None:
    """Two processes with one group.instance.id fence each other."""
    rendered = chart.render({"config": {"kafka": {"group_instance_id": "one"}}, "replicas": 1})
    assert workload(rendered)["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_static_members_are_pods_that_keep_their_names(chart: Chart) -> None:
    """Each is told its own by the pod's name; the Service that a StatefulSet needs is there."""
    rendered = chart.render(base="static-members")
    (name,) = (one for one in connector(rendered)["env"] if one["name"] == "CONNECTOR_KAFKA__GROUP_INSTANCE_ID")
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert "Deployment" not in rendered
    assert workload(rendered)["podManagementPolicy"] == "Parallel"
    assert workload(rendered)["serviceName"] == rendered["Service"]["metadata"]["name"]
    assert rendered["Service"]["spec"]["clusterIP"] == "None"


def test_pods_are_spread_over_nodes_and_zones(chart: Chart) -> None:
    """As far as there are any, unless the values say otherwise."""
    labels = workload(chart.render())["template"]["metadata"]["labels"]
    constraints = pod(chart.render())["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for one in constraints:
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
        assert one["labelSelector"]["matchLabels"].items() <= labels.items()
    assert "topologySpreadConstraints" not in pod(chart.render({"topologySpreadConstraints": []}))


def test_a_budget_lets_one_pod_go_at_a_time(chart: Chart) -> None:
    """And never lets a pod that is not ready stand in the way; what the cluster does not know is left out."""
    budget = chart.render()["PodDisruptionBudget"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"] == workload(chart.render())["selector"]
    assert "unhealthyPodEvictionPolicy" not in chart.render(kube="1.25")["PodDisruptionBudget"]["spec"]
    assert "PodDisruptionBudget" not in chart.render({"podDisruptionBudget": {"enabled": False}})


def test_the_labels_by_which_pods_are_selected_never_change(chart: Chart) -> None:
    """Kubernetes refuses an upgrade that changes them."""
    assert workload(chart.render())["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "invoke-connector",
        "app.kubernetes.io/instance": "release",
    }


def test_the_chart_installs_the_connector_of_its_commit() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"] == __version__
