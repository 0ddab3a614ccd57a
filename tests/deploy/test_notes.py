"""What is printed after an install: what must not be overlooked, what is on, what is off, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.deploy.conftest import OPERATORS, Chart

NOTES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {notes: {{ include "invoke-connector.notes" . | toJson }}}
"""
"""An extra object with the notes in it: `helm template` does not show them, and `helm install` without a cluster knows
none of its kinds."""


def _notes(chart: Chart, values: dict[str, Any] | None = None, base: str = "minimal", apis: Sequence[str] = ()) -> str:
    rendered = chart.render({**(values or {}), "extraObjects": [NOTES]}, base, apis=apis)
    text: str = rendered["ConfigMapnotes"]["data"]["notes"]
    return text


def _part(notes: str, name: str) -> str:
    (line,) = (line for line in notes.splitlines() if line.startswith(f"  {name} "))
    return line.removeprefix(f"  {name} ").strip()


def test_the_notes_are_what_helm_prints(chart: Chart) -> None:
    done = chart.run("install", "release", "--dry-run=client")
    if "cluster unreachable" in done.stderr:
        pytest.skip("Helm 3 asks a cluster for its version")
    assert done.stdout.partition("NOTES:\n")[2].strip() == _notes(chart).strip()


def test_the_notes_say_what_an_operator_must_not_overlook(chart: Chart) -> None:
    """The vendor's test environment, a pause, a pod that is less restricted; each only when it is so."""
    quiet = _notes(chart, base="hpa")
    assert "rollout status deployment/" in quiet
    assert not any(word in quiet for word in ("WARNING", "PAUSED"))
    relaxed = {"podSecurityContext": {"runAsNonRoot": False}, "securityContext": {"readOnlyRootFilesystem": False}}
    loud = _notes(chart, {"paused": ["*"], **relaxed})
    assert "nobody is reached" in loud
    assert "PAUSED: nothing is posted of *" in loud
    assert "podSecurityContext.runAsNonRoot" in loud
    assert "securityContext.readOnlyRootFilesystem" in loud
    assert "rollout status statefulset/" in _notes(chart, base="static-members")


def test_the_notes_say_loudly_that_a_shadow_delivers_nothing(chart: Chart) -> None:
    config = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "a.shadow"}, "pace": {"rate": 1}}
    notes = _notes(chart, {"config": config}, apis=OPERATORS)
    assert notes.strip().startswith("SHADOW: this release delivers nothing, and nobody is reached.")
    assert _part(notes, "alerts").endswith("of a shadow, whose metrics have names of their own, they are silent")
    assert "The topics for retries" not in notes
    assert "SHADOW" not in _notes(chart)


@pytest.mark.parametrize("name", ["podSecurityContext", "securityContext"])
def test_a_security_context_that_was_taken_away_is_told(chart: Chart, name: str) -> None:
    """Null takes it away, as a cluster may want that sets its own."""
    assert f"WARNING: the pods are less restricted than the chart's default: {name}." in _notes(chart, {name: None})


def test_files_that_nobody_seems_to_bring_are_named_and_not_shown(chart: Chart) -> None:
    """A typo would keep each pod from starting; the image's own authorities are there."""
    settings = {"password_file": "/etc/conector/password", "tls": {"ca_file": "/etc/ssl/certs/ca-certificates.crt"}}
    notes = _notes(chart, {"config": {"openmarket": settings}})
    assert "has the files of config.openmarket.password_file." in notes
    assert "conector" not in notes
    assert "has the files" not in _notes(chart)


def test_what_is_on_and_what_is_off_is_said(chart: Chart) -> None:
    """For what is off, what to do instead."""
    there, bare = _notes(chart, apis=OPERATORS), _notes(chart)
    assert _part(there, "metrics").startswith("scraped by a PodMonitor, without labels: podMonitor.labels, if")
    assert _part(there, "alerts").startswith("in a PrometheusRule, without labels: prometheusRule.labels")
    assert _part(there, "dashboards") == "in ConfigMaps for Grafana's sidecar"
    nowhere = "OFF (there is no Prometheus operator in this cluster): "
    assert _part(bare, "metrics") == f"{nowhere}scrape port 9464 of the pods yourself"
    assert _part(bare, "alerts") == f"{nowhere}load files/alerts.yaml of the chart, or nobody is woken"
    off = {"enabled": False}
    refused = _notes(chart, {"prometheusRule": off, "podDisruptionBudget": off, "checks": {"beforeUpgrade": False}})
    assert _part(refused, "alerts").startswith("OFF: load")
    assert _part(refused, "evictions").startswith("without a budget")
    assert _part(refused, "upgrades").startswith("NOT CHECKED")
    produced = _notes(chart, base="production", apis=OPERATORS)
    assert _part(produced, "metrics") == "scraped by a PodMonitor"
    assert _part(produced, "network policy") == "out to DNS and ports 9093, 443, in to metrics"
    assert _part(bare, "network policy").startswith("off")


def test_what_decides_the_number_of_pods_is_said(chart: Chart) -> None:
    assert _part(_notes(chart), "pods") == "2"
    assert _part(_notes(chart, {"replicas": 1}), "pods").startswith("1: when a node is drained nobody posts")
    assert _part(_notes(chart, base="keda"), "pods").startswith("2 to 12, by KEDA (2.17 or newer)")
    assert _part(_notes(chart, base="hpa"), "pods") == "2 to 8, by a HorizontalPodAutoscaler"


def test_links_that_lead_nowhere_are_told(chart: Chart) -> None:
    """`runbooks.invalid` is in each alert until the settings name the place."""
    assert _part(_notes(chart), "runbooks").startswith("NOT LINKED: the alerts point to runbooks.invalid until")
    place = "https://git.example.com/runbooks"
    assert _part(_notes(chart, {"config": {"admin": {"runbooks_url": place}}}), "runbooks") == f"at {place}"
