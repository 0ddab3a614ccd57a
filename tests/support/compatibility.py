"""Avro's rules of schema resolution, read strictly: every value that a writer's schema allows must be readable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def incompatibilities(writer: Any, reader: Any, at: str = "") -> Iterator[str]:
    """Say where a writer's schema allows what a reader's cannot read. Named types are compared where defined."""
    if isinstance(writer, list):
        for branch in writer:
            yield from incompatibilities(branch, reader, at)
    elif isinstance(reader, list):
        if not any(not list(incompatibilities(writer, branch, at)) for branch in reader):
            yield f"{at}: {_kind(writer)} has no branch in the reader's union"
    elif _kind(writer) != _kind(reader):
        if _kind(reader) not in _PROMOTIONS.get(_kind(writer), set()):
            yield f"{at}: {_kind(writer)} is not {_kind(reader)}"
    else:
        yield from _inside(writer, reader, at)


def _inside(writer: Any, reader: Any, at: str) -> Iterator[str]:
    match _kind(writer):
        case "record":
            yield from _records(writer, reader, at)
        case "array":
            yield from incompatibilities(writer["items"], reader["items"], f"{at}[]")
        case "map":
            yield from incompatibilities(writer["values"], reader["values"], f"{at}{{}}")
        case "enum" | "fixed":
            if any(writer.get(part) != reader.get(part) for part in ("name", "symbols", "size")):
                yield f"{at}: another {_kind(writer)}"
        case "long" if _unit(writer) != _unit(reader):
            yield f"{at}: {_unit(writer)} is not {_unit(reader)}"


def _records(writer: Any, reader: Any, at: str) -> Iterator[str]:
    if any(writer.get(part) != reader.get(part) for part in ("name", "namespace")):
        yield f"{at}: another record"
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        path = f"{at}.{field['name']}"
        if field["name"] in written:
            yield from incompatibilities(written[field["name"]]["type"], field["type"], path)
        elif "default" not in field:
            yield f"{path}: has no default, and older events do not have it"


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _unit(schema: Any) -> object:
    return schema.get("logicalType") if isinstance(schema, dict) else None
