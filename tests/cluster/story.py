"""What is tried, in order. Each chapter asserts, and notes what was seen for the page."""

from __future__ import annotations

import time
from typing import Any

import yaml

from tests.cluster.api import ApiError
from tests.cluster.release import CHART, NAME, NAMESPACE, Release, is_ready, merged

_POLICY = f"/api/v1/namespaces/{NAMESPACE}"


class Seen:
    """The rows of the page."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def note(self, what: str, seen: str) -> None:
        """One row, also printed."""
        print(f"{what}: {seen}", flush=True)  # noqa: T201 - a command's output
        self._rows.append((what, seen))

    def table(self) -> str:
        """All rows in Markdown."""
        return "| what | seen |\n|---|---|\n" + "".join(f"| {what} | {seen} |\n" for what, seen in self._rows)


def every_set_is_admitted(release: Release, seen: Seen) -> None:
    """All files in `ci/` by the API server itself, with strict fields, as a dry run."""
    kinds: dict[str, int] = {}
    sets = sorted((CHART / "ci").glob("*.yaml"))
    for file in sets:
        values = yaml.safe_load(file.read_text("utf-8"))
        done = release.helm("template", "--api-versions=monitoring.coreos.com/v1", chart=CHART, values=values)
        assert done.returncode == 0, done.stderr
        for resource in filter(None, yaml.safe_load_all(done.stdout)):
            _dry_run(release, resource)
            kinds[resource["kind"]] = kinds.get(resource["kind"], 0) + 1
            if resource["kind"] in ("Deployment", "StatefulSet"):
                template = resource["spec"]["template"]
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": "one"}}
                pod["spec"] = template["spec"]
                _dry_run(release, pod)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    seen.note("Every value set in `ci/` (dry run, strict fields)", f"{len(sets)} sets accepted: {listed}")
    seen.note("A pod of each set's template", "admitted in a namespace that enforces `restricted`")


def _dry_run(release: Release, resource: Any) -> None:
    group = resource["apiVersion"]
    if resource["kind"] == "Pod":  # its account is not there in a dry run
        resource["spec"]["serviceAccountName"] = "default"
    base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
    plural = {"NetworkPolicy": "networkpolicies"}.get(resource["kind"], f"{resource['kind'].lower()}s")
    query = "dryRun=All&fieldValidation=Strict"
    release.api.call("POST", f"{base}/namespaces/{NAMESPACE}/{plural}?{query}", resource)


def upgrade_from_the_earlier_chart(release: Release, seen: Seen) -> None:
    """Installed, delivering, upgraded: nothing lost, nothing twice."""
    version, earlier = release.earlier_chart()
    done = release.helm("install", "--wait", "--timeout", "10m", chart=earlier)
    assert done.returncode == 0, done.stderr + release.logs(NAME)
    release.neighbours.produce(200, seed=1)
    release.delivered(201)
    release.neighbours.scenario(latency={"kind": "fixed", "seconds": 0.2})
    release.neighbours.produce(400, seed=2)
    release.upgrade()
    release.delivered(601)
    release.neighbours.scenario()
    assert "0 failed" in release.logs("check")
    seen.note(
        f"`helm install` of chart {version}, then `helm upgrade`",
        "checked first, rolled while 400 events were under way",
    )
    seen.note("601 events", "601 accepted by the vendor, none twice, none missing")


def helm_test(release: Release, seen: Seen) -> None:
    """It passes, and nobody is texted."""
    before = release.neighbours.ledger()
    done = release.helm("test", NAME, "--timeout", "5m")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{release.logs('-test')}"
    assert release.neighbours.ledger()["answers"] == before["answers"]
    seen.note("`helm test`", "Succeeded; the vendor saw no request")


def a_bad_upgrade_is_stopped(release: Release, seen: Seen) -> None:
    """Before anything is replaced, with the reason in the job's log."""
    before = release.workload()["metadata"]["generation"], {pod["metadata"]["name"] for pod in release.pods()}
    wrong = merged(release.values, {"config": {"kafka": {"topics": {"main": "no-such-topic"}}}})
    done = release.helm("upgrade", "--timeout", "5m", chart=CHART, values=wrong)
    assert done.returncode != 0, "the upgrade was not stopped"
    assert "there is no topic no-such-topic" in release.logs("check")
    assert (release.workload()["metadata"]["generation"], {pod["metadata"]["name"] for pod in release.pods()}) == before
    seen.note(
        "`helm upgrade` to a topic that does not exist",
        "failed; the job says `there is no topic no-such-topic`; no pod replaced",
    )
    refused = release.helm(
        "upgrade", chart=CHART, values=merged(release.values, {"config": {"delivery": {"drain": "20s"}}})
    )
    assert "must be longer than openmarket.timeouts.total" in refused.stderr
    seen.note(
        "`helm upgrade` to a drain below the post's time-out",
        "refused before it reached the cluster, in the words of `check`",
    )
    release.upgrade()


