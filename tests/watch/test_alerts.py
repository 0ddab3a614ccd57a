"""The alerts: each fires and keeps quiet when it should, asks for what there is, and has its runbook."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer
import yaml
from typer.core import TyperGroup

from connector.cli.main import app
from connector.core.codes import DEFAULT_TABLE
from connector.core.destination import OWN_CODES
from connector.core.event import EVENT_CODES
from connector.core.mapping.errors import MAPPING_CODES
from connector.core.request import REMEDIES
from connector.edge.avro.decoder import DECODE_CODES
from connector.edge.kafka.verdicts import NO_TOKEN
from connector.observe.definition import PREFIX, Definition, Kind
from connector.observe.table import TABLE
from tests.support.jars import UnavailableError
from tests.support.prometheus import program

ROOT = Path(__file__).parents[2]
FILE = ROOT / "helm/invoke-connector/files/alerts.yaml"
DASHBOARDS = sorted((ROOT / "helm/invoke-connector/files/dashboards").glob("*.json"))
STORIES = sorted(Path(__file__).parent.glob("*.test.yaml"))
RUNBOOKS = ROOT / "docs/runbooks"
GROUPS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}

OF_TARGETS = {"namespace", "job", "instance"}
"""Labels that Prometheus gives to every series of a target."""

OTHERS = {"up": OF_TARGETS}
"""Series that are not ours."""

ASKED_NOWHERE: dict[str, str] = {}
"""Metrics that neither a rule nor a dashboard asks for, and why there is none."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Without it the tests are skipped, but fail in CI."""
    try:
        return program("promtool")
    except UnavailableError as why:
        if os.environ.get("CI"):
            pytest.fail(str(why))
        pytest.skip(str(why))


@pytest.mark.timeout(300)  # it takes seconds, and whatever shares the machine
@pytest.mark.parametrize("file", STORIES, ids=lambda file: str(file.name))
def test_prometheus_reads_the_rules_and_each_story_ends_as_told(promtool: Path, file: Path) -> None:
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_story_in_which_it_fires_and_one_in_which_it_keeps_quiet() -> None:
    fires, quiet = set[str](), set[str]()
    for story in (story for file in STORIES for story in yaml.safe_load(file.read_text())["tests"]):
        for test in story["alert_rule_test"]:
            (fires if test["exp_alerts"] else quiet).add(test["alertname"])
            assert story["input_series"], story["name"]
    assert fires == quiet == ALERTS.keys()


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_its_runbook_is(rule: dict[str, Any]) -> None:
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert "$labels.job" in rule["annotations"]["description"]
    assert not rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"https://runbooks.invalid/invoke-connector/{rule['alert']}.md"


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == ALERTS.keys() | {"README"}


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_what_it_means_and_how_the_night_ends(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    rule = ALERTS[name]
    parts = ["Meaning", "Impact", "Diagnosis", "Mitigation", "How to know it is over"]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == parts
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE))
    assert text.startswith(f"# {name}\n\n{rule['annotations']['summary']}. Severity: {rule['labels']['severity']}")
    assert f"]({name}.md)" in (RUNBOOKS / "README.md").read_text()


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: str(page.stem))
def test_every_link_of_a_runbook_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: str(page.stem))
def test_every_query_of_a_runbook_can_be_parsed_and_asks_for_what_there_is(page: Path) -> None:
    for block in re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.splitlines():
            if PREFIX in line or "invoke_connector:" in line:
                _look_at(line)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.get("alert") or rule["record"]))
def test_every_metric_and_label_of_a_rule_exists(rule: dict[str, Any]) -> None:
    """A rule that names another finds nothing, and nobody notices."""
    _look_at(rule["expr"])


def test_every_metric_is_asked_for_by_a_rule_or_a_dashboard_or_it_is_said_why_not() -> None:
    asked = "".join(rule["expr"] for rule in RULES) + "".join(file.read_text() for file in DASHBOARDS)
    names = set(re.findall(rf"{PREFIX}\w+", asked))
    unasked = {row.name for row in TABLE if not any(name.startswith(row.exported_name) for name in names)}
    assert unasked == ASKED_NOWHERE.keys()


def _look_at(query: str) -> None:
    promql_parser.parse(query)
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", query):
        row, known = _row(name)
        for label, value in re.findall(r'(\w+) *(?:=~|!=|!~|=) *"([^"]*)"', matchers):
            assert label in known, f"{name} has no label {label}"
            _look_at_value(row, label, value)
    for name in re.findall(rf"(?:{PREFIX}|invoke_connector:)[\w:]+", query):
        _row(name)
    known = OF_TARGETS | {"le"} | {label.name for row in TABLE for label in row.labels}
    for labels in re.findall(r"(?:by|on|without) *\(([^)]*)\)", query):
        assert {label.strip() for label in labels.split(",")} <= known


def _row(name: str) -> tuple[Definition | None, set[str]]:
    if name in RECORDED:
        return None, {"namespace", "job"}
    if name in OTHERS:
        return None, OTHERS[name]
    ends = {row.exported_name: row for row in TABLE if row.kind is not Kind.HISTOGRAM}
    for row in TABLE:
        if row.kind is Kind.HISTOGRAM:
            ends |= {f"{row.exported_name}{end}": row for end in ("_bucket", "_count", "_sum")}
    assert name in ends, f"there is no metric {name}"
    row = ends[name]
    buckets = {"le"} if name.endswith("_bucket") else set()
    return row, OF_TARGETS | buckets | {label.name for label in row.labels}


def _look_at_value(row: Definition | None, label: str, value: str) -> None:
    """The value is one that the label can have; edges are written as the connector writes them."""
    if row is None:
        return
    if label == "le":
        assert value in {str(edge) for edge in row.edges}
        return
    (found,) = (each for each in row.labels if each.name == label)
    if found.values is None or found.values == ("other",) or label == "code":
        return
    assert set(value.split("|")) <= set(found.values)


def test_a_class_that_a_rule_names_is_one_that_a_record_or_an_answer_can_have() -> None:
    refusals = {*DECODE_CODES, *EVENT_CODES, *MAPPING_CODES, *REMEDIES, *OWN_CODES}
    classes = refusals | {row.code for row in DEFAULT_TABLE.rows()}
    named = {
        code for rule in RULES for value in re.findall(r'code=~?"([^"]+)"', rule["expr"]) for code in value.split("|")
    }
    assert named <= classes | {NO_TOKEN.name}


def test_each_class_of_what_cannot_be_read_or_mapped_has_the_alert_of_it() -> None:
    """But for null values, which a producer writes on purpose."""
    (named,) = re.findall(r'code=~"([^"]+)"', ALERTS["InvokeConnectorDecodeFailures"]["expr"])
    assert {*DECODE_CODES, *MAPPING_CODES} - {"tombstone"} <= set(named.split("|"))


COMMANDS = sorted(
    {
        line.strip()
        for page in RUNBOOKS.glob("*.md")
        for block in re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
        if line.startswith("connector ")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_runbook_exists_with_its_options(command: str) -> None:
    words = shlex.split(command.split(">")[0])[1:]
    found: Any = typer.main.get_command(app)
    context: Any = None
    while isinstance(found, TyperGroup) and words and not words[0].startswith("-"):
        found = found.get_command(context, words.pop(0))
        assert found is not None, command
    options = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= options


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 15
