"""Values whose type says more than their bytes: written out as text, or refused; never posted as the bare number."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.event import InvocationEvent, event_from
from connector.core.refusal import Refusal
from connector.core.request import InvokeRequest, RequestRules, build
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.logical import shortest
from connector.edge.avro.schemas import SchemaFile, SchemaFolderError, shipped_folder
from tests.support.avro import CURRENT, EVENT, record, with_field

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MONEY = {"type": "fixed", "name": "Money", "size": 8, "logicalType": "decimal", "precision": 9, "scale": 3}
WHOLE = {"type": "bytes", "logicalType": "decimal", "precision": 9}
UUID_TEXT = {"type": "string", "logicalType": "uuid"}
UUID_BYTES = {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}
DURATION = {"type": "fixed", "name": "Period", "size": 12, "logicalType": "duration"}
AN_UUID = UUID("6f1d2c3b-0a49-4586-b7a8-9c0d1e2f3a4b")
EVENING = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)
LOCAL = datetime(2026, 12, 24, 18, 30)  # noqa: DTZ001 - a local time has no zone
BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)


def logical(kind: str, name: str) -> dict[str, object]:
    return {"type": kind, "logicalType": name}


def values_of(kind: Any) -> str:
    """Our schema with variables of this type."""
    return with_field("variables", type={"type": "map", "values": {"type": "map", "values": kind}})


def on_the_wire(text: str, value: Any) -> bytes:
    """An event with one variable, written by fastavro from Python's own types, such as a date."""
    out = BytesIO()
    event = {**EVENT, "createdAt": None, "variables": {"session": {"it": value}}}
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(text)), event)
    return out.getvalue()


def posted(text: str, value: bytes) -> Any:
    """What is posted of the variable, or the refusal."""
    decoder = AvroDecoder(
        CURRENT, shipped_folder(), framing=Framing.BARE, bare=SchemaFile("", text), monotonic=lambda: 0.0
    )
    fields = decoder.decode(record(value))
    if isinstance(fields, Refusal):
        return fields
    event = event_from(fields)  # type: ignore[arg-type] # bare events need no registry
    assert isinstance(event, InvocationEvent)
    request = build(event, RequestRules(None))
    assert isinstance(request, InvokeRequest)
    return orjson.loads(request.body)["variables"]["session"]["it"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (DECIMAL, Decimal("65.00"), "65.00"),
        (DECIMAL, Decimal("-0.05"), "-0.05"),
        (DECIMAL, Decimal("0"), "0.00"),
        (MONEY, Decimal("-1234.567"), "-1234.567"),
        (WHOLE, Decimal("1200"), "1200"),
        (logical("int", "date"), date(2026, 12, 24), "2026-12-24"),
        (logical("int", "date"), date(1969, 12, 31), "1969-12-31"),
        (logical("int", "time-millis"), time(18, 30), "18:30:00"),
        (logical("int", "time-millis"), time(0, 0, 1, 50_000), "00:00:01.050"),
        (logical("long", "time-micros"), time(18, 30, 0, 7), "18:30:00.000007"),
        (logical("long", "timestamp-millis"), EVENING, "2026-12-24T18:30:00Z"),
        (logical("long", "timestamp-millis"), BEFORE_1970, "1969-12-31T23:59:59.250Z"),
        (logical("long", "timestamp-micros"), EVENING.replace(microsecond=1), "2026-12-24T18:30:00.000001Z"),
        (logical("long", "local-timestamp-millis"), LOCAL, "2026-12-24T18:30:00"),
        (logical("long", "local-timestamp-micros"), LOCAL.replace(microsecond=10), "2026-12-24T18:30:00.000010"),
        (logical("long", "timestamp-nanos"), 1_798_137_000_000_000_001, "2026-12-24T18:30:00.000000001Z"),
        (logical("long", "local-timestamp-nanos"), 1_798_137_000_000_000_000, "2026-12-24T18:30:00"),
        (UUID_TEXT, AN_UUID, str(AN_UUID)),
        (UUID_BYTES, AN_UUID.bytes, str(AN_UUID)),
        (DURATION, struct.pack("<III", 1, 2, 3_004), "P1M2DT3.004S"),
        (DURATION, struct.pack("<III", 0, 2, 0), "P2D"),
        (DURATION, struct.pack("<III", 0, 0, 0), "PT0S"),
        (DURATION, struct.pack("<III", 0, 0, 90_000), "PT90S"),
    ],
)
@pytest.mark.parametrize("in_union", [False, True])
def test_a_logical_type_is_posted_as_the_text_that_it_means(kind: Any, value: Any, text: str, in_union: bool) -> None:
    """Alone, and as a branch of a union beside a null; never as a number of days or as bytes."""
    schema = values_of(["null", kind] if in_union else kind)
    assert posted(schema, on_the_wire(schema, value)) == text