def a_pause_reaches_the_pods(release: Release, seen: Seen) -> None:
    """By the value, without replacing them."""
    pods = {pod["metadata"]["uid"] for pod in release.pods()}
    release.upgrade("--no-hooks", paused=["*"])
    release.wait(lambda: release.logs(NAME).count('"event":"paused"') >= len(pods), 60, "all paused")
    accepted = release.neighbours.ledger()["accepted"]
    release.neighbours.produce(20, seed=3)
    time.sleep(5)
    assert release.neighbours.ledger()["accepted"] == accepted
    release.upgrade("--no-hooks", paused=[])
    release.delivered(621)
    assert {pod["metadata"]["uid"] for pod in release.pods()} == pods
    seen.note("`paused: ['*']` and back", "nothing posted meanwhile, no pod replaced, all delivered afterwards")


def secrets_that_change(release: Release, seen: Seen) -> None:
    """A key that is read again changes no pod; one that is read at start makes the next upgrade replace them."""

    def marks() -> Any:
        """As the next upgrade would have them: Helm asks the server for the Secret, and changes nothing."""
        sasl = {"protocol": "sasl_plaintext", "mechanism": "PLAIN", "username": "u"}
        security = {**sasl, "password_file": "/etc/connector/secrets/kafka-password"}
        values = merged(release.values, {"config": {"kafka": {"security": security}}})
        done = release.helm("upgrade", "--dry-run=server", "--no-hooks", chart=CHART, values=values)
        assert done.returncode == 0, done.stderr
        found = done.stdout.partition("MANIFEST:\n")[2].partition("\nNOTES:")[0]
        (one,) = (one for one in yaml.safe_load_all(found) if one and one["kind"] == "Deployment")
        return one["spec"]["template"]["metadata"]["annotations"]

    first = marks()
    assert "checksum/read-at-start" in first
    release.secret({"password": PASSWORD_AGAIN})
    assert marks() == first
    release.secret({"kafka-password": "second"})
    assert marks() != first
    seen.note("A new API password in the Secret", "the next upgrade replaces no pod for it (dry run)")
    seen.note("A new Kafka password in the Secret", "the next upgrade replaces the pods (dry run)")
    release.wait(lambda: "secrets_renewed" in release.logs(NAME), 60, "the new password was read")
    release.secret({"password": "simulated"})
    seen.note("The running pods", "said `secrets_renewed` without a restart")


PASSWORD_AGAIN = "another-password"


def probes_in_bad_hours(release: Release, seen: Seen) -> None:
    """A hold, a dead broker, a vendor that never answers: the pods live and stay ready."""
    uids = {pod["metadata"]["uid"] for pod in release.pods()}
    release.wait(lambda: release.logs(NAME).count("secrets_renewed") >= 2 * len(uids), 90, "the password is back")
    release.neighbours.scenario(passwords=[{"after": 0, "password": "other"}])
    release.neighbours.produce(20, seed=4)
    release.wait(lambda: '"event":"hold_entered","kind":"deployment"' in release.logs(NAME), 60, "a hold")
    _stays_as_it_is(release, uids, 20)
    release.neighbours.scenario()
    release.delivered(641)
    seen.note(
        "20 s of a deployment hold (the vendor refuses the password)",
        "all pods ready, no restart; delivered afterwards",
    )
    release.neighbours.kafka.freeze()
    _stays_as_it_is(release, uids, 20)
    release.neighbours.kafka.thaw()
    release.neighbours.produce(20, seed=5)
    release.delivered(661)
    seen.note("20 s of brokers that do not answer", "all pods ready, no restart; delivered afterwards")


