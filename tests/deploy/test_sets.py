"""Every value set in `ci/`: linted, rendered, and valid by the schemas of Kubernetes and of other people's kinds."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import all_versions, schema_contents
from referencing import Registry, Resource

from connector.config import Settings, load
from tests.deploy.conftest import CHART, OPERATORS, Chart

SETS = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
OLDEST, NEWEST = "1.25", "1.37"
CRDS = {path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).with_name("crds").glob("*.json")}
PAUSED_FILE = "/etc/connector/paused/paused"


def test_there_is_a_set_for_each_kind_of_deployment() -> None:
    wanted = {"minimal", "production", "keda", "hpa", "static-members", "no-crds", "proxy", "ipv6"}
    assert wanted | {"auth-plain", "auth-oauth", "auth-mtls", "openshift"} == set(SETS)


@pytest.mark.parametrize("values", SETS)
def test_what_is_rendered_is_valid(chart: Chart, values: str) -> None:
    """By Kubernetes' own schemas, of the oldest version that the chart takes and the newest, and by the CRDs'."""
    for kube in (OLDEST, NEWEST):
        resources = chart.render(base=values, apis=() if kube == OLDEST else OPERATORS, kube=kube)
        for resource in resources.values():
            if resource["kind"] in CRDS:
                jsonschema.validate(resource, CRDS[resource["kind"]])
            else:
                _of_kubernetes(resource["kind"], resource["apiVersion"], kube).validate(resource)


@cache
def _of_kubernetes(kind: str, api_version: str, kube: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    name = f"{kind}-{group.partition('.')[0]}-{version}".lower().replace("--", "-")
    return Draft202012Validator(_file(f"{name}.json", kube), registry=_definitions(kube))


@cache
def _definitions(kube: str) -> Registry[Any]:
    """Read once: `kubernetes_validate.validate` reads its megabytes for each resource."""
    return Resource.from_contents(_file("_definitions.json", kube)) @ Registry()


def _file(name: str, kube: str) -> Any:
    folder = next(f"v{full}-local-strict" for full in all_versions() if full.startswith(f"{kube}."))
    return schema_contents(f"kubernetes-json-schema/{folder}/{name}", kube)


@pytest.mark.parametrize("values", SETS)
def test_helm_lint_finds_nothing(chart: Chart, values: str) -> None:
    """With warnings as errors."""
    done = chart.run("lint", "--strict", f"--kube-version={OLDEST}", base=values)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", SETS)
def test_the_connectors_file_is_config_key_for_key(chart: Chart, values: str, tmp_path: Path) -> None:
    """And names the file of pauses; the connector accepts it, with every file looked for where the volumes are."""
    text = chart.render(base=values, apis=OPERATORS)["ConfigMap"]["data"]["config.yaml"]
    given = yaml.safe_load((CHART / "ci" / f"{values}.yaml").read_text("utf-8"))["config"]
    assert yaml.safe_load(text) == {**given, "hold": {"paused_file": PAUSED_FILE}}
    assert isinstance(load(_with_files(text, tmp_path), {}), Settings)


def _with_files(text: str, folder: Path) -> Path:
    """The settings' file, with every file that it names in place under `folder`."""
    mounted = str(folder / "mounted")
    for line in text.splitlines():
        value = line.partition(": ")[2]
        if value.startswith("/etc/connector/"):
            file = Path(value.replace("/etc/connector", mounted))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("user:content", encoding="utf-8")
    settings = folder / "config.yaml"
    settings.write_text(text.replace("/etc/connector", mounted), encoding="utf-8")
    return settings


@pytest.mark.parametrize("values", SETS)
def test_every_pod_meets_the_restricted_profile(chart: Chart, values: str) -> None:
    """Kubernetes' Pod Security Standards, *restricted*; and a root that cannot be written, and no token."""
    resources = chart.render(base=values, apis=OPERATORS)
    for spec in _pods(resources):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, "a Service `connector` would make variables that settings refuse"
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not any("hostPath" in volume for volume in spec["volumes"])


@pytest.mark.parametrize("values", SETS)
def test_secrets_are_whole_directories_that_the_pod_and_nobody_else_reads(chart: Chart, values: str) -> None:
    """0440 and an fsGroup (OpenShift assigns one), as `connector check` asks for; no mount inside another, which no
    runtime could make."""
    for spec in _pods(chart.render(base=values, apis=OPERATORS)):
        assert all(volume["secret"]["defaultMode"] == 0o440 for volume in spec["volumes"] if "secret" in volume)
        assert (values == "openshift") or spec["securityContext"]["fsGroup"] > 10_000
        mounts = next(one for one in spec["containers"] if one["name"] in ("connector", "check"))["volumeMounts"]
        paths = [Path(mount["mountPath"]) for mount in mounts]
        assert not [path for path in paths if set(path.parents) & set(paths)]
        assert all(mount["readOnly"] and "subPath" not in mount for mount in mounts)


def test_openshift_assigns_user_and_group_and_resolves_names_on_its_own_port(chart: Chart) -> None:
    """What is set here must lie in the namespace's range there, or no pod is made."""
    resources = chart.render(base="openshift")
    for spec in _pods(resources):
        contexts = [spec["securityContext"], *(one["securityContext"] for one in spec["containers"])]
        assert not any({"runAsUser", "runAsGroup", "fsGroup"} & set(context) for context in contexts)
    for policy in ("NetworkPolicy", "NetworkPolicy-check"):
        last = resources[policy]["spec"]["egress"][-1]
        assert {(port["protocol"], port["port"]) for port in last["ports"]} == {("UDP", 5353), ("TCP", 5353)}


def _pods(resources: Any) -> list[Any]:
    """The specs of all pods: the connector's, the check's before an upgrade, the test's."""
    templates = [one["spec"]["template"]["spec"] for one in resources.values() if "template" in one.get("spec", {})]
    return [*templates, *(one["spec"] for one in resources.values() if one["kind"] == "Pod")]
