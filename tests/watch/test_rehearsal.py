"""The rehearsal's protocol is there, and what it would run is in the runbooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.rehearsal.incidents import INCIDENTS, Incident
from tests.rehearsal.runbook import Runbook, has_a_gap
from tests.rehearsal.watch import RULES, shortened

PROTOCOL = Path(__file__).parents[2] / "docs/rehearsal.md"
RUNBOOKS = PROTOCOL.with_name("runbooks")


def test_each_wait_and_each_range_is_a_thirtieth_as_long_and_nothing_else_changes() -> None:
    text = "for: 5m\nexpr: increase(a_total[1h] offset 1d) + deriv((b)[15m:1m])\nfor: 1m"
    assert shortened(text, 30) == "for: 10s\nexpr: increase(a_total[120s] offset 1d) + deriv((b)[30s:2s])\nfor: 2s"
    groups = yaml.safe_load(shortened(RULES.read_text(), 30))["groups"]
    assert [group["name"] for group in groups] == [
        group["name"] for group in yaml.safe_load(RULES.read_text())["groups"]
    ]


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: str(incident.title))
def test_an_incidents_commands_are_in_its_runbook_and_the_protocol_tells_of_it(incident: Incident) -> None:
    """An incident that nobody is woken for has no runbook, and runs nothing."""
    commands = Runbook.of(incident.alert).commands("Mitigation") if incident.alert else []
    assert set(incident.do) <= set(commands)
    assert not any(map(has_a_gap, incident.do))
    page = f"[{incident.alert}](runbooks/{incident.alert}.md)" if incident.alert else "none"
    assert f"| {incident.title} | {page} |" in PROTOCOL.read_text()


def test_every_link_from_a_runbook_to_the_protocol_meets_its_heading() -> None:
    headings = re.findall(r"^## (.+)$", PROTOCOL.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = {
        anchor for page in RUNBOOKS.glob("*.md") for anchor in re.findall(r"rehearsal\.md#([\w-]+)", page.read_text())
    }
    assert linked == anchors
