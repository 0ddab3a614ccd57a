"""Events and schemas for the Avro tests."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from connector.core.record import Partition, Record
from connector.edge.avro.schemas import reader_schema

CURRENT = reader_schema()

EVENT: Mapping[str, object] = {
    "eventId": "evt-1",
    "serviceId": "0A1B2C3D4E5F",
    "phoneNumber": "12515550123",
    "mobileOperatorId": 383,
    "variables": {"session": {"seat": "aisle", "flight": 49, "late": True, "hours": 1.5, "gate": None}},
    "createdAt": 1_800_000_000_000,
    "expiresAt": None,
}

_LONGS = st.integers(-(2**63), 2**63 - 1)
_TIMES = st.none() | st.integers(0, 2**53)
_VALUES = st.none() | st.text() | _LONGS | st.floats(allow_nan=False) | st.booleans()

EVENTS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {
        "eventId": st.text(),
        "serviceId": st.text(),
        "phoneNumber": st.text(),
        "mobileOperatorId": st.none() | _LONGS,
        "variables": st.dictionaries(st.text(), st.dictionaries(st.text(), _VALUES)),
        "createdAt": _TIMES,
        "expiresAt": _TIMES,
    }
)


def record(value: bytes | None) -> Record:
    """A record whose value matters and nothing else."""
    return Record(Partition("invocations", 0), 0, None, None, value)


def older() -> str:
    """What a producer of the first days would have had: only the fields without a default."""
    schema = json.loads(CURRENT)
    schema["fields"] = schema["fields"][:3]
    return json.dumps(schema)


def newer() -> str:
    """A version to come: fields of kinds that ours does not have, in between and in front."""
    schema = json.loads(CURRENT)
    city = {"type": "record", "name": "City", "fields": [{"name": "name", "type": "string"}]}
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    schema["fields"][:0] = [
        {"name": "cities", "type": {"type": "array", "items": city}, "default": []},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, "default": "A"},
    ]
    schema["fields"].insert(4, {"name": "price", "type": ["null", price], "default": None})
    schema["fields"].append({"name": "home", "type": ["null", "City"], "default": None})
    return json.dumps(schema)


def with_field(name: str, **changes: Any) -> str:
    """Our schema with one field changed."""
    schema = copy.deepcopy(json.loads(CURRENT))
    next(field for field in schema["fields"] if field["name"] == name).update(changes)
    return json.dumps(schema)


def with_extra(kind: Any) -> str:
    """Our schema with one more field, in front."""
    schema = json.loads(CURRENT)
    schema["fields"].insert(0, {"name": "extra", "type": kind})
    return json.dumps(schema)
