"""Bytes that are no Avro are refused, wherever they lie; bytes that are Avro are read as other libraries read them."""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import example, given

from connector.core.refusal import Refusal
from connector.edge.avro.codec import Reader, encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolder
from tests.support.avro import CURRENT, EVENT, EVENTS, newer, record, with_extra, with_field


def string(text: str) -> bytes:
    return bytes([2 * len(text)]) + text.encode()


def number(value: int) -> bytes:
    """A long as Avro writes it."""
    out = BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    return out.getvalue()


START = string("evt-1") + string("0A1B2C3D4E5F") + string("12515550123")
NO_OPERATOR, NO_VARIABLES, NO_TIMES = b"\x00", b"\x00", b"\x00\x00"
SEAT = string("seat") + b"\x02" + string("aisle")
GATE = string("gate") + b"\x02" + string("B7")


@cache
def decoder(text: str) -> AvroDecoder:
    bare = SchemaFile("", text)
    return AvroDecoder(CURRENT, SchemaFolder((), {}), framing=Framing.BARE, bare=bare, monotonic=lambda: 0.0)


def decode(value: bytes, text: str = CURRENT) -> Any:
    return decoder(text).decode(record(value))


def event(operator: bytes = NO_OPERATOR, variables: bytes = NO_VARIABLES) -> bytes:
    return START + operator + variables + NO_TIMES


def code(found: Any) -> str:
    assert isinstance(found, Refusal)
    return found.code


def scope(name: str, *entries: bytes) -> bytes:
    return string(name) + number(len(entries)) + b"".join(entries) + b"\x00"


