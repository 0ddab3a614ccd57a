"""`connector dlq show`: one letter in full, and what would become of it today."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.cli.dlq import options
from connector.cli.dlq.view import header_rows, letter_view, time_text
from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, ConfigFile
from connector.cli.preview import masked_body, refusal_text, request_text
from connector.cli.today import Judge, Today
from connector.config.client import consumer_properties
from connector.config.settings import Settings
from connector.core.letters.letter import DeadLetter, letter_of
from connector.core.letters.marks import runs_of
from connector.core.letters.remedies import remedy_of
from connector.core.record import Partition
from connector.core.trace import trace_of
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.reader import read_one

_PLACE = re.compile(r"(?P<partition>[0-9]{1,9}):(?P<offset>[0-9]{1,18})")

Place = Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `list` prints it.")]


def show(
    place: Place,
    file: ConfigFile,
    topic: options.Topic = None,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show one letter: its headers, the event, and the request that would be posted today or why it would be refused.

    Joins no group, posts nothing and changes nothing. Exit code 1 when there is no such letter or the brokers cannot be
    asked.
    """
    settings = load_without_password(file, os.environ)
    name = topic or settings.kafka.topics.dead_letter
    letter = _read(settings, name, place)
    with Judge(settings) as judge:
        today = judge.today(letter)
    if as_json:
        typer.echo(json.dumps(_document(letter, today, reveal), indent=2, default=str))
        return
    Console().print(_table(letter, today, reveal))
    remedy = remedy_of(letter.code, letter.reason or "")
    if remedy:
        typer.echo(f"remedy: {remedy}")
    typer.echo("\nposted today, it would be" if today.request else "\ntoday it would not be posted:")
    if today.request is not None:
        typer.echo(request_text(today.request, settings, trace_of(letter.original), reveal=reveal))
    elif today.refusal is not None:
        typer.echo(refusal_text(today.refusal))


class At(NamedTuple):
    """Where a letter lies."""

    partition: Partition
    offset: int


def place_of(topic: str, text: str) -> At:
    """A place as `list` prints it. Raises typer.BadParameter."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text} is not PARTITION:OFFSET, such as 0:42")
    return At(Partition(topic, int(found["partition"])), int(found["offset"]))


def _read(settings: Settings, name: str, place: str) -> DeadLetter:
    partition, offset = place_of(name, place)
    try:
        record = read_one(consumer_properties(settings.kafka), partition, offset)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if record is None or record.offset != offset:
        typer.echo(f"{partition} has no record at offset {offset}", err=True)
        raise typer.Exit(1)
    if runs_of(record) is not None:
        typer.echo(f"{partition} has at offset {offset} no letter, but a mark of what was redriven", err=True)
        raise typer.Exit(1)
    return letter_of(record)


def _table(letter: DeadLetter, today: Today, reveal: bool) -> Table:
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    view = letter_view(letter, today.fields, reveal)
    record = letter.record
    rows = [
        ("place", f"{record.partition} offset {record.offset}"),
        ("written (UTC)", time_text(letter.time_ms)),
        ("written by", letter.written_by),
        ("class", str(view["class"])),
        ("origin", "?" if letter.origin is None else f"{letter.origin.partition} offset {letter.origin.offset}"),
        ("redriven before", str(letter.redrives)),
        ("key", str(view["key"])),
        *(("event" if number == 0 else "", line) for number, line in enumerate(_event_lines(view["event"]))),
        *header_rows(letter, today.fields, reveal),
    ]
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _event_lines(event: object) -> list[str]:
    if not isinstance(event, dict):
        return ["cannot be decoded"]
    return [f"{name}: {json.dumps(value, ensure_ascii=False, default=str)}" for name, value in event.items()]


def _document(letter: DeadLetter, today: Today, reveal: bool) -> Mapping[str, object]:
    request = today.request
    return letter_view(letter, today.fields, reveal) | {
        "headers": [[name, value] for name, value in header_rows(letter, today.fields, reveal)],
        "remedy": remedy_of(letter.code, letter.reason or ""),
        "today": {
            "request": None
            if request is None
            else {
                "service_id": request.service_id,
                "body": orjson.loads(request.body if reveal else masked_body(request.body)),
            },
            "refusal": None
            if today.refusal is None
            else {
                "stage": today.refusal.stage.value,
                "class": today.refusal.code,
                "problems": list(map(str, today.refusal.problems)),
            },
        },
    }
