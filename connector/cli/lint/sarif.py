"""A report as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from connector import __version__
from connector.cli.lint.report import Source
from connector.core.lint.findings import Finding, Place, Report, Severity

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.REFUSED: "error", Severity.SUSPECT: "warning"}

Json = dict[str, object]


def sarif(source: Source, report: Report) -> Mapping[str, object]:
    """One run with a rule for each class that was found, and a result for each finding: its count, and where it is."""
    rules: dict[str, list[Finding]] = {}
    for each in report.findings:
        rules.setdefault(each.rule, []).append(each)
    places = {name: number for number, name in enumerate(rules)}
    driver = {
        "name": "connector lint",
        "semanticVersion": __version__,
        "rules": [_rule(each) for each in rules.values()],
    }
    results = [_result(source, each, places[each.rule]) for each in report.findings]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}],
    }


def _rule(findings: Sequence[Finding]) -> Json:
    """A class of a mapping has a remedy for each function: the help of its rule has all that were found."""
    first = findings[0]
    return {
        "id": first.rule,
        "shortDescription": {"text": first.rule.replace("_", " ")},
        "help": {"text": "; or ".join(dict.fromkeys(each.remedy for each in findings))},
        "defaultConfiguration": {"level": _LEVELS[first.severity]},
    }


def _result(source: Source, finding: Finding, rule: int) -> Json:
    result: Json = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.field}: {finding.text}; {finding.remedy}"},
        "occurrenceCount": max(finding.events, 1),
        "locations": [_location(source, each) for each in finding.places[:1]],
    }
    if finding.places[1:]:
        result["relatedLocations"] = [_location(source, each) for each in finding.places[1:]]
    return result


def _location(source: Source, place: Place) -> Json:
    if place.partition is None:
        artifact = {"uri": quote(Path(source.name).as_posix())}
        return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": place.number}}}
    return {"logicalLocations": [{"fullyQualifiedName": f"{source.name}/{place}", "kind": "resource"}]}
