"""The network policy lets through what the settings name, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.deploy.conftest import OPERATORS, Chart, Resources, workload


def _ports(rule: Any) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for port in rule["ports"]}


def _policy(chart: Chart, base: str) -> Any:
    policy = chart.render(base=base, apis=OPERATORS)["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    return policy


def test_egress_is_dns_kafka_and_the_proxy_where_there_is_one(chart: Chart) -> None:
    """A proxy stands before the API, so the API's own port stays closed; the registry is reached directly."""
    dns, kafka, http = _policy(chart, "proxy")["egress"]
    assert (_ports(dns), list(dns["to"][0])) == ({("UDP", 53), ("TCP", 53)}, ["namespaceSelector"])
    assert _ports(kafka) == {("TCP", 9092), ("TCP", 9192)}
    assert kafka["to"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    assert _ports(http) == {("TCP", 3128), ("TCP", 8081)}


def test_ports_of_ipv6_addresses_are_found(chart: Chart) -> None:
    """The last colon outside the brackets; 443 where https names none."""
    _, kafka, http = _policy(chart, "ipv6")["egress"]
    assert _ports(kafka) == {("TCP", 9092), ("TCP", 9192)}
    assert _ports(http) == {("TCP", 8443), ("TCP", 443)}
    assert "to" not in http


def test_a_scheme_in_capitals_is_https_too(chart: Chart) -> None:
    """The connector takes it as it is."""
    values = {"networkPolicy": {"enabled": True}, "config": {"openmarket": {"base_url": "HTTPS://Api.example.com"}}}
    resources = chart.render(values, apis=OPERATORS)
    assert ("TCP", 443) in _ports(resources["NetworkPolicy"]["spec"]["egress"][2])
    assert ("TCP", 80) not in _ports(resources["NetworkPolicy"]["spec"]["egress"][2])


def test_the_token_endpoint_is_reached_too(chart: Chart) -> None:
    resources = chart.render({"networkPolicy": {"enabled": True}}, "auth-oauth", apis=OPERATORS)
    assert _ports(resources["NetworkPolicy"]["spec"]["egress"][2]) == {("TCP", 443)}


def test_ingress_is_the_metrics_from_whom_the_values_name(chart: Chart) -> None:
    (rule,) = _policy(chart, "production")["ingress"]
    assert _ports(rule) == {("TCP", 9500)}
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


def test_the_pods_and_helm_test_are_under_it(chart: Chart) -> None:
    """Where everything else is denied, `helm test` must get out too."""
    resources = chart.render(base="production", apis=OPERATORS)
    policy = resources["NetworkPolicy"]
    assert _selects(policy, workload(resources)["template"]["metadata"])
    assert _selects(policy, resources["Pod-test"]["metadata"])


def test_the_check_before_an_upgrade_gets_out_as_the_new_pods_will(chart: Chart) -> None:
    """Under a policy that is there before the job and gone with it: by the one in force it would fail at a port that is
    new, and not miss one that is closed now."""
    resources = chart.render({"networkPolicy": {"kafkaPorts": [9999]}}, "proxy", apis=OPERATORS)
    job, policy = resources["Job-check"], resources["NetworkPolicy-check"]
    pods = job["spec"]["template"]["metadata"]
    assert _selects(policy, pods)
    assert not _selects(resources["NetworkPolicy"], pods)
    assert not any(_selects(policy, one) for one in (workload(resources)["template"]["metadata"], _of_test(resources)))
    assert policy["spec"]["egress"] == resources["NetworkPolicy"]["spec"]["egress"]
    assert ("TCP", 9999) in _ports(policy["spec"]["egress"][1])
    assert "ingress" not in policy["spec"], "nobody asks a check"
    hooks, jobs = (one["metadata"]["annotations"] for one in (policy, job))
    assert hooks["helm.sh/hook"] == jobs["helm.sh/hook"] == "pre-upgrade"
    assert hooks["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    assert int(hooks["helm.sh/hook-weight"]) < int(jobs["helm.sh/hook-weight"])


def _of_test(resources: Resources) -> Any:
    return resources["Pod-test"]["metadata"]


def _selects(policy: Any, metadata: Any) -> bool:
    selector, labels = policy["spec"]["podSelector"], metadata["labels"]
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return selector["matchLabels"].items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


def test_addresses_that_only_a_configmap_has_open_no_other_port(chart: Chart) -> None:
    """A rule without ports would let everything out."""
    given = {"existingConfigMap": "ours", "networkPolicy": {"enabled": True}, "image": {"repository": "r.example/c"}}
    assert "config.openmarket.base_url: networkPolicy opens" in chart.refusal(given, base="")
    known = {**given, "config": {"openmarket": {"base_url": "https://a.example"}}}
    assert _ports(chart.render(known, base="")["NetworkPolicy"]["spec"]["egress"][2]) == {("TCP", 443)}


def test_there_is_none_unless_it_is_asked_for(chart: Chart) -> None:
    assert not {"NetworkPolicy", "NetworkPolicy-check"} & set(chart.render())
