"""A dead letter as a person may see it: the phone number masked, the variables' values as shapes."""

from __future__ import annotations

from collections.abc import Mapping

from connector.core.record import Record
from connector.core.redact import mask_phone, safe_name, shape
from connector.edge.avro.codec import Reader
from connector.edge.avro.framing import SINGLE_OBJECT_LENGTH


def rows(record: Record, schema: str) -> list[tuple[str, str]]:
    """Place, key, value and every header of a dead letter whose value is single-object encoded with `schema`."""
    fields = Reader(schema).writer(schema).read(record.value or b"", SINGLE_OBJECT_LENGTH)
    return [
        ("topic", f"{record.partition.topic}, partition {record.partition.number}, offset {record.offset}"),
        ("key", mask_phone((record.key or b"").decode())),
        *((name, _masked(name, value)) for name, value in fields.items()),
        *((name, (value or b"").decode(errors="replace")) for name, value in record.headers),
    ]


def _masked(name: str, value: object) -> str:
    match value:
        case str() if name == "phoneNumber":
            return mask_phone(value)
        case dict():
            return "\n".join(_variables(scope, keys) for scope, keys in value.items())
        case None:
            return "null"
    return str(value)


def _variables(scope: str, keys: Mapping[str, object]) -> str:
    named = (f"{safe_name(key, place)} <{shape(value)}>" for place, (key, value) in enumerate(keys.items(), 1))
    return f"{scope}: {', '.join(named)}"
