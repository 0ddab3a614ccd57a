"""A value with some of its fields written anew: every other byte stays as the producer wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connector.core.json_text import DuplicateNameError
from connector.core.record import Headers
from connector.edge.avro.decoding import UndecodableError
from connector.edge.avro.json_values import read_object
from connector.edge.avro.resolution import fields_of, kind_of
from connector.edge.avro.schema_texts import TextOf
from connector.edge.avro.vetting import UnsafeSchemaError, vet


class NotWritableError(Exception):
    """The writer's schema has no such field, or takes no such value for it. Shows no value."""


def spliced(texts: TextOf, value: bytes, changes: Mapping[str, object], headers: Headers = ()) -> bytes:
    """Write these fields, texts or whole numbers, into the value. Raises NotWritableError."""
    written = texts.value(value, headers)
    if written is None:
        raise NotWritableError("its schema cannot be had")
    if written.is_packed:
        raise NotWritableError("it is compressed")
    if written.schema.is_json:
        return _in_object(value, written.start, changes)
    try:
        tree = vet(written.schema.text, written.schema.referenced)
    except UnsafeSchemaError as error:
        raise NotWritableError(str(error)) from None
    parts = [value[: written.start]]
    at = written.start
    left = dict(changes)
    for name, schema, skip in fields_of(tree):
        try:
            end = skip.end(value, at)
        except Exception as error:  # whatever the bytes are
            raise NotWritableError(type(error).__name__) from None
        parts.append(_encoded(schema, left.pop(name), name) if name in left else value[at:end])
        at = end
    if left:
        raise NotWritableError(f"its schema has no {', '.join(sorted(left))}")
    if at != len(value):
        raise NotWritableError("it does not end where its schema says")
    return b"".join(parts)


def _in_object(value: bytes, start: int, changes: Mapping[str, object]) -> bytes:
    """JSON is written anew as a whole: what it says stays, its spaces do not."""
    try:
        fields = read_object(value[start:])
    except (UndecodableError, DuplicateNameError) as error:
        raise NotWritableError(type(error).__name__) from None
    return value[:start] + orjson.dumps({**fields, **changes})


def _encoded(schema: Any, value: object, name: str) -> bytes:
    if isinstance(schema, list):
        for index, branch in enumerate(schema):
            if _takes(branch, value):
                return _long(index) + _encoded(branch, value, name)
        raise NotWritableError(f"{name} takes no such value")
    if not _takes(schema, value):
        raise NotWritableError(f"{name} takes no such value")
    if isinstance(value, str):
        text = value.encode()
        return _long(len(text)) + text
    assert isinstance(value, int)
    return _long(value)


def _takes(schema: Any, value: object) -> bool:
    kind = kind_of(schema)
    return (isinstance(value, str) and kind == "string") or (isinstance(value, int) and kind == "long")


def _long(number: int) -> bytes:
    """Zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)
