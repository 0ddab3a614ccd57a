"""`connector produce`: events, encoded and written to a topic."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.event_files import Fields, lines, opened
from connector.cli.generate import SERVICE_ID, events
from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.config.client import kafka_properties, producer_properties
from connector.config.settings import Settings
from connector.core.numbers import is_exact
from connector.core.redact import safe_name
from connector.core.request import REMEDIES
from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schemas import SchemaFolderError, load_file, reader_schema
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError, KafkaAdmin, TopicPlan
from connector.edge.kafka.bulk import Keyed, write_all
from connector.runtime import parts

_BROKERS_DEFAULT = -1


def produce(
    config: ConfigFile,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="EVENTS", help="JSON lines, one event each; default: standard input."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many events to generate instead.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed generates the same events.")] = 0,
    topic: Annotated[str | None, typer.Option(help="Topic to write to; default: kafka.topics.main.")] = None,
    framing: Annotated[
        Framing, typer.Option(help="What stands in front of the Avro bytes; auto: confluent with an id.")
    ] = Framing.AUTO,
    schema: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Writer's schema; default: our own.")
    ] = None,
    schema_id: Annotated[
        int | None, typer.Option(min=0, help="The schema of this id, from schemas.folder or the registry.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, write to a topic that exists.")] = False,
) -> None:
    """Encode events as Avro and write them to a topic, each with its phone number as key.

    Generated phone numbers come from ranges reserved for fiction. A topic that exists takes them only with --yes: a
    connector may be reading it, and people would be texted. One that does not is created with the brokers' defaults.

    Exit codes: 0 all written · 1 not all written · 2 usage or configuration, or --yes is missing.
    """
    if file is not None and count is not None:
        raise typer.BadParameter("a file of events and --count exclude each other")
    settings = load_without_password(config, os.environ)
    encoder = _encoder(settings, framing, schema, schema_id)
    target = topic or settings.kafka.topics.main
    # A file is encoded as a whole first, so that a bad line means nothing was written.
    records = (
        _records(_generated(settings, count, seed), encoder)
        if count is not None
        else iter([*_records(_read(file), encoder)])
    )
    try:
        _make_ready(KafkaAdmin(kafka_properties(settings.kafka)), target, yes)
        written = write_all(producer_properties(settings.kafka), target, records)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"wrote {written} events to {target}")


def _make_ready(admin: KafkaAdmin, topic: str, yes: bool) -> None:
    if admin.topic(topic) is None:
        admin.create(TopicPlan(topic, _BROKERS_DEFAULT, _BROKERS_DEFAULT, {}))
    elif not yes:
        typer.echo(f"{topic} exists, and a connector may be reading it: say --yes to write to it.", err=True)
        raise typer.Exit(2)


def _generated(settings: Settings, count: int, seed: int) -> Iterator[Fields]:
    allowed = settings.openmarket.allowed_services
    service_ids = (SERVICE_ID,) if allowed is None else tuple(allowed.values())
    return events(count, seed, service_ids, SystemClock().now_ms())


def _read(file: Path | None) -> Iterator[Fields]:
    with opened(file) as stream:
        for line in lines(stream):
            yield line.fields


def _records(source: Iterator[Fields], encoder: Encoder) -> Iterator[Keyed]:
    for number, fields in enumerate(source, 1):
        _check_numbers(number, fields.get("variables"))
        phone_number = fields.get("phoneNumber")
        key = phone_number.encode() if isinstance(phone_number, str) else None
        try:
            yield Keyed(key, encoder.encode(fields))
        except ValueError as error:
            raise typer.BadParameter(f"event {number}: {error}") from None


def _check_numbers(number: int, variables: object) -> None:
    """A number that is no long would be written as a double, which is another number, and nobody would be told."""
    for place, (scope, keys) in enumerate(variables.items() if isinstance(variables, dict) else (), 1):
        for key_place, (key, value) in enumerate(keys.items() if isinstance(keys, dict) else (), 1):
            if isinstance(value, int | float) and not is_exact(value):
                field = f"variables.{safe_name(scope, place)}.{safe_name(key, key_place)}"
                raise typer.BadParameter(
                    f"event {number}: {field}: number_out_of_range; {REMEDIES['number_out_of_range']}"
                )


def _encoder(settings: Settings, framing: Framing, schema: Path | None, schema_id: int | None) -> Encoder:
    try:
        if schema is not None:
            text = load_file(schema).text
        elif schema_id is not None:
            text = _by_id(settings, schema_id)
        else:
            text = reader_schema()
        return Encoder(text, framing, schema_id)
    except (SchemaFolderError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None


def _by_id(settings: Settings, schema_id: int) -> str:
    known = parts.schema_folder(settings).by_id.get(schema_id)
    if known is not None:
        return known.text
    found = asyncio.run(_from_registry(settings, schema_id))
    if isinstance(found, Found):
        return found.text
    raise typer.BadParameter(f"neither schemas.folder nor the registry gives a schema of id {schema_id}")


async def _from_registry(settings: Settings, schema_id: int) -> object:
    registry = parts.registry(settings)
    if registry is None:
        return None
    try:
        return await registry.schema(schema_id)
    finally:
        await registry.close()
