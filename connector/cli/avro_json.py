"""A producer's fields as JSON to Avro bytes: plain values, or in unions wrapped by their type as in Avro's own JSON;
bytes as text, decimals as numbers, dates and times as numbers or ISO 8601."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import fastavro

from connector.core.redact import shape
from connector.edge.avro.resolution import defined, kind_of, named_types, shown_type
from connector.edge.avro.schema_text import load_json
from connector.edge.avro.vetting import Tree, vet

Found = TypeVar("Found")
Defaults = dict[str, dict[str, Any]]
"""Of each record, by its full name: the default of each field that has one."""

_NO_NAMESPACE = "no_namespace."  # what the vetted tree puts before such a name


class NoValueError(Exception):
    """Fields that are no value of the schema: which field, and what is there. Shows no value."""


class _Schema(NamedTuple):
    """What the types by name are, and their defaults."""

    named: Mapping[str, Any]
    defaults: Defaults


def encoded(text: str, referenced: Sequence[str], fields: Mapping[str, Any]) -> bytes:
    """The Avro bytes, without a frame. Raises NoValueError, or UnsafeSchemaError for a schema that cannot be used."""
    tree = vet(text, referenced)
    defaults: Defaults = {}
    for each in (text, *referenced):
        _collect(load_json(each), "", defaults)
    value = _value(tree, fields, "", _Schema(dict(named_types(tree)), defaults))
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, fastavro.parse_schema(tree), value)
    except Exception as error:  # fastavro raises what the value's type happened to raise
        raise NoValueError(f"a value does not fit ({type(error).__name__})") from None
    return out.getvalue()


def _collect(given: Any, namespace: str, found: Defaults) -> None:
    """Note the defaults of a schema as it was written: the vetted tree has none."""
    match given:
        case list():
            for branch in given:
                _collect(branch, namespace, found)
        case {"type": "record", "name": str(name), "fields": list(fields)}:
            around = given.get("namespace", namespace)
            full = name if "." in name or not around else f"{around}.{name}"
            found[full] = {each["name"]: each["default"] for each in fields if "default" in each}
            for each in fields:
                _collect(each.get("type"), full.rpartition(".")[0], found)
        case {"items": inside} | {"values": inside} | {"type": inside}:
            _collect(inside, namespace, found)


def _value(given: Tree, value: Any, path: str, schema: _Schema) -> Any:  # noqa: C901 - a case for each type
    kind: Any = defined(given, schema.named)
    match kind, value:
        case list(branches), _:
            return _branch(branches, value, path, schema)
        case {"fields": _}, dict():
            return _record(kind, value, path, schema)
        case {"items": inside}, list():
            return [_value(inside, each, f"{path}[{number}]", schema) for number, each in enumerate(value)]
        case {"values": inside}, dict():
            return {key: _value(inside, each, _inside(path, key), schema) for key, each in value.items()}
        case {"symbols": symbols}, str() if value in symbols:
            return value
        case {"logicalType": "decimal"}, Decimal() | int() | str() if not isinstance(value, bool):
            return _decimal(kind, value, path)
        case {"logicalType": str(logical)}, str() if logical in _AS_TEXT:
            return _AS_TEXT[logical](value, path, logical)
        case {"logicalType": "uuid", "size": 16}, str() if (found := _uuid(value)) is not None:
            return found
    match kind_of(kind), value:
        case "null", None:
            return None
        case "boolean", bool():
            return value
        case "string", str():
            return value
        case "bytes" | "fixed", str() | bytes():
            return _bytes(kind, value if isinstance(value, bytes) else value.encode(), path)
        case "int" | "long" as width, int() if not isinstance(value, bool):
            if -(1 << _BITS[width] - 1) <= value < 1 << _BITS[width] - 1:
                return value
            raise NoValueError(f"{path}: it is beyond {width}, which has {_BITS[width]} bits")
        case "float" | "double", int() | Decimal() if not isinstance(value, bool):
            return float(value)
    raise NoValueError(f"{path or 'the event'}: {shape(value)} is no {shown_type(kind)}")


_BITS = {"int": 32, "long": 64}


def _record(given: Mapping[str, Any], value: Mapping[str, Any], path: str, schema: _Schema) -> dict[str, Any]:
    fields = given["fields"]
    unknown = sorted(value.keys() - {each["name"] for each in fields})
    if unknown:
        raise NoValueError(f"{_inside(path, unknown[0])} is no field of it")
    defaults = schema.defaults.get(given["name"].removeprefix(_NO_NAMESPACE), {})
    found = {}
    for each in fields:
        name, inside = each["name"], value.get(each["name"])
        if name not in value and name in defaults:
            inside = _default(defined(each["type"], schema.named), defaults[name])
        found[name] = _value(each["type"], inside, _inside(path, name), schema)
    return found


def _default(given: Any, value: Any) -> Any:
    """A schema writes bytes as text of which each character is one."""
    first = given[0] if isinstance(given, list) else given
    return value.encode("latin-1") if isinstance(value, str) and kind_of(first) in {"bytes", "fixed"} else value


def _decimal(given: Mapping[str, Any], value: Decimal | int | str, path: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise NoValueError(f"{path}: {shape(value)} is no decimal; write a number, such as 12.50")
    scale, precision = given.get("scale", 0), given["precision"]
    number = number.normalize()
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    if number and (-exponent > scale or len(digits) + exponent + scale > precision):
        how = f"which has {precision} digits, {scale} of them after the point"
        raise NoValueError(f"{path}: it has more digits than {shown_type(given)}, {how}")
    return number


def _bytes(given: Any, value: bytes, path: str) -> bytes:
    size = given["size"] if kind_of(given) == "fixed" else len(value)
    if len(value) != size:
        raise NoValueError(f"{path}: {len(value)} bytes are no {shown_type(given)}, which has {size}")
    return value


def _uuid(text: str) -> bytes | None:
    try:
        return UUID(text).bytes
    except ValueError:
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"millis": 10**3, "micros": 10**6, "nanos": 10**9}


def _moment(text: str, path: str, logical: str) -> int:
    moment = _iso(datetime.fromisoformat, text)
    if moment is None or moment.tzinfo is None:
        raise _no_time(text, path, "with its zone, such as 2026-11-30T17:45:00Z")
    return _counted(moment - _EPOCH, logical)


def _local(text: str, path: str, logical: str) -> int:
    moment = _iso(datetime.fromisoformat, text)
    if moment is None or moment.tzinfo is not None:
        raise _no_time(text, path, "without a zone, such as 2026-11-30T17:45:00")
    return _counted(moment.replace(tzinfo=UTC) - _EPOCH, logical)


def _date(text: str, path: str, _: str) -> int:
    day = _iso(date.fromisoformat, text)
    if day is None:
        raise _no_time(text, path, "such as 2026-11-30")
    return (day - _EPOCH.date()).days


def _time_of_day(text: str, path: str, logical: str) -> int:
    found = _iso(time.fromisoformat, text)
    if found is None or found.tzinfo is not None:
        raise _no_time(text, path, "such as 17:45:00")
    return _counted(datetime.combine(_EPOCH, found, UTC) - _EPOCH, logical)


def _iso(read: Callable[[str], Found], text: str) -> Found | None:
    try:
        return read(text)
    except ValueError:
        return None


def _counted(since: timedelta, logical: str) -> int:
    return since // timedelta(microseconds=1) * _PER_SECOND[logical.rpartition("-")[2]] // 10**6


def _no_time(text: str, path: str, how: str) -> NoValueError:
    return NoValueError(f"{path}: {shape(text)} is no time; write a number, or ISO 8601 {how}")


_AS_TEXT: Mapping[str, Callable[[str, str, str], int]] = {
    "date": _date,
    **{f"timestamp-{unit}": _moment for unit in _PER_SECOND},
    **{f"local-timestamp-{unit}": _local for unit in _PER_SECOND},
    **{f"time-{unit}": _time_of_day for unit in ("millis", "micros")},
}


def _branch(branches: Sequence[Tree], value: Any, path: str, schema: _Schema) -> Any:
    """In the first branch that it fits; text is text before it is bytes or a time. Then as one that names its type."""
    failed: NoValueError | None = None
    not_text = {"bytes", "fixed", *(("int", "long") if isinstance(value, str) else ())}
    for branch in sorted(branches, key=lambda each: kind_of(defined(each, schema.named)) in not_text):
        try:
            return _value(branch, value, path, schema)
        except NoValueError as error:
            failed = error if failed is None or kind_of(defined(branch, schema.named)) != "null" else failed
    if isinstance(value, dict) and len(value) == 1:
        ((name, inside),) = value.items()
        for branch in branches:
            if name == _name_of(defined(branch, schema.named)):
                return _value(branch, inside, path, schema)
    assert failed is not None
    raise failed


def _name_of(given: Any) -> str:
    """What a value in this branch of a union is wrapped by, in Avro's own JSON."""
    name = given.get("name") if isinstance(given, dict) else None
    return kind_of(given) if name is None else str(name).removeprefix(_NO_NAMESPACE)


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
