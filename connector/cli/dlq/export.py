"""`connector dlq export`: letters into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.dlq import options
from connector.cli.dlq.listing import fitting
from connector.cli.dlq.view import letter_view
from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.cli.progress import watched
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.core.letters.chosen import Filters
from connector.core.letters.letter import DeadLetter
from connector.core.letters.marks import runs_of
from connector.core.refusal import Refusal
from connector.edge.avro.letter_files import write_avro, write_json, write_masked
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan


class Format(StrEnum):
    """Of the file."""

    JSON = "jsonl"
    AVRO = "avro"


def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="To write; it must not be there yet.")],
    file: ConfigFile,
    format_: Annotated[Format, typer.Option("--format", help="JSON lines, or an Avro container file.")] = Format.JSON,
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
    reveal: options.Reveal = False,
) -> None:
    """Write letters into a file: with --reveal every byte of each, else what `list` shows of them.

    A file of Avro always holds every byte, and asks for --reveal. Exit code 1 when the brokers cannot be asked or the
    file cannot be written; then there is no file.
    """
    if format_ is Format.AVRO and not reveal:
        raise typer.BadParameter("an Avro file holds phone numbers and values: say --reveal")
    if path.exists():
        raise typer.BadParameter(f"{path} is there already: name another file")
    settings = load_without_password(file, os.environ)
    name = topic or settings.kafka.topics.dead_letter
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    filters = given.filters(SystemClock().now_ms())
    part = path.with_name(f"{path.name}.part")
    try:
        with Judge(settings) as judge, Scan(kafka_properties(settings.kafka), name) as scan:
            letters = _letters(scan, name, filters, judge)
            with open(part, "wb", opener=_for_us_alone) as out:
                if format_ is Format.AVRO:
                    count = write_avro(out, letters)
                else:
                    write = write_json if reveal else write_masked
                    count = write(out, letters, lambda letter: _view(letter, judge, reveal))
                out.flush()
                os.fsync(out.fileno())
            waiting = scan.waiting
        part.rename(path)
    except (AdminError, OSError) as error:
        part.unlink(missing_ok=True)
        why = f"the brokers answer {error}" if isinstance(error, AdminError) else f"{path}: {error.strerror}"
        typer.echo(why, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"wrote {count:,} letters of {name} to {path}")
    if waiting:
        typer.echo(f"{waiting:,} offsets wait for the end of an open transaction, and were not read")


def _letters(scan: Scan, name: str, filters: Filters, judge: Judge) -> Iterator[DeadLetter]:
    if filters.since_ms is not None:
        scan.since(filters.since_ms)
    for record in watched(scan, name):
        if runs_of(record) is None and (listed := fitting(record, filters, judge)) is not None:
            yield listed.letter


def _view(letter: DeadLetter, judge: Judge, reveal: bool) -> dict[str, object]:
    fields = judge.fields(letter.first)
    return letter_view(letter, None if isinstance(fields, Refusal) else fields, reveal)


def _for_us_alone(path: str, flags: int) -> int:
    """People's phone numbers: nobody else may read them."""
    return os.open(path, flags, 0o600)
