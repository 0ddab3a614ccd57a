"""`connector dlq summary`: how many dead letters there are, of what, since when, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.cli.dlq.options import Since, Topic, time_ms
from connector.cli.dlq.view import event_view, service_text, time_text
from connector.cli.dlq.waiting import waiting_of
from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, ConfigFile
from connector.cli.progress import Progress
from connector.cli.today import Judge
from connector.config.client import consumer_properties, kafka_properties
from connector.config.settings import Settings
from connector.core.letters.letter import letter_of
from connector.core.letters.report import Reason, Report, report
from connector.core.letters.tally import HOUR_MS, NOT_DECODED, OTHER, Tally
from connector.core.redact import scrub
from connector.core.refusal import Refusal
from connector.edge.avro.schema_texts import ServiceIds
from connector.edge.avro.schemas import reader_schema
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.counting import Helper, count
from connector.edge.kafka.reader import read_one
from connector.edge.kafka.records import record_of
from connector.edge.kafka.scan import Scan

_BAR = 40
_ROWS = 10


def summary(file: ConfigFile, topic: Topic = None, since: Since = None, as_json: AsJson = False) -> None:
    """Count the dead letters by class, stage, vendor code, service id, age, topic of origin and producer's schema.

    Reads the topic to its end as it is now; joins no group and changes nothing. Exit code 1 when the brokers cannot be
    asked.
    """
    settings = load_without_password(file, os.environ)
    summarize(settings, topic or settings.kafka.topics.dead_letter, since, as_json)


def summarize(settings: Settings, name: str, since: str | None, as_json: bool, waiting_for: str | None = None) -> None:
    """The same of any topic of copies; of those that the group `waiting_for` has committed nothing of yet."""
    now_ms = SystemClock().now_ms()
    since_ms = time_ms(since, now_ms)
    properties = kafka_properties(settings.kafka)
    try:
        with Helper(properties, name, lambda: _tally(Judge(settings))) as helper, Judge(settings) as judge:
            tally = _tally(judge)
            starts = {} if waiting_for is None else waiting_of(settings, waiting_for, name).starts
            with Scan(properties, name, starts) as scan:
                if since_ms is not None:
                    scan.since(since_ms)
                with Progress(f"reading {name}", scan.total) as progress:
                    count(scan, tally, progress.advance, helper)
            found = report(tally, now_ms)
            examples = [_example(settings, judge, reason) for reason in found.reasons]
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_document(name, found, scan.waiting, examples), indent=2))
        return
    noun = "dead letters" if waiting_for is None else "copies behind the commits of the group"
    for text in _heading(name, found, noun, scan.waiting):
        typer.echo(text)
    console = Console()
    for title, counts in found.by.items():
        if found.letters and list(counts) != ["none"]:
            console.print(_counts(title, counts, "letters" if waiting_for is None else "copies"))
    for text in (*_histogram(found), *_reasons(found, examples)):
        typer.echo(text)


def _tally(judge: Judge) -> Tally:
    service_of = judge.service_of if judge.maps else ServiceIds(judge.texts(), reader_schema()).of
    return Tally(service_of, record_of)


def _example(settings: Settings, judge: Judge, reason: Reason) -> Mapping[str, object] | None:
    """The event of a reason's first letter, masked; None when it cannot be decoded or is gone already."""
    if reason.example is None:
        return None
    record = read_one(consumer_properties(settings.kafka), reason.example.partition, reason.example.offset)
    fields = None if record is None else judge.fields(letter_of(record).first)
    return None if fields is None or isinstance(fields, Refusal) else event_view(fields, reveal=False)


def _heading(name: str, found: Report, noun: str, waiting: int) -> Iterator[str]:
    yield f"{name}: {found.letters:,} {noun}" + (f", {found.redriven:,} redriven" if found.redriven else "")
    if waiting:
        yield f"{waiting:,} offsets wait for the end of an open transaction, and were not read"


def _counts(title: str, counts: Mapping[str, int], noun: str) -> Table:
    table = Table(title.replace("_", " "))
    table.add_column(noun, justify="right")
    shown = list(counts.items())
    for value, number in shown[:_ROWS]:
        table.add_row(_shown(title, value), f"{number:,}")
    if shown[_ROWS:]:
        table.add_row(f"{len(shown) - _ROWS} more", f"{sum(number for _, number in shown[_ROWS:]):,}")
    return table


def _shown(title: str, value: str) -> Text:
    """Never as markup: headers are whatever somebody wrote."""
    if title == "service_id" and value not in (NOT_DECODED, OTHER):
        value = service_text(value)
    return Text(scrub(value) if title in ("class", "vendor_code") else value)


def _histogram(found: Report) -> Iterator[str]:
    if not found.over_time:
        return
    highest = max(found.over_time.values())
    yield "written per hour (UTC)" if found.step_ms == HOUR_MS else "written per day (UTC)"
    for start_ms, number in found.over_time.items():
        bar = "█" * max(round(_BAR * number / highest), 1 if number else 0)
        yield f"  {time_text(start_ms)[: 13 if found.step_ms == HOUR_MS else 10]}  {bar} {number:,}"


def _reasons(found: Report, examples: list[Mapping[str, object] | None]) -> Iterator[str]:
    for reason, event in zip(found.reasons, examples, strict=True):
        yield f"\n{reason.letters:,} × {scrub(reason.code)}: {scrub(reason.text) or 'no reason'}"
        if reason.remedy:
            yield f"  remedy: {reason.remedy}"
        if reason.example is not None:
            shown = "which cannot be decoded" if event is None else _short(event)
            yield f"  such as {reason.example.partition.number}:{reason.example.offset}, {shown}"


def _short(event: Mapping[str, object]) -> str:
    return json.dumps({name: each for name, each in event.items() if name != "variables"}, ensure_ascii=False)


def _document(
    name: str, found: Report, waiting: int, examples: list[Mapping[str, object] | None]
) -> Mapping[str, object]:
    by = {
        title: {str(_shown(title, value)): number for value, number in counts.items()}
        for title, counts in found.by.items()
    }
    return {
        "topic": name,
        "letters": found.letters,
        "redriven": found.redriven,
        "behind_open_transactions": waiting,
        "by": by,
        "over_time": {"step_ms": found.step_ms, "letters": {str(at): number for at, number in found.over_time.items()}},
        "reasons": [
            {
                "class": scrub(reason.code),
                "reason": scrub(reason.text),
                "letters": reason.letters,
                "remedy": reason.remedy,
                "example": None
                if reason.example is None
                else {"partition": reason.example.partition.number, "offset": reason.example.offset, "event": event},
            }
            for reason, event in zip(found.reasons, examples, strict=True)
        ],
    }
