"""The dashboards that the chart ships are those of the code, and ask for what the connector has."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from connector.observe.definition import PREFIX, Kind
from connector.observe.table import TABLE
from dashboards.__main__ import ALL, FOLDER, written
from dashboards.promql import now, share_below, total
from dashboards.runbooks import TITLES

ROOT = Path(__file__).parents[2]
DASHBOARDS: dict[str, dict[str, Any]] = {name: json.loads((FOLDER / name).read_text()) for name in ALL}
PANELS: dict[str, dict[str, Any]] = {
    f"{name}: {panel['title']}": panel
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
}
QUERIES = [
    *(target["expr"] for panel in PANELS.values() for target in panel["targets"]),
    *(each["expr"] for dashboard in DASHBOARDS.values() for each in dashboard["annotations"]["list"]),
]
BUILT_IN = {"__all", "__rate_interval", "__range"}


@pytest.mark.parametrize("name", ALL)
def test_the_file_is_the_one_that_the_code_makes(name: str) -> None:
    """Renew it with `make dashboards`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == written(ALL[name]())


@pytest.mark.parametrize("name", ALL)
def test_grafanas_own_model_reads_it_and_loses_nothing(name: str) -> None:
    read = Dashboard.from_json(DASHBOARDS[name])
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == DASHBOARDS[name]


def test_every_metric_is_drawn_and_nothing_else() -> None:
    """A metric that nobody would look at is not worth its series, and a panel without its metric shows nothing."""
    asked = {name for query in QUERIES for name in re.findall(rf"{PREFIX}\w+", query)}
    kinds = {Kind.HISTOGRAM: ("_bucket",)}
    has = {row.exported_name + end for row in TABLE for end in kinds.get(row.kind, ("",))}
    assert asked - {f"{PREFIX}end_to_end_seconds_count"} == has


def test_a_query_for_what_the_connector_does_not_have_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        now("records_lost")
    with pytest.raises(ValueError, match="answers has no label service"):
        total("answers", "service")
    with pytest.raises(ValueError, match="answers has no label kind"):
        now("answers", 'kind!="x"')
    with pytest.raises(AssertionError):
        share_below("end_to_end_seconds", 31.0)


@pytest.mark.parametrize("query", sorted(set(QUERIES)))
def test_every_query_can_be_parsed(query: str) -> None:
    promql_parser.parse(re.sub(r"\$__\w+", "5m", query))


@pytest.mark.parametrize("name", ALL)
def test_every_variable_that_is_used_is_there(name: str) -> None:
    """And chooses among what a metric of ours has, or everything."""
    variables = {each["name"]: each for each in DASHBOARDS[name]["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", (FOLDER / name).read_text())) - BUILT_IN
    assert used <= variables.keys()
    assert list(variables) == ["datasource", "cluster", "namespace", "release", "topic", "service", "runbooks"]
    for each in variables.values():
        if each["type"] == "query":
            assert re.match(rf"label_values\({PREFIX}(build_info|lag|service_answers_total){{", each["query"])
            assert each["allValue"] == ".*"


def test_the_dashboards_are_told_apart_and_lead_to_each_other() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        assert dashboard["tags"] == ["invoke-connector"]
        assert [link["type"] for link in dashboard["links"]] == ["dashboards", "link"]
        assert [each["name"] for each in dashboard["annotations"]["list"]] == ["Holds", "Rebalances", "Deploys"]


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Title, sentence, unit, and a name for each line."""
    assert panel["title"]
    assert panel["description"].endswith((".", "?"))
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["type"] == "state-timeline" or panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] != "stat":
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("name", ALL)
def test_titles_and_numbers_are_unique_and_no_panel_lies_on_another(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]
    for key in ("title", "id"):
        assert [value for value, times in Counter(panel[key] for panel in panels).items() if times > 1] == []
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        side_by_side = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert side_by_side or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_panels_lead_to_runbooks_that_exist() -> None:
    """And every panel that the code names for one is there."""
    linked = {link["url"] for panel in PANELS.values() for link in panel.get("links", ())}
    linked |= {
        link["url"] for dashboard in DASHBOARDS.values() for link in dashboard["links"] if link["type"] == "link"
    }
    pages = {url.removeprefix("${runbooks}/") for url in linked}
    assert pages <= {path.name for path in (ROOT / "docs" / "runbooks").iterdir()}
    assert {panel["title"] for panel in PANELS.values()} >= TITLES
