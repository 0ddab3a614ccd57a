"""The 8 bytes by which a frame names its schema: those of the specification, and those that libraries compute.

The fingerprint is CRC-64-AVRO of a canonical form without attributes such as logical types. Libraries differ in what
they leave of `{"type": "long", "logicalType": "timestamp-millis"}`, which our own schema has: the type's name (Java,
fastavro), the object without its attributes (Apache's Python, Rust's apache-avro, goavro), or all of it (hamba).
`schemas/README.md` has the table, and `tests/edge/avro/test_fingerprints.py` bytes that each of them wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastavro.schema import fingerprint as fastavro_fingerprint

from connector.edge.avro.logical import logical_of
from connector.edge.avro.schema_text import load_json
from connector.edge.avro.vetting import PRIMITIVES

_GOAVRO = frozenset({"date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros"})

Attributes = Callable[[Mapping[str, Any]], Mapping[str, object] | None]
"""What a library's form keeps of a primitive or fixed that is written as an object; None: only the type's name."""


def fingerprint(text: str | bytes) -> bytes:
    """The fingerprint of a schema as the specification defines it, and as it is on the wire.

    Raises ValueError for a text that is no schema.
    """
    return _crc(text, _nothing)


def fingerprints(text: str | bytes) -> frozenset[bytes]:
    """Every fingerprint that producers write for a schema, with its bytes in either order.

    Raises ValueError for a text that is no schema.
    """
    found = {_crc(text, attributes) for attributes in _FORMS}
    return frozenset(found | {number[::-1] for number in found})


def parsing_form(text: str | bytes) -> str:
    """What of a schema decides how its bytes are read (Avro specification, "Parsing Canonical Form").

    Raises ValueError for a text that is no schema.
    """
    return _text(text, _nothing)


def _crc(text: str | bytes, attributes: Attributes) -> bytes:
    return bytes.fromhex(fastavro_fingerprint(_text(text, attributes), "CRC-64-AVRO"))


def _text(text: str | bytes, attributes: Attributes) -> str:
    try:
        return json.dumps(_form(load_json(text), "", attributes), separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError, TypeError, AttributeError) as error:
        raise ValueError("not an Avro schema") from error


def _form(schema: Any, namespace: str, attributes: Attributes) -> Any:
    match schema:
        case list():
            return [_form(branch, namespace, attributes) for branch in schema]
        case str():
            return _full(schema, namespace)
        case {"type": str(kind)} if kind in PRIMITIVES:
            kept = attributes(schema)
            return kind if kept is None else {"type": kind, **kept}
        case {"type": "array" as kind, "items": inside}:
            return {"type": kind, "items": _form(inside, namespace, attributes)}
        case {"type": "map" as kind, "values": inside}:
            return {"type": kind, "values": _form(inside, namespace, attributes)}
        case {"type": "record" | "enum" | "fixed" as kind, "name": str(name)}:
            full = _full(name, schema.get("namespace", namespace) or "")
            return {"name": full, "type": kind, **_parts(kind, schema, full.rpartition(".")[0], attributes)}
        case {"type": dict() | list() as inner}:
            return _form(inner, namespace, attributes)
    raise ValueError


def _parts(kind: str, schema: Mapping[str, Any], namespace: str, attributes: Attributes) -> dict[str, Any]:
    match kind, schema:
        case "record", {"fields": [*fields]}:
            return {
                "fields": [
                    {"name": field.get("name"), "type": _form(field.get("type"), namespace, attributes)}
                    for field in fields
                ]
            }
        case "enum", {"symbols": [*symbols]}:
            return {"symbols": symbols}
        case "fixed", {"size": int(size)}:
            return {"size": size, **(attributes(schema) or {})}
    raise ValueError


def _full(name: str, namespace: str) -> str:
    return f"{namespace}.{name}" if namespace and "." not in name and name not in PRIMITIVES else name


def _nothing(_: Mapping[str, Any]) -> Mapping[str, object] | None:
    return None


def _python(schema: Mapping[str, Any]) -> Mapping[str, object] | None:
    return {} if set(schema) - {"type"} else None


def _rust(schema: Mapping[str, Any]) -> Mapping[str, object] | None:
    logical = logical_of(schema)
    if logical is None:
        return None
    return {} if logical.name != "decimal" else {"precision": schema["precision"], "scale": schema.get("scale", 0)}


def _goavro(schema: Mapping[str, Any]) -> Mapping[str, object] | None:
    foreign = set(schema) - {"type", "logicalType"}
    return {} if foreign or schema.get("logicalType") in _GOAVRO else None


def _hamba(schema: Mapping[str, Any]) -> Mapping[str, object] | None:
    logical = logical_of(schema)
    if logical is None or logical.name.endswith("-nanos"):
        return None
    kept: dict[str, object] = {"logicalType": logical.name}
    if logical.name == "decimal":
        kept["precision"] = schema["precision"]
        if schema.get("scale"):
            kept["scale"] = schema["scale"]
    return kept


_FORMS: Iterable[Attributes] = (_nothing, _python, _rust, _goavro, _hamba)
