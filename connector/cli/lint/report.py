"""A report as text for people, and as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from connector.core.lint.findings import Finding, Place, Report, Severity

_NAMES_SHOWN = 5


class Source(NamedTuple):
    """What was read: a topic, or a file. `look` says the command that shows the record at a place."""

    name: str
    is_file: bool
    look: Callable[[Place], str] | None = None


def lines(source: Source, report: Report) -> Iterator[str]:
    """The report for a person, line by line."""
    noun = "events" if source.is_file else "records"
    passed_over = f", {report.passed_over:,} passed over" if report.passed_over else ""
    yield f"{source.name}: {report.records:,} {noun}, {report.refused:,} of them would be refused{passed_over}"
    for severity, heading in ((Severity.REFUSED, "refused"), (Severity.SUSPECT, "posted, and looks wrong")):
        findings = list(report.of(severity))
        if findings:
            yield f"\n{heading}"
        for finding in findings:
            yield from _finding(finding, source)
    place = next((each.places[0] for each in report.findings if each.places), None)
    if source.look is not None and place is not None:
        yield f"\nto see the first of them: {source.look(place)}"


def document(source: Source, report: Report) -> Mapping[str, object]:
    """The report for a program."""
    return {
        "file" if source.is_file else "topic": source.name,
        "records": report.records,
        "refused": report.refused,
        "passed_over": report.passed_over,
        "findings": [
            {
                "severity": each.severity.value,
                "rule": each.rule,
                "field": each.field,
                "events": each.events,
                "text": each.text,
                "remedy": each.remedy,
                "places": list(map(str, each.places)),
                "example": each.example,
                "producers": each.producers,
                "schemas": each.schemas,
            }
            for each in report.findings
        ],
    }


def events(count: int) -> str:
    """So many events, in words."""
    return f"{count:,} event{'' if count == 1 else 's'}"


def _finding(finding: Finding, source: Source) -> Iterator[str]:
    yield f"{finding.events:>9,} × {finding.rule} in {finding.field}: {finding.text}"
    yield f"            remedy: {finding.remedy}"
    for title, counts in (("producers", finding.producers), ("schemas", finding.schemas)):
        if counts and not source.is_file:
            yield f"            {title}: {_counted(counts)}"
    if finding.places:
        event = "" if finding.example is None else f", {_short(finding.example)}"
        yield f"            such as {finding.places[0]}{event}"


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:_NAMES_SHOWN]]
    left = len(counts) - len(shown)
    return ", ".join(shown) + (f", and {left} more" if left else "")


def _short(event: Mapping[str, object]) -> str:
    return json.dumps({name: each for name, each in event.items() if name != "variables"}, ensure_ascii=False)
