"""A producer's fields as JSON to the bytes that its own library would write."""

from __future__ import annotations

import json
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import pytest

from connector.cli.avro_json import NoValueError, encoded

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
FIXED_UUID = {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}


def logical(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "logicalType": name}


def text_of(kind: object, **more: object) -> str:
    """A schema of one field, within a record of another namespace."""
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "it", "type": kind, **more}]}
    outer = {"type": "record", "name": "a.Outer", "namespace": "b", "fields": [{"name": "in", "type": inner}]}
    return json.dumps(outer)


def written(kind: object, value: object) -> Any:
    """The value as the wire has it, without what its logical type means."""
    return _read(_plain(kind), encoded(text_of(kind), (), {"in": {"it": value}}))


def _read(kind: object, data: bytes) -> Any:
    found = fastavro.schemaless_reader(BytesIO(data), json.loads(text_of(kind)), None)
    assert isinstance(found, dict)
    return found["in"]["it"]


def _plain(kind: object) -> object:
    match kind:
        case list():
            return list(map(_plain, kind))
        case dict():
            return {name: each for name, each in kind.items() if name != "logicalType"}
    return kind


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (DECIMAL, 12.5, b"\x04\xe2"),
        (DECIMAL, "12.50", b"\x04\xe2"),
        (DECIMAL, "12.500", b"\x04\xe2"),
        (DECIMAL, 100, b"\x27\x10"),
        (DECIMAL, 0, b"\x00"),
        (["null", DECIMAL], "-0.01", b"\xff"),
        ([DECIMAL, "string"], "12.50", "12.50"),
        (FIXED_UUID, "6f1d2c3b-0a49-4586-b7a8-9c0d1e2f3a4b", UUID("6f1d2c3b-0a49-4586-b7a8-9c0d1e2f3a4b").bytes),
        (FIXED_UUID, "sixteen letters.", b"sixteen letters."),
        (logical("int", "date"), "1970-02-01", 31),
        (logical("int", "date"), 31, 31),
        (["null", logical("int", "date")], "1969-12-31", -1),
        (logical("int", "time-millis"), "00:00:01.5", 1500),
        (logical("long", "time-micros"), "00:00:01.5", 1_500_000),
        (logical("long", "timestamp-millis"), "1970-01-01T01:00:01+01:00", 1000),
        (logical("long", "local-timestamp-millis"), "1970-01-01T00:00:01", 1000),
        (logical("long", "local-timestamp-micros"), "1970-01-01", 0),
        ("int", -(2**31), -(2**31)),
        ("long", 2**63 - 1, 2**63 - 1),
    ],
)
def test_a_value_may_be_written_as_people_read_it(kind: object, value: object, expected: object) -> None:
    given = json.loads(json.dumps(value), parse_float=Decimal)
    assert written(kind, given) == expected


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (DECIMAL, "\u0004\u00e2", "in.it: string of 2 characters is no decimal; write a number, such as 12.50"),
        (DECIMAL, "nan", "in.it: string of 3 characters is no decimal"),
        (DECIMAL, "12.505", "in.it: it has more digits than bytes (decimal), which has 6 digits, 2 of them after"),
        (DECIMAL, 10_000, "in.it: it has more digits than"),
        (FIXED_UUID, "6f1d2c3b", "in.it: 8 bytes are no fixed a.Id (uuid), which has 16"),
        (
            logical("int", "date"),
            "24.12.2026",
            "in.it: string of 10 characters is no time; write a number, or ISO 8601",
        ),
        (logical("int", "time-millis"), "5 pm", "in.it: string of 4 characters is no time"),
        (logical("long", "local-timestamp-millis"), "1970-01-01T00:00:00Z", "ISO 8601 without a zone"),
        ("int", 2**31, "in.it: it is beyond int, which has 32 bits"),
        ("long", -(2**63) - 1, "in.it: it is beyond long, which has 64 bits"),
        (["null", "string"], {"int": 5}, "in.it: map of 1 entries is no string"),
        (["null", "string"], {"string": 5}, "in.it: int is no string"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(kind: object, value: object, words: str) -> None:
    """And never by its content."""
    with pytest.raises(NoValueError) as error:
        written(kind, value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("kind", "default", "expected"),
    [
        ({"type": "map", "values": "int"}, {}, {}),
        ("string", "web", "web"),
        (["null", "string"], None, None),
        ("bytes", "\u00ff", b"\xff"),
        (DECIMAL, "\u0004\u00e2", b"\x04\xe2"),
    ],
)
def test_a_field_left_out_has_its_default(kind: object, default: object, expected: object) -> None:
    """As with the producer's own library."""
    assert _read(_plain(kind), encoded(text_of(kind, default=default), (), {"in": {}})) == expected


def test_defaults_of_a_schema_that_is_referred_to_count_too() -> None:
    inner = {"type": "record", "name": "c.Inner", "fields": [{"name": "it", "type": "string", "default": "web"}]}
    outer = {"type": "record", "name": "Outer", "fields": [{"name": "in", "type": "c.Inner"}]}
    assert encoded(json.dumps(outer), (json.dumps(inner),), {"in": {}}) == b"\x06web"


def test_a_field_without_a_default_may_not_be_left_out() -> None:
    with pytest.raises(NoValueError, match=r"in.it: null is no string"):
        encoded(text_of("string"), (), {"in": {}})


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (["null", "string"], {"string": "Z50"}, "Z50"),
        (["null", "long", logical("int", "date")], {"int": "1970-01-02"}, 1),
        (["null", {"type": "array", "items": "int"}], {"array": [1]}, [1]),
        (["string", {"type": "enum", "name": "c.Seat", "symbols": ["A"]}], {"c.Seat": "A"}, "A"),
        (
            ["null", {"type": "record", "name": "Pet", "fields": [{"name": "x", "type": "int"}]}],
            {"a.Pet": {"x": 1}},
            {"x": 1},
        ),
        (["string", {"type": "map", "values": "string"}], {"string": "x"}, {"string": "x"}),
    ],
)
def test_a_value_of_a_union_may_be_wrapped_by_its_type(kind: object, value: object, expected: object) -> None:
    """As Avro's own JSON has it, and what prints records; where it also fits as it is, it is taken as it is."""
    assert written(kind, value) == expected