# Each is a value of a type that Avro's encoding does not have, and the type. Ours, written for these tests.
REJECTED: list[tuple[str, Any, bytes]] = [
    ("a long that goes on after ten bytes", "long", b"\x80" * 10 + b"\x00"),
    ("a long of ten bytes that says 32 after 64 bits of nothing", "long", b"\xc0" + b"\x80" * 9 + b"\x01"),
    ("a long of more than 64 bits", "long", b"\xff" * 9 + b"\x03"),
    ("an int that goes on after five bytes", "int", b"\x80" * 5 + b"\x00"),
    ("an int of more than 32 bits", "int", b"\x80\x80\x80\x80\x10"),
    ("a string of a negative length", "string", b"\x03ab"),
    ("a string that is longer than its event", "string", b"\x7e"),
    ("a string whose length is more than 64 bits", "string", b"\x84" + b"\x80" * 9 + b"\x01ab"),
    ("bytes of a negative length", "bytes", b"\x01"),
    ("a boolean of 2", "boolean", b"\x02"),
    ("a union's branch below the first", ["null", "int"], b"\x01\x02"),
    ("a union's branch after the last", ["null", "int"], b"\x04\x02"),
    ("a union's branch far after the last", ["null", "int"], b"\x80\x10\x02"),
    ("an enum's symbol below the first", {"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x01"),
    ("an enum's symbol after the last", {"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x04"),
    ("an array of more items than bytes", {"type": "array", "items": "int"}, number(5000)),
    ("an array of the smallest count", {"type": "array", "items": "int"}, number(-(2**63)) + b"\x02\x02\x00"),
    ("a block that is longer than it says", {"type": "array", "items": "int"}, b"\x03\x02\x02\x04\x00"),
    ("a block of a negative length", {"type": "array", "items": "int"}, b"\x01\x01\x02\x00"),
    ("a block of a map that is shorter than it says", {"type": "map", "values": "int"}, b"\x01\x0a\x02a\x02\x00"),
    ("a float that is cut", "float", b"\x00\x00"),
    ("a fixed that is cut", {"type": "fixed", "name": "F", "size": 2000}, b"\x00"),
]


IN_A_VARIABLE = [case for case in REJECTED if not isinstance(case[1], dict)]


@pytest.mark.parametrize(("kind", "value"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED])
def test_bytes_that_are_no_avro_are_refused_in_a_field_that_is_passed_over(kind: Any, value: bytes) -> None:
    """A field that is read wrong moves all that follow it."""
    schema = json.loads(with_extra(kind))
    schema["fields"].append(schema["fields"].pop(0))
    assert code(decode(event() + value, json.dumps(schema))) in {"undecodable", "trailing_bytes"}


@pytest.mark.parametrize(
    ("kind", "value"), [case[1:] for case in IN_A_VARIABLE], ids=[case[0] for case in IN_A_VARIABLE]
)
def test_bytes_that_are_no_avro_are_refused_in_a_variable(kind: Any, value: bytes) -> None:
    """Where they would be posted."""
    union, branch = (kind, b"") if isinstance(kind, list) else (["null", kind], b"\x02")
    text = with_field("variables", type={"type": "map", "values": {"type": "map", "values": union}})
    variables = b"\x02" + scope("session", string("k") + branch + value) + b"\x00"
    assert code(decode(event(variables=variables), text)) in {"undecodable", "trailing_bytes"}


def test_an_over_long_operator_is_not_32() -> None:
    """The bits after the 64th were taken for the first ones."""
    assert code(decode(event(operator=b"\x02\xc0" + b"\x80" * 9 + b"\x01"))) == "undecodable"


@pytest.mark.parametrize("longer", [b"\x81\x80\x00", b"\xc0\x80\x80\x80\x80\x80\x80\x80\x80\x00"])
def test_a_number_that_could_be_shorter_is_read(longer: bytes) -> None:
    """The specification does not ask for the shortest form, and Apache's readers take ten bytes."""
    found = decode(event(operator=b"\x02" + longer))
    assert found["mobileOperatorId"] == {3: -1, 10: 32}[len(longer)]


@pytest.mark.parametrize("cut", range(len(START)))
def test_an_event_that_is_cut_is_refused_wherever_it_is(cut: int) -> None:
    """A string that ends early is not taken for a shorter one."""
    assert code(decode(START[:cut] or b"\x00")) == "undecodable"


@pytest.mark.parametrize("size", [2**20, 2**31, 2**62, 2**63 - 1])
@pytest.mark.parametrize("kind", ["string", "bytes", {"type": "array", "items": "int"}])
def test_a_length_beyond_the_event_is_refused_in_the_same_words_however_large(size: int, kind: Any) -> None:
    """No place is ever larger than an index can be, which is another error where this is compiled."""
    block = b"" if isinstance(kind, str) else b"\x01"
    schema = json.loads(with_extra(kind))
    for found in (decode(number(size) + b"evt-1"), decode(block + number(size) + b"evt-1", json.dumps(schema))):
        assert found.problems[0].shape == "it ends too early"


def test_a_variable_that_is_cut_is_refused() -> None:
    """Keys and values alike."""
    variables = b"\x02" + scope("session", SEAT)
    assert {code(decode((START + NO_OPERATOR + variables)[:-cut])) for cut in range(1, len(variables))} == {
        "undecodable"
    }


class TestDuplicates:
    def test_a_scope_that_comes_twice_is_refused(self) -> None:
        """The first one's variables would be lost."""
        variables = b"\x04" + scope("session", SEAT) + scope("session", GATE) + b"\x00"
        found = decode(event(variables=variables))
        assert (code(found), found.problems[0].field) == ("duplicate_scope", "variables")

    def test_a_key_that_comes_twice_in_its_scope_is_refused(self) -> None:
        """With the scope's name."""
        variables = b"\x02" + scope("session", SEAT, SEAT) + b"\x00"
        found = decode(event(variables=variables))
        assert (code(found), found.problems[0].field) == ("duplicate_key", "variables.session")

    def test_a_scope_that_comes_again_in_another_block_is_refused(self) -> None:
        """Maps may be written in several blocks."""
        variables = b"\x02" + scope("user", SEAT) + b"\x02" + scope("user", GATE) + b"\x00"
        assert code(decode(event(variables=variables))) == "duplicate_scope"

    def test_a_scope_whose_name_could_be_a_phone_number_is_not_shown(self) -> None:
        """Its place is."""
        variables = b"\x02" + scope("12515550123", SEAT, SEAT) + b"\x00"
        found = decode(event(variables=variables))
        assert found.problems[0].field == "variables.[1]"

    def test_a_map_of_another_field_is_none_of_our_business(self) -> None:
        """It is passed over."""
        text = with_extra({"type": "map", "values": "int"})
        assert decode(b"\x04\x02a\x02\x02a\x02\x00" + event(), text)["eventId"] == "evt-1"


class TestAsOthersRead:
    def test_blocks_with_their_length_are_read(self) -> None:
        """As hamba and Java's blocking encoder write them."""
        inside = SEAT + GATE
        session = string("session") + b"\x03" + number(len(inside)) + inside + b"\x00"
        variables = b"\x01" + number(len(session)) + session + b"\x00"
        assert decode(event(variables=variables))["variables"] == {"session": {"seat": "aisle", "gate": "B7"}}

    def test_lengths_and_counts_that_could_be_shorter_are_read(self) -> None:
        """Those of a map, its keys and its values, and the zero at its end."""
        seat = b"\x88\x00seat" + b"\x82\x00" + b"\x8a\x00aisle"
        variables = b"\x82\x00" + b"\x8e\x00session" + b"\x82\x00" + seat + b"\x80\x00" + b"\x80\x00"
        assert decode(event(variables=variables))["variables"] == {"session": {"seat": "aisle"}}

    @given(EVENTS)
    @example(dict(EVENT))
    @example({**EVENT, "eventId": "e" * 64, "variables": {"s" * 64: {"k" * 64: "v" * 64, "k": "v" * 63}}})
    @example({**EVENT, "variables": {"session": {f"key{n}": "" for n in range(64)}}})
    def test_our_own_events_are_read_as_fastavro_reads_them(self, given_event: dict[str, object]) -> None:
        """Byte for byte the same values, types included."""
        value = encode(given_event, CURRENT, Framing.BARE)
        ours = decode(value)
        theirs = fastavro.schemaless_reader(BytesIO(value), _parsed(CURRENT), None)
        assert repr(ours) == repr(theirs)

    @given(EVENTS)
    def test_events_of_another_version_are_read_as_fastavro_resolves_them(self, given_event: dict[str, object]) -> None:
        """Fields that ours does not have, of whatever kind, are passed over."""
        more = {"cities": [{"name": "Ulm"}], "kind": "B", "price": b"\x01", "home": {"name": "Ulm"}}
        value = encode({**given_event, **more}, newer(), Framing.BARE)
        ours = decode(value, newer())
        theirs: Any = fastavro.schemaless_reader(BytesIO(value), _parsed(newer()), _parsed(CURRENT))
        assert dict(ours) == theirs

    def test_our_schema_may_grow_fields_of_any_kind(self) -> None:
        """Arrays, enums, fixed, records, and types that are used again by their name."""
        schema = json.loads(newer())
        schema["fields"].append({"name": "id", "type": {"type": "fixed", "name": "Id", "size": 2}})
        text = json.dumps(schema)
        more = {"cities": [{"name": "Ulm"}, {"name": "Bonn"}], "kind": "B", "price": b"\x01", "home": {"name": "Ulm"}}
        value = encode({**EVENT, **more, "id": b"ab"}, text, Framing.BARE)
        theirs = fastavro.schemaless_reader(BytesIO(value), _parsed(text), None)
        assert Reader(text).writer(text).read(value, 0) == theirs

    @pytest.mark.parametrize(
        ("ours", "theirs", "value"),
        [
            ("double", "int", 3),
            ("float", "long", 3),
            ("double", "float", 1.5),
            ("long", "int", 3),
            ("bytes", "string", "ab"),
            ("string", "bytes", b"ab"),
            (["null", "double"], "int", 3),
            (["null", "bytes"], ["string", "null"], "ab"),
        ],
    )
    def test_types_are_promoted_as_fastavro_promotes_them(self, ours: Any, theirs: Any, value: Any) -> None:
        """As the specification's rules of schema resolution say."""
        reader, writer = with_extra(ours), with_extra(theirs)
        given_bytes = encode({**EVENT, "extra": value}, writer, Framing.BARE)
        found = Reader(reader).writer(writer).read(given_bytes, 0)
        expected: Any = fastavro.schemaless_reader(BytesIO(given_bytes), _parsed(writer), _parsed(reader))
        assert repr(found["extra"]) == repr(expected["extra"])

    def test_a_symbol_that_our_enum_does_not_have_does_not_resolve(self) -> None:
        """Nor does another enum."""
        ours = with_extra({"type": "enum", "name": "E", "symbols": ["A", "B"]})
        fewer = with_extra({"type": "enum", "name": "E", "symbols": ["B"]})
        value = encode({**EVENT, "extra": "B"}, fewer, Framing.BARE)
        assert Reader(ours).writer(fewer).read(value, 0)["extra"] == "B"
        with pytest.raises(IncompatibleError, match="extra: an enum with symbols"):
            Reader(fewer).writer(ours)


@cache
def _parsed(text: str) -> Any:
    """Without logical types, which fastavro would make datetimes of."""
    return fastavro.parse_schema(json.loads(text.replace('"logicalType"', '"was"')))
