"""What Prometheus and Grafana get."""

from __future__ import annotations

import json
import re

import yaml

from tests.deploy.conftest import CHART, OPERATORS, Chart, workload

RULES = CHART / "files" / "alerts.yaml"
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
KINDS = ("PodMonitor", "ServiceMonitor", "PrometheusRule")


def _dashboards(resources: object) -> set[str]:
    assert isinstance(resources, dict)
    return {kind for kind, one in resources.items() if "grafana_dashboard" in one["metadata"].get("labels", {})}


def test_a_cluster_without_the_kinds_gets_none_of_them(chart: Chart) -> None:
    resources = chart.render()
    assert not set(KINDS) & set(resources)
    assert not _dashboards(resources)


def test_a_cluster_with_the_operator_gets_them_without_asking(chart: Chart) -> None:
    """The monitor, the rules and the dashboards, each unless the values say no."""
    resources = chart.render(apis=OPERATORS)
    assert "PodMonitor" in resources
    assert ("PrometheusRule" in resources) == RULES.exists()
    assert len(_dashboards(resources)) == len(DASHBOARDS)
    refused = chart.render(base="no-crds", apis=OPERATORS)
    assert not set(KINDS) & set(refused)
    assert not _dashboards(refused)


def test_a_shadow_is_scraped_and_has_the_rules(chart: Chart) -> None:
    """They ask for names that it does not have. But a release that delivered, and is made a shadow by mistake, would
    take the alert along that says it is missing."""
    config = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "a.shadow"}, "pace": {"rate": 1}}
    resources = chart.render({"config": config}, apis=OPERATORS)
    assert "PodMonitor" in resources
    assert "PrometheusRule" in resources
    assert not _dashboards(resources)


def test_a_podmonitor_finds_the_pods_by_their_labels(chart: Chart) -> None:
    resources = chart.render(base="production", apis=OPERATORS)
    monitor = resources["PodMonitor"]
    labels = workload(resources)["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("admin", "/metrics", "30s")
    assert endpoint["relabelings"] == [{"targetLabel": "cluster", "replacement": "production"}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_a_servicemonitor_finds_the_pods_through_their_service(chart: Chart) -> None:
    """In place of the PodMonitor; pods that are not ready are scraped too."""
    resources = chart.render(base="static-members", apis=OPERATORS)
    assert "PodMonitor" not in resources
    service, monitor = resources["Service"], resources["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= workload(resources)["template"]["metadata"]["labels"].items()
    assert service["spec"]["publishNotReadyAddresses"] is True
    (endpoint,) = monitor["endpoints"]
    assert endpoint["scrapeTimeout"] == "10s"
    assert (len(endpoint["relabelings"]), len(endpoint["metricRelabelings"])) == (1, 1)


def test_the_rules_are_the_file_that_a_plain_prometheus_reads(chart: Chart) -> None:
    if RULES.exists():
        rendered = chart.render(base="production", apis=OPERATORS)["PrometheusRule"]
        assert rendered["spec"] == yaml.safe_load(RULES.read_text("utf-8"))
        assert rendered["metadata"]["labels"]["release"] == "prometheus"


def test_the_dashboards_are_the_files_byte_for_byte(chart: Chart) -> None:
    """With the label and the annotation that Grafana's sidecar looks for."""
    resources = chart.render(base="production", apis=OPERATORS)
    found = {}
    for kind in _dashboards(resources):
        found.update(resources[kind]["data"])
        assert resources[kind]["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert resources[kind]["metadata"]["annotations"]["grafana_folder"] == "Messaging"
    assert found == {path.name: path.read_text("utf-8") for path in DASHBOARDS}
    assert all(json.loads(text) for text in found.values())


def test_alerts_and_dashboards_lead_to_the_runbooks_that_the_connectors_page_leads_to(chart: Chart) -> None:
    """One address for all three."""
    address = "https://wiki.example.com/invoke"
    resources = chart.render({"config": {"admin": {"runbooks_url": f"{address}/"}}}, apis=OPERATORS)
    links = re.findall(r"https://[^\s\"']+", json.dumps(resources["PrometheusRule"]))
    assert links
    assert all(link.startswith(f"{address}/InvokeConnector") for link in links)
    for kind in _dashboards(resources):
        (text,) = resources[kind]["data"].values()
        assert address in text
        assert "runbooks.invalid" not in text
