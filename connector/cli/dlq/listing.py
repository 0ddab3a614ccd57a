"""`connector dlq list`: the letters that fit, the newest last."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.cli.dlq import options
from connector.cli.dlq.view import event_view, key_view, letter_view, time_text
from connector.cli.dlq.waiting import Waiting, waiting_of
from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, ConfigFile
from connector.cli.progress import watched
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.letters.chosen import Filters
from connector.core.letters.letter import DeadLetter, letter_of
from connector.core.letters.marks import Redriven
from connector.core.record import Record
from connector.core.redact import scrub
from connector.core.refusal import Refusal
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan

Fields = Mapping[str, object]
_EVENT = 12
"""Characters of the event's id on a line, however narrow the terminal is."""
_WIDTH = 140
"""Characters of a line that no terminal bounds."""

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest to show.")]


class Listed(NamedTuple):
    """A letter that fits, and its event where that can be decoded."""

    letter: DeadLetter
    fields: Fields | None


class Listing(NamedTuple):
    """The newest that fit, oldest first; how many fit in all; which of them were redriven already."""

    shown: list[Listed]
    matching: int
    redriven: Redriven
    waiting: int


def list_letters(
    file: ConfigFile,
    topic: options.Topic = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    limit: Limit = 50,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest last. All filters have to fit.

    Joins no group and changes nothing. Exit code 1 when the brokers cannot be asked.
    """
    settings = load_without_password(file, os.environ)
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    show_list(settings, topic or settings.kafka.topics.dead_letter, given, limit, reveal=reveal, as_json=as_json)


def show_list(
    settings: Settings,
    name: str,
    given: options.Given,
    limit: int,
    *,
    reveal: bool,
    as_json: bool,
    waiting_for: str | None = None,
) -> None:
    """The same of any topic of copies; of those that the group `waiting_for` has still to do."""
    filters = given.filters(SystemClock().now_ms())
    try:
        with Judge(settings) as judge:
            waiting = None if waiting_for is None else waiting_of(settings, waiting_for, name)
            found = search(settings, judge, name, filters, limit, waiting)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_document(name, found, reveal), indent=2, default=str))
        return
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(_table(found, reveal))
    typer.echo(
        f"{len(found.shown):,} of {found.matching:,} that fit"
        + ("; --limit shows more" if found.matching > len(found.shown) else "")
    )
    if found.waiting:
        typer.echo(f"{found.waiting:,} offsets wait for the end of an open transaction, and were not read")


def search(
    settings: Settings, judge: Judge, name: str, filters: Filters, limit: int, waiting: Waiting | None = None
) -> Listing:
    """Read the topic. Raises AdminError."""
    newest: deque[Listed] = deque(maxlen=limit)
    redriven = Redriven()
    by_partition: dict[int, deque[Listed]] = {}
    matching = 0
    with Scan(kafka_properties(settings.kafka), name, None if waiting is None else waiting.starts) as scan:
        if filters.since_ms is not None:
            scan.since(filters.since_ms)
        for partition, start in scan.starts.items():
            redriven.begin(partition, start)
        for record in watched(scan, name):
            if redriven.see(record) or (waiting is not None and not waiting.has(record)):
                continue
            listed = fitting(record, filters, judge)
            if listed is not None:
                matching += 1
                by_partition.setdefault(record.partition.number, deque(maxlen=limit)).append(listed)
    newest.extend(sorted((each for kept in by_partition.values() for each in kept), key=_age))
    shown = [each if each.fields is not None else decoded(each, judge) for each in newest]
    return Listing(shown, matching, redriven, scan.waiting)


def fitting(record: Record, filters: Filters, judge: Judge) -> Listed | None:
    """The record's letter, if it fits; decoded only where a filter asks for its event."""
    return fitting_letter(letter_of(record), filters, judge)


def fitting_letter(letter: DeadLetter, filters: Filters, judge: Judge) -> Listed | None:
    """The same of a letter that was read."""
    record = letter.record
    if not filters.take(letter):
        return None
    if not filters.need_event:
        return Listed(letter, None)
    if not (judge.maps or filters.may_take_event(record)):
        return None
    listed = decoded(Listed(letter, None), judge)
    return listed if filters.take_event(record, listed.fields) else None


def decoded(listed: Listed, judge: Judge) -> Listed:
    """The same with its event, where that can be decoded."""
    fields = judge.fields(listed.letter.first)
    return listed._replace(fields=None if isinstance(fields, Refusal) else fields)


def _age(listed: Listed) -> tuple[int, int, int]:
    record = listed.letter.record
    return listed.letter.time_ms or 0, record.partition.number, record.offset


def _table(found: Listing, reveal: bool) -> Table:
    table = Table()
    for name in ("place", "written (UTC)", "class", "phone"):
        table.add_column(name, no_wrap=True)
    table.add_column("event", overflow="fold", min_width=_EVENT)
    has_due = any(listed.letter.due_ms is not None for listed in found.shown)
    if has_due:
        table.add_column("due (UTC)", no_wrap=True)
    for listed in found.shown:
        letter = listed.letter
        record = letter.record
        event = {} if listed.fields is None else event_view(listed.fields, reveal)
        cells: Iterable[str] = (
            f"{record.partition.number}:{record.offset}" + (" redriven" if found.redriven.has(record) else ""),
            time_text(letter.time_ms),
            (letter.code if reveal else scrub(letter.code)) + (" (maybe delivered)" if letter.maybe_delivered else ""),
            str(event.get("phoneNumber", "") or key_view(record.key, reveal) or ""),
            str(event.get("eventId", "?")),
            *([time_text(letter.due_ms)] if has_due else []),
        )
        table.add_row(*map(Text, cells))
    return table


def _document(name: str, found: Listing, reveal: bool) -> Mapping[str, object]:
    letters = [
        letter_view(each.letter, each.fields, reveal) | {"redriven": found.redriven.has(each.letter.record)}
        for each in found.shown
    ]
    return {
        "topic": name,
        "matching": found.matching,
        "behind_open_transactions": found.waiting,
        "letters": letters,
    }