def test_a_named_type_that_is_used_again_by_its_name_is_written_out_too() -> None:
    """The second use is only a name."""
    schema = json.loads(values_of(["null", "invoke.connector.Money"]))
    schema["fields"].insert(0, {"name": "total", "type": MONEY})
    out = BytesIO()
    event = {**EVENT, "createdAt": None, "total": Decimal(1), "variables": {"session": {"it": Decimal("2.5")}}}
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    assert posted(json.dumps(schema), out.getvalue()) == "2.500"


@pytest.mark.parametrize(
    "kind",
    [logical("long", "no-such-type"), logical("string", "date"), logical("long", "date"), logical("bytes", "decimal")],
)
def test_what_is_no_logical_type_to_avro_changes_nothing(kind: Any) -> None:
    """Unknown ones, and those at the wrong type, are to be ignored (Avro specification)."""
    schema, plain = values_of(kind), values_of(kind["type"])
    value = {"long": 5, "string": "x", "bytes": b"x"}[kind["type"]]
    assert posted(schema, on_the_wire(plain, value)) == posted(plain, on_the_wire(plain, value))


@pytest.mark.parametrize(
    "kind", [logical("bytes", "big-decimal"), {"type": "bytes", "logicalType": "decimal", "precision": 5000}]
)
def test_a_logical_type_without_a_text_is_refused_with_its_field(kind: Any) -> None:
    """At start, for a file of ours; a registry's schema makes `incompatible_schema` of its events."""
    with pytest.raises(SchemaFolderError, match=r"variables\.\*\.\*: bytes \((big-)?decimal\) is not"):
        posted(values_of(["null", kind]), b"")


def test_a_logical_type_without_a_text_does_no_harm_to_values_beside_it() -> None:
    """Only the events that have it are refused."""
    schema = values_of(["string", logical("bytes", "big-decimal")])
    assert posted(schema, on_the_wire(schema, "aisle")) == "aisle"
    found = posted(schema, on_the_wire(schema, b"\x02\x01\x00"))
    assert isinstance(found, Refusal)
    assert found.code == "incompatible_schema"
    assert found.problems[0].shape.startswith("variables.*.*: bytes (big-decimal) is not")


@pytest.mark.parametrize(
    ("kind", "plain", "value"),
    [
        (logical("int", "date"), "int", 2**31 - 1),
        (logical("int", "time-millis"), "int", 86_400_000),
        (logical("int", "time-millis"), "int", -1),
        (logical("long", "timestamp-millis"), "long", 2**62),
        (DECIMAL, "bytes", b""),
        (DECIMAL, "bytes", b"\x7f" * 1701),
    ],
)
def test_a_value_that_its_logical_type_does_not_have_is_refused(kind: Any, plain: str, value: Any) -> None:
    """A time of 25 hours, a decimal without bytes, one of more digits than a variable may have."""
    found = posted(values_of(kind), on_the_wire(values_of(plain), value))
    assert isinstance(found, Refusal)
    assert found.code == "undecodable"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (65.25, "65.25"),
        (16_777_216.0, "16777216"),
        (-1.17549435e-38, "-0.000000000000000000000000000000000000011754944"),
        (0.0, "0"),
    ],
)
def test_a_float_is_posted_as_its_shortest_text(value: float, text: str) -> None:
    """A float has some seven digits; as a double, 0.1 has seventeen, and a person reads them."""
    schema = values_of(["null", "float"])
    assert posted(schema, on_the_wire(schema, value)) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(3.4028234663852886e38)
@example(1.401298464324817e-45)
def test_the_text_of_a_float_reads_back_as_the_same_float(value: float) -> None:
    """With nine digits at most, which every float needs no more of."""
    found = shortest(struct.pack("<f", value))
    assert struct.pack("<f", found) == struct.pack("<f", value)
    assert len(repr(found).replace("-", "").replace(".", "").split("e")[0].strip("0")) <= 9


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_float_that_is_no_number_stays_one(value: float) -> None:
    """So that it is refused as `value_not_finite`."""
    assert repr(shortest(struct.pack("<f", value))) == repr(value)
