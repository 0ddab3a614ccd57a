"""Bytes and fields, by a writer's schema. Read by a plan of our own (`decoding`), written by fastavro."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
import orjson

from connector.core.mapping.compiled import Compiled, compiled, others
from connector.core.mapping.errors import Misfit, NotOurs
from connector.core.mapping.rules import Rules
from connector.core.refusal import Refusal
from connector.edge.avro.canonical import fingerprint
from connector.edge.avro.decoding import DuplicateKeyError, TypeReader, UndecodableError
from connector.edge.avro.framing import (
    CONFLUENT_LENGTH,
    ByFingerprint,
    ByName,
    Frame,
    Framing,
    NotNamed,
    by_id,
    head_of,
)
from connector.edge.avro.logical import OutOfRangeError
from connector.edge.avro.mapped import reader_of, type_of, wanted_of
from connector.edge.avro.resolution import IncompatibleError, Resolution, simple_name
from connector.edge.avro.schema_text import load_json
from connector.edge.avro.vetting import vet


class TrailingBytesError(Exception):
    """A value that ends before its bytes do."""


class MisfitError(Exception):
    """A schema that the mapping does not fit."""

    def __init__(self, misfit: Misfit) -> None:
        super().__init__("; ".join(misfit.problems))
        self.misfit = misfit


class Reader:
    """Our schema, what every event is read into; and a mapping, for those that are written with others."""

    def __init__(self, text: str | bytes, rules: Rules | None = None) -> None:
        """Raises ValueError for a text that is no schema."""
        self.rules = rules
        self._tree = vet(text)
        fields = load_json(text)["fields"]
        self._defaults = {field["name"]: field["default"] for field in fields if "default" in field}

    def writer(self, text: str | bytes, referenced: Iterable[str | bytes] = ()) -> Writer:
        """Return a vetted writer's schema.

        Raises UnsafeSchemaError, or IncompatibleError when no event of it could be read for what it says, or
        MisfitError when the mapping has events of it and does not fit it.
        """
        tree = vet(text, referenced)
        if self.rules is not None and (mapped := self._mapped(tree, self.rules)) is not None:
            return mapped
        resolution = Resolution(tree, self._tree, self._defaults)
        return Writer(resolution.reader, tuple(resolution.partly), tuple(resolution.written_out))

    def _mapped(self, tree: dict[str, Any], rules: Rules) -> Writer | None:
        """None for our own schema, where the mapping does not name it."""
        name = tree["name"]
        found = compiled(rules, name, type_of(tree))
        if isinstance(found, Misfit):
            raise MisfitError(found)
        if found is not None:
            return Writer(reader_of(tree, wanted_of(rules, name)), (), (), found)
        if simple_name(name) == simple_name(self._tree["name"]):
            return None
        return Writer(reader_of(tree, {}), (), (), others(rules, name), name)


class Writer(NamedTuple):
    """A schema that values were written with.

    `partly` says which of its branches ours does not have, `written_out` which values become text. `mapping`: what
    makes our fields of what is read; or what becomes of all its records, since the mapping has no event of it, which is
    told by its `name`.
    """

    reader: TypeReader
    partly: tuple[str, ...]
    written_out: tuple[str, ...]
    mapping: Compiled | NotOurs | Refusal | None = None
    name: str | None = None

    def read(self, value: bytes, start: int) -> dict[str, Any]:
        """Decode a value from `start` to its end.

        Raises IncompatibleError, UndecodableError, DuplicateKeyError or TrailingBytesError, and nothing else whatever
        the bytes.

        Defaults of absent fields are shared between events: do not change what is returned.
        """
        try:
            fields, end = self.reader.read(value, start)
        except (IncompatibleError, UndecodableError, DuplicateKeyError):
            raise
        except OutOfRangeError as error:
            raise UndecodableError(str(error)) from None
        except Exception as error:  # IndexError at the end, UnicodeDecodeError, struct.error, MemoryError, …
            raise UndecodableError(type(error).__name__) from None
        if end > len(value):
            raise UndecodableError("it ends too early")
        if end < len(value):
            raise TrailingBytesError(f"{len(value) - end} bytes")
        return fields  # type: ignore[no-any-return]  # a record's value is a dict with names as keys


class Encoder:
    """Events to bytes, for producers: one schema, one framing."""

    def __init__(self, text: str | bytes, framing: Framing, schema_id: int | None = None) -> None:
        """`auto` writes Confluent's frame when there is a `schema_id`, else single-object encoding.

        Raises ValueError when Confluent's frame lacks its id, and for names in headers.
        """
        if framing is Framing.HEADER:
            raise ValueError("a schema is not named in a header here: choose what stands in front of the data")
        if framing is Framing.AUTO:
            framing = Framing.SINGLE_OBJECT if schema_id is None else Framing.CONFLUENT
        if framing is Framing.CONFLUENT and schema_id is None:
            raise ValueError("Confluent's frame needs the id of the schema")
        self._head = head_of(_frame(text, framing, schema_id or 0))
        self._is_json = framing is Framing.JSON
        self._parsed: Any = None if self._is_json else fastavro.parse_schema(without_logical_types(load_json(text)))

    def encode(self, fields: Mapping[str, object]) -> bytes:
        """Return the value of a record; times are ms since the epoch, absent fields take their defaults.

        JSON is written as the fields are. Raises ValueError when they do not fit the schema, without showing them.
        """
        if self._is_json:
            return orjson.dumps(dict(fields))
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
            return ByName(by_id(schema_id), CONFLUENT_LENGTH)
        case Framing.SINGLE_OBJECT:
            return ByFingerprint(fingerprint(text))
    return NotNamed()