def _stays_as_it_is(release: Release, uids: set[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pods = release.pods()
        assert {pod["metadata"]["uid"] for pod in pods} == uids
        assert all(is_ready(pod) for pod in pods), "a pod is not ready"
        assert all(one["restartCount"] == 0 for pod in pods for one in pod["status"]["containerStatuses"])
        time.sleep(0.5)


def scaling_while_it_delivers(release: Release, seen: Seen) -> None:
    """As an autoscaler does it, with events under way and a rate: kept, and nothing twice."""
    release.upgrade(config={"pace": {"rate": 20}})
    release.neighbours.produce(600, seed=6)
    began, first = time.monotonic(), release.neighbours.ledger()["accepted"]
    for replicas in (4, 1, 3):
        release.scale(replicas)
    release.delivered(1261, seconds=300)
    rate = (release.neighbours.ledger()["accepted"] - first) / (time.monotonic() - began)
    assert rate <= 21, rate
    seen.note(
        "2 → 4 → 1 → 3 pods while 600 events are under way at `pace.rate: 20`",
        f"600 accepted, none twice, {rate:.1f} a second",
    )


def evictions_one_at_a_time(release: Release, seen: Seen) -> None:
    """The budget lets one pod go; the second is refused until there is another."""
    first, second, *_ = (pod["metadata"]["name"] for pod in release.pods())
    budget = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{NAME}"
    release.wait(lambda: release.api.call("GET", budget)["status"].get("disruptionsAllowed") == 1, 30, "the budget")
    _evict(release, first)
    try:
        _evict(release, second)
    except ApiError as error:
        assert error.status == 429, error  # noqa: PT017 - the other way round is the failure
    else:
        raise AssertionError("two pods were evicted at once")
    release.wait(lambda: release.all_gone_but(3), 120, "a pod in its place")
    seen.note("Two evictions at once", "the first goes, the second is refused (429) by the budget")


def _evict(release: Release, pod: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    release.api.call("POST", f"{_POLICY}/pods/{pod}/eviction", eviction)


def a_scaler_keeps_its_number(release: Release, seen: Seen) -> None:
    """An upgrade under KEDA leaves the number of pods alone."""
    release.upgrade(scaling={"by": "keda", "max": 4})
    switched = release.workload()["spec"]["replicas"]
    release.scale(3)
    release.upgrade(config={"log": {"level": "debug"}})
    assert release.workload()["spec"]["replicas"] == 3
    found = release.api.call("GET", f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects/{NAME}")
    topics = [one["metadata"]["topic"] for one in found["spec"]["triggers"]]
    seen.note(
        "From `replicas` to `scaling.by: keda`",
        f"a ScaledObject for {', '.join(topics)}; the switch left {switched} pods",
    )
    seen.note("`helm upgrade` while a scaler had set 3", "still 3")
    operator = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}"
    made = [kind for kind in ("podmonitors", "prometheusrules") if release.api.list(f"{operator}/{kind}")]
    seen.note("With the operator's CRDs in the cluster", f"made without asking: {', '.join(made)}")


def pods_of_ipv6_alone(release: Release, seen: Seen) -> None:
    """Kafka, vendor and probes by IPv6; static members by their pods' names."""
    release.uninstall()
    release.node.families = (6,)
    release.values = {
        **release.values,
        "config": release.neighbours.settings(6),
        "scaling": {"by": "replicas"},
        "staticMembers": True,
    }
    done = release.helm("install", "--wait", "--timeout", "10m", chart=CHART)
    assert done.returncode == 0, done.stderr + release.logs(NAME)[-3000:]
    release.neighbours.produce(50, seed=7)
    release.wait(lambda: release.neighbours.ledger(6)["distinct"] == 50, 120, "50 events by IPv6")
    addresses = [pod["status"]["podIP"] for pod in release.pods()]
    assert all(":" in address for address in addresses)
    uids = {pod["metadata"]["uid"] for pod in release.pods()}
    release.upgrade(config={"log": {"level": "debug"}})
    release.wait(lambda: release.all_gone_but(2), 120, "both again")
    release.neighbours.produce(50, seed=8)
    release.wait(lambda: release.neighbours.ledger(6)["distinct"] == 100, 120, "50 more")
    assert release.neighbours.ledger(6)["repeated"] == 0
    assert not uids & {pod["metadata"]["uid"] for pod in release.pods()}
    names = sorted(pod["metadata"]["name"] for pod in release.pods())
    seen.note("Pods with an IPv6 address alone", "probed, ready, 50 events delivered")
    seen.note("`staticMembers: true`, rolled", f"{', '.join(names)} again; 50 more events, none twice")


CHAPTERS = (
    every_set_is_admitted,
    upgrade_from_the_earlier_chart,
    helm_test,
    a_bad_upgrade_is_stopped,
    a_pause_reaches_the_pods,
    secrets_that_change,
    probes_in_bad_hours,
    scaling_while_it_delivers,
    evictions_one_at_a_time,
    a_scaler_keeps_its_number,
    pods_of_ipv6_alone,
)
