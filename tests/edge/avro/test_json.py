"""Events in JSON, with a JSON Schema: read exactly, or refused without showing a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config.mapping_events import events_of
from connector.core.event import event_from
from connector.core.mapping.rules import Rules
from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.codec import Reader
from connector.edge.avro.decoder import DECODE_CODES, AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.json_values import JsonWriter
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, SchemaFolderError, json_schema
from connector.edge.avro.vetting import UnsafeSchemaError
from tests.edge.avro.test_names import Registry
from tests.support.avro import CURRENT, EVENT, EVENTS, record

TEXT = json_schema().text
NO_FILES = SchemaFolder((), {})
SECRET = "13105550199"


def decoder(text: str = TEXT) -> AvroDecoder:
    bare = SchemaFile("event.json", text, is_json=True)
    return AvroDecoder(CURRENT, NO_FILES, framing=Framing.JSON, bare=bare, monotonic=lambda: 0.0)


OURS = decoder()


def refusal(found: object) -> Refusal:
    assert isinstance(found, Refusal), found
    assert found.code in DECODE_CODES
    assert SECRET not in found.reason
    return found


def value(**changes: object) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


@given(EVENTS.filter(lambda event: "Infinity" not in json.dumps(event)))
def test_an_event_comes_out_as_it_went_in(event: dict[str, object]) -> None:
    """Every number too."""
    assert OURS.decode(record(json.dumps(event).encode())) == event


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_value_gets_an_answer(given_: bytes) -> None:
    """Never an exception."""
    assert isinstance(OURS.decode(record(given_)), Mapping | Refusal)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_any_json_gets_an_answer(given_: Any) -> None:
    """NaN and half of a surrogate pair are none."""
    assert isinstance(OURS.decode(record(json.dumps({**EVENT, "variables": given_}).encode())), Mapping | Refusal)


def test_what_our_json_schema_takes_is_an_event_of_ours() -> None:
    """The two schemas have the same fields, and the same ones are needed."""
    avro, schema = json.loads(CURRENT), json.loads(TEXT)
    assert [field["name"] for field in avro["fields"]] == list(schema["properties"])
    assert [field["name"] for field in avro["fields"] if "default" not in field] == schema["required"]
    fields = OURS.decode(record(value(other="is ignored")))
    assert isinstance(fields, Mapping)
    assert not isinstance(event_from(fields), Refusal)


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        (b'{"eventId": "a", "eventId": "b"}', "duplicate_key", "eventId: "),
        (b'{"variables": {"session": {"gate": "A", "gate": "B"}}}', "duplicate_key", "gate: "),
        (b'{"variables": {"' + SECRET.encode() + b'": 1, "' + SECRET.encode() + b'": 2}}', "duplicate_key", "[2]: "),
        (b'{"a": 9223372036854775808}', "undecodable", "more than 64 bits"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "undecodable", ""),
        (b'{"a": 0.12345678901234567890}', "undecodable", "more digits than a double"),
        (b'{"a": 1e999}', "undecodable", ""),
        (b'{"a": 1e-999999999999999999999}', "undecodable", "more digits than a double"),
        (b'{"a": NaN}', "undecodable", "no JSON"),
        (b'{"a": "\\ud800"}', "undecodable", "no JSON"),
        (b'{"a": "\xff"}', "undecodable", "no JSON"),
        (b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}", "undecodable", "more than 32 deep"),
        (b"[" * 5000 + b"]" * 5000, "undecodable", ""),
        (b"[1]", "undecodable", "no JSON object"),
        (b'{"a": 1} {"a": 2}', "undecodable", "no JSON"),
        (b"\0\0\0\0\7{}", "undecodable", "no JSON"),
    ],
)
def test_what_json_readers_take_in_silence_is_refused(written: bytes, code: str, words: str) -> None:
    """A key that comes twice, digits that a double does not have."""
    found = refusal(decoder('{"type": "object"}').decode(record(written)))
    assert found.code == code
    assert words in found.reason


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"phoneNumber": int(SECRET)}, "phoneNumber: schema_violation (int, against type)"),
        ({"variables": {"session": SECRET}}, "variables.session: schema_violation (string of 11 characters"),
        ({"variables": {SECRET: {"a": [SECRET]}}}, "variables.[1].a: schema_violation (list of 1 items, against type)"),
        ({"variables": {"s": {"007": [SECRET]}}}, "variables.s.[?]: schema_violation (list of 1 items, against type)"),
    ],
)
def test_what_breaks_its_schema_is_refused_by_field_and_keyword(changes: dict[str, object], problem: str) -> None:
    """And by the shape of the value."""
    found = refusal(OURS.decode(record(value(**changes))))
    assert found.code == "schema_violation"
    assert problem in found.reason


def test_every_field_that_is_missing_is_named() -> None:
    found = refusal(OURS.decode(record(b"{}")))
    assert [problem.field for problem in found.problems] == ["eventId", "serviceId", "phoneNumber"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON Schema of objects"),
        ('{"type": "nonsense"}', "no JSON Schema that can be used"),
        ('{"type": {"x": 1}}', "no JSON Schema that can be used"),
        ('{"type": [["string"]]}', "no JSON Schema that can be used"),
        ('{"type": "object", "properties": {}, "required": [{}]}', "no JSON Schema that can be used"),
        ('{"$schema": "https://example.com/own"}', "another draft"),
        ('{"$ref": "https://example.com/schema.json"}', "a reference to another schema"),
        ('{"properties": {"a": {"$ref": "#"}}}', "a reference to another schema, or to itself"),
        ('{"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}', "recursive"),
        ('{"$ref": "#/$defs/b"}', "what it does not define"),
        ('{"properties": {"a": {"$dynamicRef": "#a"}}}', "dynamic"),
        ('{"properties": {"default": {"$ref": "#/properties/default"}}}', "recursive"),
        ('{"pattern": "(?=a)b"}', "no JSON Schema that can be used"),
        ('{"enum": [' + "1," * 300_000 + "1]}", "longer than"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(8)}}), ""),
        (
            json.dumps(
                {
                    "$ref": "#/$defs/d0",
                    "$defs": {
                        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(8)},
                        "d8": {"type": "object"},
                    },
                }
            ),
            "more than 10000 parts",
        ),
    ],
)
def test_a_schema_that_is_none_or_out_of_bounds_is_refused_before_a_value_is_held_against_it(
    schema: str, words: str
) -> None:
    """No reference elsewhere, no recursion, no parts that multiply, no pattern that goes back and forth."""
    with pytest.raises(UnsafeSchemaError) as error:
        JsonWriter(schema)
    assert words in str(error.value)
    with pytest.raises(SchemaFolderError, match="cannot be used"):
        decoder(schema)


def test_definitions_of_its_own_are_followed() -> None:
    """Also where a property has the name of a keyword."""
    schema = {
        "type": "object",
        "properties": {"id": {"$ref": "#/definitions/id"}, "default": {"type": "integer"}},
        "definitions": {"id": {"type": "string", "pattern": "^[a-z]+$", "examples": [{"id": "x"}]}},
    }
    one = decoder(json.dumps(schema))
    assert one.decode(record(b'{"id": "abc", "default": 1}')) == {"id": "abc", "default": 1}
    assert "against pattern" in refusal(one.decode(record(b'{"id": "ABC"}'))).reason


async def test_confluents_frame_names_a_json_schema_too() -> None:
    """The registry says of what kind the schema is; nothing has to be set."""

    class Json(Registry):
        async def schema(self, number: int) -> Found:
            return Found(TEXT, (), is_json=True)

    one = AvroDecoder(CURRENT, NO_FILES, registry=Json(), monotonic=lambda: 0.0)
    given_ = record(b"\0\0\0\0\7" + value())
    needed = one.decode(given_)
    assert isinstance(needed, SchemaNeeded)
    assert await one.fetch(needed, 0) is None
    assert [one.decode(given_), one.decode(given_)] == [EVENT, EVENT]
    assert refusal(one.decode(record(b"\0\0\0\0\7" + value(eventId=None)))).code == "schema_violation"


def test_ids_json_names_json_schemas_too() -> None:
    folder = SchemaFolder((), {7: SchemaFile("7.json", TEXT, is_json=True)})
    one = AvroDecoder(CURRENT, folder, monotonic=lambda: 0.0)
    assert one.decode(record(b"\0\0\0\0\7" + value())) == EVENT


BOOKING = {
    "title": "com.example.Booking",
    "type": "object",
    "properties": {
        "reference": {"type": "string"},
        "state": {"enum": ["new", "gone"]},
        "passenger": {"$ref": "#/$defs/passenger"},
        "seats": {"type": "array", "items": {"type": ["integer", "null"]}},
        "extras": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["reference", "passenger"],
    "$defs": {"passenger": {"type": "object", "properties": {"phone": {"type": "string"}}, "required": ["phone"]}},
}
RULES: dict[str, Any] = {
    "schema": "com.example.Booking",
    "eventId": "reference",
    "serviceId": {"value": "0A1B"},
    "phoneNumber": {"path": "passenger.phone", "then": ["digits"]},
    "variables": {"session": {"seat": "seats[0]", "meal": "extras.meal", "gate": "$header.ce_gate"}},
}


def mapping(event: dict[str, Any], schema: dict[str, Any] = BOOKING) -> AvroDecoder:
    bare = SchemaFile("booking.json", json.dumps(schema), is_json=True)
    reader = Reader(CURRENT, Rules(events_of([event])))
    return AvroDecoder(reader, NO_FILES, framing=Framing.JSON, bare=bare, monotonic=lambda: 0.0)


@pytest.mark.parametrize("schema", [BOOKING, {}])
def test_json_of_other_fields_is_mapped(schema: dict[str, Any]) -> None:
    """With a schema and its title, or without: binary CloudEvents have their attributes in headers."""
    event = {"reference": "X7", "passenger": {"phone": "+1 251 555 0123"}, "seats": [7], "extras": {"meal": "fish"}}
    one = mapping(RULES if schema else {name: part for name, part in RULES.items() if name != "schema"}, schema)
    given_ = record(json.dumps(event).encode())._replace(headers=(("ce_gate", b"B7"),))
    fields = one.decode(given_)
    assert isinstance(fields, Mapping)
    assert (fields["eventId"], fields["phoneNumber"]) == ("X7", "12515550123")
    assert fields["variables"] == {"session": {"seat": 7, "meal": "fish", "gate": "B7"}}
    twice = refusal(one.decode(record(b'{"reference": "a", "reference": "b", "passenger": {"phone": "1"}}')))
    assert twice.code == "duplicate_key"


@pytest.mark.parametrize("written", ["491705550147", "491705550147.0", "4.91705550147e11", "491705550147.00e0"])
def test_a_whole_number_is_one_to_a_mapping_however_it_is_written(written: str) -> None:
    """To JSON Schema all four are integers. A float's text would bring one digit more: somebody else's number."""
    schema = {**BOOKING, "$defs": {"passenger": {"type": "object", "properties": {"phone": {"type": "integer"}}}}}
    text = f'{{"reference": "X7", "passenger": {{"phone": {written}}}}}'
    fields = mapping(RULES, schema).decode(record(text.encode()))
    assert isinstance(fields, Mapping), fields
    assert fields["phoneNumber"] == "491705550147"


@pytest.mark.parametrize(
    ("field", "source", "words"),
    [
        ("phoneNumber", "passenger.fone", "did you mean phone"),
        ("eventId", "seats", "array"),
        ("eventId", "extras.id.more", "no fields"),
    ],
)
def test_a_mapping_that_does_not_fit_a_json_schema_is_refused_at_start(field: str, source: str, words: str) -> None:
    """As one that does not fit an Avro schema."""
    with pytest.raises(SchemaFolderError, match="the mapping does not fit") as error:
        mapping({**RULES, field: source})
    assert words in str(error.value)


def test_json_of_our_own_fields_passes_a_mapping_of_others() -> None:
    """As records of our Avro schema do; those of another title are none of ours."""
    assert mapping(RULES, json.loads(TEXT)).decode(record(value())) == EVENT
    found = mapping(RULES, {"title": "com.example.Refund"}).decode(record(b"{}"))
    assert isinstance(found, Refusal)
    assert found.code == "mapping_not_ours"
