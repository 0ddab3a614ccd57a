"""fastavro, and the only room that knows it: bytes and fields, by a writer's schema.

Logical types are taken out of every schema first, for the reader's as for the writer's: our times stay the longs they
are on the wire, and no decimal of a megabyte is ever computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import to_parsing_canonical_form

from connector.edge.framing import ByFingerprint, ById, Frame, Framing, NotNamed, head_of
from connector.edge.vetting import UnsafeSchemaError, vet

Parsed = Any  # what fastavro made of a schema


class _Branches(list[Parsed]):
    """A union's branches, none of which a negative index finds.

    fastavro looks a branch up as Python does, where -1 is the last: the length is added to a negative index, and asked
    for nothing else. Padding the list instead would cost a look at every element for every value that is read.
    """

    def __len__(self) -> int:
        return 2**62


class _StrictBytes(BytesIO):
    """Bytes that are all there or not at all.

    fastavro checks the length of what it reads, but not of what it skips: a cut or negative one would pass.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if len(found) != size:
            raise EOFError
        return found


class IncompatibleError(Exception):
    """A writer's schema that does not resolve into ours, for a whole schema or one value. Shows no value."""


class UndecodableError(Exception):
    """Bytes that are no value of the schema. Shows no value."""


class TrailingBytesError(Exception):
    """A value that ends before its bytes do."""


class Reader:
    """Our schema: what every event is read into."""

    def __init__(self, text: str | bytes) -> None:
        """Raises ValueError for a text that is no schema."""
        self._schema = json.loads(text)
        self.parsed: Parsed = fastavro.parse_schema(without_logical_types(self._schema))
        self._plain = vet(text)
        self._units = dict(_units(self._schema))

    def writer(self, text: str | bytes, referenced: Iterable[str | bytes] = ()) -> Writer:
        """Return a vetted writer's schema.

        Raises UnsafeSchemaError, or IncompatibleError when a time is written in another unit than ours.
        """
        plain = vet(text, referenced)
        for name, unit in _units(json.loads(text)):
            if self._units.get(name, unit) != unit:
                raise IncompatibleError(f"{name} is not written as {self._units[name]}")
        try:
            parsed = fastavro.parse_schema(plain)
        except Exception as error:  # what fastavro's parser raises is not a closed set
            raise UnsafeSchemaError("not a schema to fastavro") from error
        skips = not _names(plain) <= _names(self._plain)
        return Writer(
            _closed(parsed), None if plain == self._plain else self.parsed, _StrictBytes if skips else BytesIO
        )


class Writer(NamedTuple):
    """A schema that values were written with. `reader` None: it is ours, and nothing is to be resolved.

    `stream` is the stricter kind, which costs a third more, only where a field is skipped that ours does not have.
    """

    parsed: Parsed
    reader: Parsed | None
    stream: type[BytesIO]

    def read(self, value: bytes, start: int) -> Mapping[str, object]:
        """Decode a value from `start` to its end.

        Raises IncompatibleError, UndecodableError or TrailingBytesError, and nothing else whatever the bytes.

        Defaults of absent fields are shared between events: do not change what is returned.
        """
        stream = self.stream(value)
        stream.seek(start)
        try:
            fields: Any = fastavro.schemaless_reader(stream, self.parsed, self.reader)
        except SchemaResolutionError:
            raise IncompatibleError("the event does not fit the schema of this connector") from None
        except Exception as error:  # RecursionError, MemoryError, OverflowError, UnicodeDecodeError, KeyError, …
            raise UndecodableError(type(error).__name__) from None
        if stream.tell() != len(value):
            raise TrailingBytesError(f"{len(value) - stream.tell()} bytes")
        return fields  # type: ignore[no-any-return]  # a record's value is a dict with names as keys


class Encoder:
    """Events to bytes, for producers: one schema, one framing."""

    def __init__(self, text: str | bytes, framing: Framing, schema_id: int | None = None) -> None:
        """`auto` writes Confluent's frame when there is a `schema_id`, else single-object encoding.

        Raises ValueError when Confluent's frame lacks its id.
        """
        if framing is Framing.AUTO:
            framing = Framing.SINGLE_OBJECT if schema_id is None else Framing.CONFLUENT
        if framing is Framing.CONFLUENT and schema_id is None:
            raise ValueError("Confluent's frame needs the id of the schema")
        self._head = head_of(_frame(text, framing, schema_id or 0))
        self._parsed: Parsed = fastavro.parse_schema(without_logical_types(json.loads(text)))

    def encode(self, fields: Mapping[str, object]) -> bytes:
        """Return the value of a record; times are ms since the epoch, absent fields take their defaults.

        Raises ValueError when the fields do not fit the schema, without showing them.
        """
        out = BytesIO()
        out.write(self._head)
        try:
            fastavro.schemaless_writer(out, self._parsed, dict(fields))
        except Exception as error:  # fastavro raises what the value's type happened to raise
            raise ValueError(f"the fields do not fit the schema ({type(error).__name__})") from None
        return out.getvalue()


def encode(fields: Mapping[str, object], text: str | bytes, framing: Framing, schema_id: int | None = None) -> bytes:
    """Encode one event; for many, keep an `Encoder`."""
    return Encoder(text, framing, schema_id).encode(fields)


def fingerprint(text: str | bytes) -> bytes:
    """The 8 bytes by which single-object encoding names a schema: CRC-64-AVRO of its canonical form, as on the wire.

    Raises ValueError for a text that is no schema.
    """
    try:
        return bytes.fromhex(fastavro_fingerprint(to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO"))
    except Exception as error:  # as in Reader.writer
        raise ValueError("not an Avro schema") from error


def without_logical_types(schema: Any) -> Any:
    """Return a schema whose values are what is on the wire."""
    match schema:
        case dict():
            return {key: without_logical_types(part) for key, part in schema.items() if key != "logicalType"}
        case list():
            return [without_logical_types(part) for part in schema]
    return schema


def _frame(text: str | bytes, framing: Framing, schema_id: int) -> Frame:
    match framing:
        case Framing.CONFLUENT:
            return ById(schema_id)
        case Framing.SINGLE_OBJECT:
            return ByFingerprint(fingerprint(text))
    return NotNamed()


def _names(record: Mapping[str, Any]) -> set[str]:
    return {field["name"] for field in record["fields"]}


def _units(schema: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The logical types of a record's own fields: a time in µs would be read as one in ms, a thousand times off."""
    for field in schema.get("fields", ()):
        branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
        for branch in branches:
            if isinstance(branch, dict) and isinstance(branch.get("logicalType"), str):
                yield field["name"], branch["logicalType"]


def _closed(parsed: Parsed) -> Parsed:
    """Return a parsed schema whose unions take no negative index; what it is made of is changed in place."""
    match parsed:
        case list():
            return _Branches(map(_closed, parsed))
        case {"type": "record", "fields": fields}:
            for field in fields:
                field["type"] = _closed(field["type"])
        case {"items": inside}:
            parsed["items"] = _closed(inside)
        case {"values": inside}:
            parsed["values"] = _closed(inside)
    return parsed
