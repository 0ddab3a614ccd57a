"""The chart under what OpenShift's `restricted-v2` does to pods, as admission policies of the API server."""

from __future__ import annotations

from typing import Any

from tests.cluster.api import ApiError
from tests.cluster.release import CHART, NAME, NAMESPACE, Release
from tests.cluster.story import Seen

FIRST, SIZE = 1000650000, 10000
"""The namespace's range of users; its first one is the group of volumes too."""

_POLICIES = "/apis/admissionregistration.k8s.io/v1"
_HAS = "has(object.spec.securityContext)"
_SET = f"spec: Object.spec{{securityContext: Object.spec.securityContext{{runAsUser: {FIRST}, fsGroup: {FIRST}}}}}"


def as_on_openshift(release: Release, seen: Seen) -> None:
    """Users and groups out of the namespace's range: given where the pod names none, refused where it names others."""
    _switch(release, on=True)
    release.values = {
        "image": {"repository": "registry.example.com/invoke-connector"},
        "config": release.neighbours.settings(),
        "secrets": {"existingSecret": NAME},
    }
    done = release.helm("install", chart=CHART)
    assert done.returncode == 0, done.stderr
    release.wait(lambda: "not an allowed group" in _why_no_pod(release), 60, "the pods are refused")
    assert not release.pods()
    release.upgrade("--no-hooks", podSecurityContext={"fsGroup": None})
    before = release.neighbours.ledger()["distinct"]
    release.neighbours.produce(20, seed=50)
    release.delivered(before + 20)
    users = {pod["spec"]["securityContext"]["runAsUser"] for pod in release.pods()}
    assert users == {FIRST}, users
    release.upgrade(config={"log": {"level": "debug"}})
    seen.note(
        "Users and groups as OpenShift's `restricted-v2` gives them",
        f"refused with the default `fsGroup`; with null, pods run as user {FIRST}, read their Secrets and deliver "
        "20 events, and the check before an upgrade passes",
    )
    release.uninstall()
    _switch(release, on=False)


def _why_no_pod(release: Release) -> str:
    conditions = release.workload().get("status", {}).get("conditions", [])
    return " ".join(one.get("message", "") for one in conditions)


def _switch(release: Release, *, on: bool) -> None:
    for kind, (policy, binding) in _described().items():
        for plural, body in ((f"{kind}admissionpolicies", policy), (f"{kind}admissionpolicybindings", binding)):
            if on:
                release.api.call("POST", f"{_POLICIES}/{plural}", body)
            else:
                release.api.call("DELETE", f"{_POLICIES}/{plural}/scc")
    if on:
        release.wait(lambda: _is_refused(release, {"fsGroup": 65532}), 60, "the policy refuses")
        release.wait(lambda: not _is_refused(release, {}), 60, "the policy gives")


def _is_refused(release: Release, security: dict[str, Any]) -> bool:
    container = {"name": "one", "image": "one", "securityContext": {"allowPrivilegeEscalation": False}}
    container["securityContext"] |= {"capabilities": {"drop": ["ALL"]}}  # type: ignore[operator]  # a dict among objects
    seccomp = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"metadata": {"name": "one"}, "spec": {"securityContext": {**security, **seccomp}, "containers": [container]}}
    try:
        made = release.api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)
    except ApiError as error:
        return "not an allowed group" in str(error)
    return bool(made["spec"]["securityContext"].get("fsGroup") != FIRST)


def _described() -> dict[str, tuple[Any, Any]]:
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    constraints = {"resourceRules": [pods]}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    gives = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": constraints,
        "matchConditions": [
            {"name": "names-none", "expression": f"!{_HAS} || !has(object.spec.securityContext.fsGroup)"}
        ],
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": f"Object{{{_SET}}}"}}],
    }
    refuses = {
        "failurePolicy": "Fail",
        "matchConstraints": constraints,
        "validations": [
            {
                "expression": f"{_HAS} && object.spec.securityContext.fsGroup == {FIRST}",
                "message": "fsGroup: not an allowed group",
            },
            {
                "expression": f"{_HAS} && object.spec.securityContext.runAsUser >= {FIRST} "
                f"&& object.spec.securityContext.runAsUser < {FIRST + SIZE}",
                "message": "runAsUser: must be in the namespace's range",
            },
        ],
    }
    name = {"metadata": {"name": "scc"}}
    bound = {"policyName": "scc", "matchResources": here}
    return {
        "mutating": ({**name, "spec": gives}, {**name, "spec": bound}),
        "validating": ({**name, "spec": refuses}, {**name, "spec": {**bound, "validationActions": ["Deny"]}}),
    }
