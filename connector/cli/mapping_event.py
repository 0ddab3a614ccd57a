"""The event that `connector map --explain` is asked about: a record of a topic, or a producer's fields as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import typer

from connector.cli.avro_json import NoValueError, encoded
from connector.cli.dlq.show import place_of
from connector.cli.mapping_check import others_of, schemas_in, writer_of
from connector.cli.preview import built
from connector.cli.today import Judge
from connector.config.client import consumer_properties
from connector.config.mapping_file import MappingFile
from connector.config.settings import Settings
from connector.core.mapping.compiled import Compiled, compiled
from connector.core.mapping.errors import Misfit, NotOurs
from connector.core.mapping.explained import EventStory, explained
from connector.core.mapping.rules import Rules
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Refusal
from connector.core.request import RequestRules
from connector.edge.avro.codec import MisfitError, Reader, Writer
from connector.edge.avro.framing import UnpackError, unpacked
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schema_text import name_in_text
from connector.edge.avro.schemas import SchemaFile, reader_schema
from connector.edge.avro.vetting import NoRecordError, UnsafeSchemaError
from connector.edge.avro.writers import AnyWriter, any_writer, renamed
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.reader import read_one
from connector.runtime import parts, policies


class Event(NamedTuple):
    """What became of an event: which of the mapping's events were looked at, and our fields, or why there are none.
    Neither: the mapping passes it over."""

    place: str
    schema: str | None
    stories: tuple[EventStory, ...]
    fields: Mapping[str, object] | None
    refusal: Refusal | None


def given_headers(texts: Sequence[str]) -> Headers:
    """Headers as NAME=VALUE. Raises typer.BadParameter."""
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter("--header is NAME=VALUE")
        found.append((name, value.encode()))
    return tuple(found)


def from_json(
    mapped: MappingFile, file: Path, schemas: Sequence[Path], around: tuple[str | None, Headers], topic: str | None
) -> Event:
    """The event of a JSON file, written with the first of the schemas; without one it is JSON itself."""
    rules, allowed = mapped.mapping.rules, RequestRules(mapped.allowed_services)
    try:
        given = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal if schemas else float)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    except ValueError:
        raise typer.BadParameter(f"{file} is not JSON") from None
    if not isinstance(given, dict):
        raise typer.BadParameter(f"{file} is not one JSON object")
    key, headers = around
    record = Record(Partition(topic or "topic", 0), 0, None, None if key is None else key.encode(), b"", headers)
    if not schemas:
        return _without_schema(rules, str(file), given, record, allowed)
    try:
        reader = Reader(reader_schema(), rules)
        schema = _one_of(schemas_in(schemas[0]), rules)
        writer = writer_of(reader, schema, schemas)
        if (misfit := renamed(reader, writer)) is not None:
            raise _unlike(misfit)
        value = file.read_bytes()
        if isinstance(writer, Writer):
            value = encoded(schema.text, others_of(schema, schemas), given)
    except MisfitError as error:
        raise _unlike(error.misfit) from None
    except NoRecordError as error:
        raise typer.BadParameter(f"{schemas[0]}: {error}") from None
    except NoValueError as error:
        raise typer.BadParameter(f"{file} is no event of {schemas[0]}: {error}") from None
    return _of(str(file), writer, record._replace(value=value), 0, allowed)


def _one_of(found: Sequence[SchemaFile], rules: Rules) -> SchemaFile:
    """Of a list of types the one record that the mapping has events of. Raises typer.BadParameter."""
    if len(found) == 1:
        return found[0]
    ours = [each for each in found if rules.of_schema(name_in_text(each.text))]
    if len(ours) == 1:
        return ours[0]
    raise typer.BadParameter(f"{found[0].name} has {len(ours) or 'no'} records of the mapping: one is needed")


def from_topic(settings: Settings, topic: str, place: str) -> Event:
    """A record of a topic, at PARTITION:OFFSET."""
    partition, offset = place_of(topic, place)
    try:
        record = read_one(consumer_properties(settings.kafka), partition, offset)
    except AdminError as error:
        raise _failed(f"the brokers answer {error}") from None
    if record is None or record.offset != offset:
        raise _failed(f"{partition} has no record at offset {offset}")
    shown = f"{partition} offset {offset}"
    with Judge(settings) as judge:
        written = None if record.value is None else judge.texts().value(record.value, record.headers)
        if written is None:
            found = judge.fields(record)
            refusal = found if isinstance(found, Refusal) else None
            return Event(shown, None, (), None if isinstance(found, Refusal) else found, refusal)
        rules, start = policies.request_rules(settings.openmarket), written.start
        reader, schema = Reader(reader_schema(), parts.rules(settings)), written.schema
        try:
            writer = any_writer(reader, schema.text, schema.referenced, is_json=schema.is_json)
            if written.is_packed:
                record, start = record._replace(value=unpacked(record.value or b"", start)), 0
        except MisfitError as error:
            raise _unlike(error.misfit._replace(known_as=judge.known_as(record))) from None
        except (UnsafeSchemaError, IncompatibleError, UnpackError) as error:
            raise _failed(f"{shown} cannot be read: {error}") from None
    return _of(shown, writer, record, start, rules)


def _without_schema(rules: Rules, place: str, given: dict[str, Any], record: Record, allowed: RequestRules) -> Event:
    mapping = compiled(rules, None)
    if isinstance(mapping, Misfit):
        raise _unlike(mapping)
    if mapping is None:
        raise typer.BadParameter("the mapping has no event without a schema: name the schema's file as well")
    return _made(place, mapping, given, record, allowed)


def _of(place: str, writer: AnyWriter, record: Record, start: int, rules: RequestRules) -> Event:
    mapping = writer.mapping
    if isinstance(mapping, NotOurs | Refusal):
        return Event(place, None, (), None, mapping if isinstance(mapping, Refusal) else None)
    try:
        fields = writer.read(record.value or b"", start)
    except Exception as error:  # whatever the bytes are
        raise _failed(f"{place} cannot be read with its schema ({type(error).__name__})") from None
    if mapping is None:
        return _judged(Event(place, None, (), fields, None), rules)
    return _made(place, mapping, fields, record, rules)


def _made(place: str, mapping: Compiled, fields: dict[str, Any], record: Record, rules: RequestRules) -> Event:
    stories = tuple(explained(mapping, fields, record))
    found = mapping.of(fields, record)
    if isinstance(found, NotOurs):
        return Event(place, mapping.name, stories, None, None)
    if isinstance(found, Refusal):
        return Event(place, mapping.name, stories, None, found)
    return _judged(Event(place, mapping.name, stories, found, None), rules)


def _judged(event: Event, rules: RequestRules) -> Event:
    assert event.fields is not None
    result = built(event.fields, rules)
    return event._replace(refusal=result) if isinstance(result, Refusal) else event


def _unlike(misfit: Misfit) -> typer.Exit:
    known_as = f", {misfit.known_as}" if misfit.known_as else ""
    return _failed(
        "\n".join([f"the mapping does not fit {misfit.schema}{known_as}:", *(f"  {each}" for each in misfit.problems)])
    )


def _failed(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(1)
