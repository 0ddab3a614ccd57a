"""A producer's fields as JSON to Avro bytes: plain values, also in unions; bytes as text, decimals as numbers, times as
numbers or ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro

from connector.core.redact import shape
from connector.edge.avro.resolution import defined, kind_of, named_types, shown_type
from connector.edge.avro.vetting import Tree, vet


class NoValueError(Exception):
    """Fields that are no value of the schema: which field, and what is there. Shows no value."""


def encoded(text: str, referenced: Sequence[str], fields: Mapping[str, Any]) -> bytes:
    """The Avro bytes, without a frame. Raises NoValueError, or UnsafeSchemaError for a schema that cannot be used."""
    tree = vet(text, referenced)
    value = _value(tree, fields, "", dict(named_types(tree)))
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, fastavro.parse_schema(tree), value)
    except Exception as error:  # fastavro raises what the value's type happened to raise
        raise NoValueError(f"a value does not fit ({type(error).__name__})") from None
    return out.getvalue()


def _value(schema: Tree, value: Any, path: str, named: Mapping[str, Any]) -> Any:  # noqa: C901 - a case for each type
    given: Any = defined(schema, named)
    match given, value:
        case list(branches), _:
            return _branch(branches, value, path, named)
        case {"fields": fields}, dict():
            unknown = sorted(value.keys() - {each["name"] for each in fields})
            if unknown:
                raise NoValueError(f"{_inside(path, unknown[0])} is no field of it")
            return {
                each["name"]: _value(each["type"], value.get(each["name"]), _inside(path, each["name"]), named)
                for each in fields
            }
        case {"items": inside}, list():
            return [_value(inside, each, f"{path}[{number}]", named) for number, each in enumerate(value)]
        case {"values": inside}, dict():
            return {key: _value(inside, each, _inside(path, key), named) for key, each in value.items()}
        case {"symbols": symbols}, str() if value in symbols:
            return value
        case {"logicalType": "decimal"}, Decimal() | int() if not isinstance(value, bool):
            return Decimal(value)
        case {"logicalType": str(logical)}, str() if logical in _PER_SECOND:
            return _time(value, _PER_SECOND[logical], path)
    match kind_of(given), value:
        case "null", None:
            return None
        case "boolean", bool():
            return value
        case "string", str():
            return value
        case "bytes" | "fixed", str():
            return value.encode()
        case "int" | "long", int() if not isinstance(value, bool):
            return value
        case "float" | "double", int() | Decimal() if not isinstance(value, bool):
            return float(value)
    raise NoValueError(f"{path or 'the event'}: {shape(value)} is no {shown_type(given)}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"timestamp-millis": 10**3, "timestamp-micros": 10**6, "timestamp-nanos": 10**9}


def _time(text: str, per_second: int, path: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - it has no zone, which is wrong likewise
    if moment.tzinfo is None:
        how = "write a number, or ISO 8601 with its zone, such as 2026-11-30T17:45:00Z"
        raise NoValueError(f"{path}: {shape(text)} is no time; {how}")
    return (moment - _EPOCH) // timedelta(microseconds=1) * per_second // 10**6


def _branch(branches: Sequence[Tree], value: Any, path: str, named: Mapping[str, Any]) -> Any:
    """In the first branch that it fits; text is text before it is bytes or a time."""
    failed: NoValueError | None = None
    not_text = {"bytes", "fixed", *(("int", "long") if isinstance(value, str) else ())}
    for branch in sorted(branches, key=lambda each: kind_of(defined(each, named)) in not_text):
        try:
            return _value(branch, value, path, named)
        except NoValueError as error:
            failed = error if failed is None or kind_of(defined(branch, named)) != "null" else failed
    assert failed is not None
    raise failed


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
