"""`connector render`: the exact request that an event would become, or why it would be refused. Posts nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from connector.cli.event_files import lines, opened
from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.cli.preview import built, refusal_text, request_text
from connector.config.client import consumer_properties
from connector.config.settings import Settings
from connector.core.mapping.errors import NotOurs
from connector.core.record import Partition, Record
from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.core.trace import TraceContext, trace_of
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.reader import read_one
from connector.runtime import parts, policies


class _Found(NamedTuple):
    """Something to render, and where it comes from."""

    place: str
    fields: Mapping[str, object] | Refusal
    trace: TraceContext | None = None


def render(
    config: ConfigFile,
    events: Annotated[
        Path | None, typer.Argument(metavar="EVENTS", help="JSON lines, one event each; standard input by default.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Read one record of this topic instead.")] = None,
    partition: Annotated[int, typer.Option(min=0, help="The record's partition.")] = 0,
    offset: Annotated[int | None, typer.Option(min=0, help="The record's offset.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show phone numbers and values. The credential stays masked.")
    ] = False,
) -> None:
    """Print the exact request that each event would become: method, URL, headers and body; or the refusal.

    Nothing is posted, no group is joined, and the vendor's password is not needed. Exit code 1 when an event is
    refused or the record cannot be read.
    """
    settings = load_without_password(config, os.environ)
    if topic is None:
        found = _from_lines(events)
    elif offset is None or events is not None:
        raise typer.BadParameter("--topic needs --offset, and no file of events")
    else:
        found = iter([_from_topic(settings, Partition(topic, partition), offset)])
    if not _print_all(found, settings, reveal):
        raise typer.Exit(1)


def _print_all(found: Iterator[_Found], settings: Settings, reveal: bool) -> bool:
    """Whether none was refused."""
    rules = policies.request_rules(settings.openmarket)
    all_built = True
    for place, fields, trace in found:
        result = fields if isinstance(fields, Refusal) else built(fields, rules)
        typer.echo(f"# {place}")
        if isinstance(result, Refusal):
            all_built = False
            typer.echo(refusal_text(result))
        else:
            typer.echo(request_text(result[1], settings, trace, reveal=reveal))
        typer.echo("")
    return all_built


def _from_lines(events: Path | None) -> Iterator[_Found]:
    with opened(events) as stream:
        yield from (_Found(f"line {line.number}", line.fields) for line in lines(stream))


def _from_topic(settings: Settings, partition: Partition, offset: int) -> _Found:
    try:
        record = read_one(consumer_properties(settings.kafka), partition, offset)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if record is None:
        typer.echo(f"{partition} has no record at offset {offset} or later", err=True)
        raise typer.Exit(1)
    fields = asyncio.run(_decoded(settings, record))
    return _Found(f"{partition} offset {record.offset}", fields, trace_of(record.headers))


async def _decoded(settings: Settings, record: Record) -> Mapping[str, object] | Refusal:
    decoder = parts.decoder(settings, SystemClock(), parts.registry(settings))
    try:
        while isinstance(fields := decoder.decode(record), SchemaNeeded):
            missing = await decoder.fetch(fields, record.offset)
            if missing is not None:
                why = f"{missing.code}: {missing.cause}, says {missing.registry}"
                typer.echo(f"the record's schema {fields.key} cannot be had ({why}); {missing.remedy}", err=True)
                raise typer.Exit(1)
    finally:
        await decoder.close()
    if isinstance(fields, NotOurs):
        typer.echo(
            "the mapping passes this record over: none of its events takes it (connector map --explain)", err=True
        )
        raise typer.Exit(1)
    return fields
