"""The network policy lets through what the settings name, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.deploy.conftest import OPERATORS, Chart, workload


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


def test_the_token_endpoint_is_reached_too(chart: Chart) -> None:
    resources = chart.render({"networkPolicy": {"enabled": True}}, "auth-oauth", apis=OPERATORS)
    assert _ports(resources["NetworkPolicy"]["spec"]["egress"][2]) == {("TCP", 443)}


def test_ingress_is_the_metrics_from_whom_the_values_name(chart: Chart) -> None:
    (rule,) = _policy(chart, "production")["ingress"]
    assert _ports(rule) == {("TCP", 9500)}
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


def test_the_pods_and_the_checks_are_under_it(chart: Chart) -> None:
    """Where everything else is denied, the check before an upgrade and `helm test` must get out too."""
    resources = chart.render(base="production", apis=OPERATORS)
    selector = resources["NetworkPolicy"]["spec"]["podSelector"]
    (names,) = selector["matchExpressions"]
    for metadata in (
        workload(resources)["template"]["metadata"],
        resources["Job-check"]["spec"]["template"]["metadata"],
        resources["Pod-test"]["metadata"],
    ):
        assert selector["matchLabels"].items() <= metadata["labels"].items()
        assert metadata["labels"][names["key"]] in names["values"]


def test_there_is_none_unless_it_is_asked_for(chart: Chart) -> None:
    assert "NetworkPolicy" not in chart.render()
