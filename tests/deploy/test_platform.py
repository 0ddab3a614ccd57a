"""What a platform team needs is in the pod where it belongs."""

from __future__ import annotations

from typing import Any

from tests.deploy.conftest import OPERATORS, Chart, connector, pod, workload


def test_the_pod_has_what_the_platform_asks_for(chart: Chart) -> None:
    spec = pod(chart.render(base="production", apis=OPERATORS))
    container = connector(chart.render(base="production", apis=OPERATORS))
    assert {"name": "CONNECTOR_LOG__LEVEL", "value": "info"} in container["env"]
    assert container["envFrom"] == [{"configMapRef": {"name": "cluster-settings", "optional": True}}]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "2"]
    assert [one["name"] for one in spec["initContainers"]] == ["wait-for-mesh"]
    assert [one["name"] for one in spec["containers"]] == ["connector", "token-renewer"]
    assert spec["hostAliases"] == [{"ip": "192.0.2.10", "hostnames": ["kafka-0.example.com"]}]
    assert spec["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}
    assert spec["priorityClassName"] == "messaging"
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert spec["tolerations"][0]["key"] == "dedicated"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container["image"].startswith("registry.example.com/invoke-connector@sha256:")


def test_common_labels_and_annotations_are_on_everything(chart: Chart) -> None:
    """But on the extra objects, which are the platform's own."""
    resources = chart.render(base="production", apis=OPERATORS)
    ours = {kind: one["metadata"] for kind, one in resources.items() if not one["metadata"]["name"].endswith("-notes")}
    assert "Deployment" in ours
    labelled = {kind for kind, found in ours.items() if found["labels"].get("example.com/cost-centre") == "4711"}
    assert labelled | {"Pod-test"} == set(ours)
    annotated = {kind for kind, found in ours.items() if found["annotations"].get("example.com/contact")}
    assert annotated == set(ours)
    pods = workload(resources)["template"]["metadata"]
    assert pods["labels"].items() >= {"team": "messaging", "example.com/cost-centre": "4711"}.items()
    assert pods["annotations"]["example.com/contact"] == "messaging"


def test_extra_objects_are_templates(chart: Chart) -> None:
    resources = chart.render(base="production", apis=OPERATORS)
    (extra,) = (one for one in resources.values() if one["metadata"]["name"] == "release-notes")
    assert extra["data"] == {"owner": "messaging"}


def test_security_contexts_are_merged_over_the_restricted_default(chart: Chart) -> None:
    """What is not named stays; null takes away, as OpenShift needs of `fsGroup`."""
    given = {"podSecurityContext": {"runAsUser": 12345, "fsGroup": None}, "securityContext": {"privileged": False}}
    resources = chart.render(given)
    assert pod(resources)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 12345,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert connector(resources)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
    }


def test_a_strategy_of_ones_own_is_taken_as_given(chart: Chart) -> None:
    assert workload(chart.render({"strategy": {"type": "Recreate"}}))["strategy"] == {"type": "Recreate"}
    rolled: dict[str, Any] = {"rollingUpdate": {"partition": 2}}
    assert workload(chart.render({"strategy": rolled}, "static-members"))["updateStrategy"] == rolled


def test_settings_may_be_a_configmap_of_the_platforms(chart: Chart) -> None:
    """Then the chart makes none, neither for the pods nor for the check; what it must know itself is in `config`."""
    given = {"existingConfigMap": "ours", "config": {"delivery": {"drain": "50s"}}}
    resources = chart.render({**given, "image": {"repository": "registry.example.com/c"}}, base="")
    assert not {"ConfigMap", "ConfigMap-check"} & set(resources)
    mounted = {one["name"]: one for one in pod(resources)["volumes"]}
    assert mounted["config"]["configMap"]["name"] == "ours"
    assert pod(resources)["terminationGracePeriodSeconds"] == 70
    assert resources["Job-check"]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] == "ours"
    alone: dict[str, Any] = {"existingConfigMap": "ours", "image": {"repository": "registry.example.com/c"}}
    assert chart.render({**alone, "config": None}, base="") == chart.render({**alone, "config": {}}, base="")


def test_reloader_is_told_of_the_secrets_that_are_read_at_start_only(chart: Chart) -> None:
    """Kafka's: all others reach the running connector, and a restart for them would be for nothing."""
    annotations = chart.render(base="auth-mtls", apis=OPERATORS)["Deployment"]["metadata"]["annotations"]
    assert annotations == {"secret.reloader.stakater.com/reload": "invoke-connector-kafka"}
