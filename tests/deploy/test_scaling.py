"""Exactly one thing decides the number of pods."""

from __future__ import annotations

import pytest

from tests.deploy.conftest import OPERATORS, Chart, workload
from tests.deploy.test_sets import SETS


@pytest.mark.parametrize("values", SETS)
def test_exactly_one_thing_decides_the_number_of_pods(chart: Chart, values: str) -> None:
    """A number in the workload would undo, with each upgrade, what a scaler did."""
    resources = chart.render(base=values, apis=OPERATORS)
    deciding = {kind for kind in ("ScaledObject", "HorizontalPodAutoscaler") if kind in resources}
    if "replicas" in workload(resources):
        deciding.add("replicas")
    assert len(deciding) == 1


def test_keda_looks_at_each_topic_that_is_read(chart: Chart) -> None:
    """In the connector's own group; metadata is text, or KEDA refuses it."""
    spec = chart.render(base="keda", apis=OPERATORS)["ScaledObject"]["spec"]
    kafka = [one["metadata"] for one in spec["triggers"] if one["type"] == "kafka"]
    assert [one["topic"] for one in kafka] == ["account-a", "account-a.retry", "account-a.retry.30m"]
    for metadata in kafka:
        assert metadata["consumerGroup"] == "invoke-connector-account-a"
        assert metadata["bootstrapServers"] == "kafka-0.example.com:9092,kafka-1.example.com:9092"
        assert metadata["lagThreshold"] == "500"
        assert metadata["version"] == "3.6.0"
        assert metadata["offsetResetPolicy"] == "latest", "kafka.start"
        assert all(isinstance(value, str) for value in metadata.values())
    assert [one["type"] for one in spec["triggers"]] == ["kafka"] * 3 + ["cron"]


def test_keda_looks_at_what_a_shadow_reads(chart: Chart) -> None:
    """Its group never commits on a retry topic, whose lag would grow for ever."""
    config = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "invoke-connector-account-a.shadow"}}
    spec = chart.render({"config": config}, base="keda", apis=OPERATORS)["ScaledObject"]["spec"]
    kafka = [one["metadata"] for one in spec["triggers"] if one["type"] == "kafka"]
    assert [(one["topic"], one["consumerGroup"]) for one in kafka] == [
        ("account-a", "invoke-connector-account-a.shadow")
    ]


def test_keda_counts_only_what_a_further_pod_would_take(chart: Chart) -> None:
    """Not a partition whose commit stands still: held, paused, stuck, or asleep until its retry is due; and never more
    pods than partitions."""
    spec = chart.render(base="keda", apis=OPERATORS)["ScaledObject"]["spec"]
    for trigger in spec["triggers"][:3]:
        assert trigger["metadata"]["excludePersistentLag"] == "true"
        assert trigger["metadata"]["limitToPartitionsWithLag"] == "true"
        assert trigger["metadata"]["allowIdleConsumers"] == "false"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 12)


def test_keda_never_scales_to_zero(chart: Chart) -> None:
    """A group that has not committed shows no lag; and while the brokers do not tell it nobody scales down."""
    spec = chart.render(base="auth-plain", apis=OPERATORS)["ScaledObject"]["spec"]
    assert spec["minReplicaCount"] >= 1
    assert "idleReplicaCount" not in spec
    assert all(one["metadata"]["scaleToZeroOnInvalidOffset"] == "false" for one in spec["triggers"])
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"


@pytest.mark.parametrize(
    ("values", "metadata", "secret", "text"),
    [
        (
            "auth-plain",
            {"tls": "enable", "sasl": "plaintext"},
            {"password": ("invoke-connector", "kafka-password")},
            {"username": "invoke-connector"},
        ),
        (
            "auth-oauth",
            {"tls": "enable", "sasl": "oauthbearer", "saslTokenProvider": "bearer"},
            {"password": ("invoke-connector", "kafka-client-secret")},
            {
                "username": "invoke-connector",
                "oauthTokenEndpointUri": "https://login.example.com/oauth2/token",
                "scopes": "kafka",
            },
        ),
        (
            "auth-mtls",
            {"tls": "enable"},
            {
                name: ("invoke-connector-kafka", file)
                for name, file in (("ca", "ca.crt"), ("cert", "tls.crt"), ("key", "tls.key"))
            },
            {},
        ),
    ],
)
def test_keda_reaches_kafka_as_the_connector_does(
    chart: Chart, values: str, metadata: dict[str, str], secret: dict[str, tuple[str, str]], text: dict[str, str]
) -> None:
    """By the same keys of the same Secrets; no credential is copied."""
    resources = chart.render(base=values, apis=OPERATORS)
    for trigger in resources["ScaledObject"]["spec"]["triggers"]:
        assert trigger["metadata"].items() >= metadata.items()
        assert trigger["authenticationRef"] == {"name": resources["TriggerAuthentication"]["metadata"]["name"]}
    spec = resources["TriggerAuthentication"]["spec"]
    assert {one["parameter"]: (one["name"], one["key"]) for one in spec["secretTargetRef"]} == secret
    named = spec.get("configMapTargetRef", [])
    assert {one["parameter"]: resources["ConfigMap-keda"]["data"][one["key"]] for one in named} == text


def test_production_takes_kafkas_authority_from_its_configmap(chart: Chart) -> None:
    spec = chart.render(base="production", apis=OPERATORS)["TriggerAuthentication"]["spec"]
    assert {"parameter": "ca", "name": "kafka-ca", "key": "ca.crt"} in spec["configMapTargetRef"]


def test_a_triggerauthentication_of_the_platforms_is_used(chart: Chart) -> None:
    resources = chart.render(base="keda", apis=OPERATORS)
    assert "TriggerAuthentication" not in resources
    assert resources["ScaledObject"]["spec"]["triggers"][0]["authenticationRef"] == {"name": "kafka"}


def test_what_keda_could_not_read_is_refused(chart: Chart) -> None:
    """A file that is in no Secret of the pod, such as one that a sidecar writes."""
    security = {"security": {"password_file": "/vault/secrets/kafka"}}
    assert "KEDA cannot read config.kafka.security.password_file" in chart.refusal(
        {"config": {"kafka": security}}, "auth-plain"
    )


def test_an_autoscaler_scales_the_workload_slowly(chart: Chart) -> None:
    """Each step moves partitions."""
    for values, kind in (({}, "Deployment"), ({"staticMembers": True}, "StatefulSet")):
        spec = chart.render(values, "hpa")["HorizontalPodAutoscaler"]["spec"]
        assert spec["scaleTargetRef"]["kind"] == kind
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 8)
        assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
        assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
