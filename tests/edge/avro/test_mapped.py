"""A producer's own schema: what its places hold, and a plan that reads what a mapping uses of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector.config import mapping as config
from connector.core.mapping.errors import NOT_OURS, OTHER_TYPE, NotOurs
from connector.core.mapping.paths import path_of
from connector.core.mapping.rules import Event, From, Rules, Source
from connector.core.mapping.types import Kind, Type, Where, resolved
from connector.core.refusal import Refusal
from connector.edge.avro.codec import MisfitError, Reader, Writer, encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.mapped import reader_of, type_of, wanted_of
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, SchemaFolderError
from connector.edge.avro.vetting import vet
from tests.support.avro import CURRENT, EVENT, record

NAME = "com.example.Booking"
UUID = "5b0ab6a5-86a4-4e33-a2f1-3cbd2bc0c0de"


def schema(*fields: tuple[str, Any], name: str = NAME) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]})


def rules(*paths: str, name: str = NAME, **more: Any) -> Rules:
    """A mapping whose variables are these paths."""
    base = {"eventId": "id", "serviceId": "id", "phoneNumber": "id"}
    sources = {field: Source(From(path_of(path))) for field, path in base.items()}
    sources |= {f"variables.user.v{n}": Source(From(path_of(path))) for n, path in enumerate(paths)}
    return Rules((Event(name, (), (), sources),), **more)


def written(text: str, fields: Mapping[str, object]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(text)), fields)
    return out.getvalue()


def logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


KINDS: list[tuple[Any, object, Kind, object]] = [
    ("string", "a", Kind.TEXT, "a"),
    ("int", 7, Kind.INTEGER, 7),
    ("long", 2**60, Kind.INTEGER, 2**60),
    ("float", 0.5, Kind.DOUBLE, 0.5),
    ("double", 0.1, Kind.DOUBLE, 0.1),
    ("boolean", True, Kind.BOOLEAN, True),
    ("bytes", b"b", Kind.BYTES, b"b"),
    ({"type": "fixed", "name": "F", "size": 2}, b"ab", Kind.BYTES, b"ab"),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", Kind.TEXT, "B"),
    (logical("long", "timestamp-millis"), 1_500, Kind.TIME, 1_500),
    (logical("long", "timestamp-micros"), 1_500_999, Kind.TIME, 1_500),
    (logical("long", "timestamp-nanos"), 1_500_999_999, Kind.TIME, 1_500),
    (logical("long", "local-timestamp-millis"), 1_500, Kind.TEXT, "1970-01-01T00:00:01.500"),
    (logical("int", "date"), 1, Kind.TEXT, "1970-01-02"),
    (logical("bytes", "decimal", precision=6, scale=2), Decimal("12.50"), Kind.TEXT, "12.50"),
    (logical("bytes", "big-decimal"), b"b", Kind.BYTES, b"b"),
    (logical("string", "uuid"), UUID, Kind.TEXT, UUID),
]


@pytest.mark.parametrize(("kind", "value", "known", "read"), KINDS)
def test_a_value_is_known_and_read_as_what_it_means(kind: Any, value: object, known: Kind, read: object) -> None:
    text = schema(("id", "string"), ("x", kind))
    tree = vet(text)
    found = resolved(type_of(tree), ("x",))
    assert isinstance(found, Type)
    assert found.kinds == {known}
    assert reader_of(tree, {"x": {}}).read(written(text, {"id": "i", "x": value}), 0)[0] == {"x": read}


@pytest.mark.parametrize(
    ("kind", "is_local"),
    [
        (logical("int", "date"), True),
        (["null", logical("long", "local-timestamp-micros")], True),
        (["string", logical("int", "date")], False),
        (logical("long", "timestamp-micros"), False),
        (logical("string", "uuid"), False),
    ],
)
def test_a_date_is_known_to_have_no_zone(kind: Any, is_local: bool) -> None:
    found = resolved(type_of(vet(schema(("x", kind)))), ("x",))
    assert isinstance(found, Type)
    assert found.is_local is is_local


def test_in_a_union_with_other_numbers_a_time_is_read_as_text() -> None:
    """Nothing else would tell 1500 the time from 1500 the number."""
    kind = ["null", "int", logical("long", "timestamp-millis")]
    tree = vet(schema(("id", "string"), ("x", {"type": "map", "values": kind})))
    found = resolved(type_of(tree), ("x", "k"))
    assert isinstance(found, Type)
    assert found.kinds == {Kind.INTEGER, Kind.TEXT}
    assert found.nullable
    value = b"\x02i" + b"\x06" + b"\x02a\x02\x0e" + b"\x02b\x04\xb8\x17" + b"\x02c\x00" + b"\x00"
    assert reader_of(tree, {"x": {}}).read(value, 0)[0]["x"] == {"a": 7, "b": "1970-01-01T00:00:01.500Z", "c": None}


INNER = {"type": "record", "name": "Inner", "fields": [{"name": n, "type": "string"} for n in ("a", "b")]}
WHOLE: list[tuple[str, Any]] = [
    ("skipped", {"type": "array", "items": "long"}),
    ("id", "string"),
    ("one", INNER),
    ("maybe", ["null", "Inner"]),
    ("many", {"type": "array", "items": "Inner"}),
    ("named", {"type": "map", "values": "Inner"}),
    ("either", ["string", "Inner", {"type": "record", "name": "Other", "fields": [{"name": "c", "type": "int"}]}]),
    ("last", "double"),
]
texts = st.text(max_size=3)
inners = st.fixed_dictionaries({"a": texts, "b": texts})
values = st.fixed_dictionaries(
    {
        "skipped": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        "id": texts,
        "one": inners,
        "maybe": st.none() | inners,
        "many": st.lists(inners, max_size=3),
        "named": st.dictionaries(texts, inners, max_size=3),
        "either": texts | inners | st.fixed_dictionaries({"c": st.integers(0, 9)}),
        "last": st.floats(allow_nan=False),
    }
)
leaves = ["id", "one.a", "one.b", "maybe.b", "many[0].a", "many[1].b", "named.x.a", "either.a", "either.c", "last"]
leaves += ["many[a=x].b", "many[b=x]"]


@given(values, st.lists(st.sampled_from(leaves), max_size=6))
def test_what_is_read_has_the_same_at_every_path_as_the_whole(value: dict[str, Any], paths: list[str]) -> None:
    """And ends where the whole ends."""
    text = schema(*WHOLE)
    tree, encoded = vet(text), written(text, value)
    part, end = reader_of(tree, wanted_of(rules(*paths), NAME)).read(encoded, 0)
    assert end == len(encoded)
    assert "skipped" not in part
    for path in ("id", *paths):
        assert _at(part, path) == _at(value, path)


def _at(fields: Any, path: str) -> object:
    for step in path_of(path).parts:
        if isinstance(step, Where):
            fields = next((each for each in fields if each[step.field] == step.value), None)
        elif isinstance(fields, dict):
            fields = fields.get(step)
        else:
            fields = fields[step] if isinstance(fields, list) and isinstance(step, int) and step < len(fields) else None
    return fields


def test_only_what_is_wanted_is_read() -> None:
    assert wanted_of(rules("one.a", "many[0].b", "many[1].a"), NAME) == {
        "id": {},
        "one": {"a": {}},
        "many": {0: {"b": {}}, 1: {"a": {}}},
    }
    assert wanted_of(rules("one.a", "one"), NAME)["one"] == {}
    found_by = wanted_of(rules("many[a=x].b", "named[a=x]"), NAME)
    assert found_by["many"] == {Where("a", "x"): {"a": {}, "b": {}}}
    assert found_by["named"] == {Where("a", "x"): {}}


class TestWriter:
    """Which schemas become what."""

    OTHER = schema(("x", "string"), name="com.example.Other")

    def test_our_own_schema_passes_where_no_event_names_it(self) -> None:
        """In any namespace, as without a mapping."""
        text = CURRENT.replace("invoke.connector", "com.example")
        assert Reader(CURRENT, rules("id")).writer(text).mapping is None

    def test_and_is_mapped_where_one_does(self) -> None:
        sources = {name: Source(From(path_of(name))) for name in ("eventId", "serviceId", "phoneNumber")}
        mapping = Rules((Event("invoke.connector.InvocationEvent", (), (), sources),))
        reader = Reader(CURRENT, mapping)
        decoder = AvroDecoder(reader, SchemaFolder((SchemaFile("ours", CURRENT),), {}), monotonic=lambda: 0.0)
        found = decoder.decode(record(encode(EVENT, CURRENT, Framing.SINGLE_OBJECT)))
        assert isinstance(found, dict)
        assert (found["eventId"], found["variables"]) == (EVENT["eventId"], {})

    @pytest.mark.parametrize(("skips", "mapping"), [(True, NotOurs), (False, Refusal)])
    def test_others_are_passed_over_or_refused_without_being_read(self, skips: bool, mapping: type) -> None:
        writer = Reader(CURRENT, rules("id", skips_others=skips)).writer(self.OTHER)
        assert isinstance(writer.mapping, mapping)
        decoder = AvroDecoder(
            Reader(CURRENT, rules("id", skips_others=skips)),
            SchemaFolder((), {}),
            framing=Framing.BARE,
            bare=SchemaFile("other", self.OTHER),
            monotonic=lambda: 0.0,
        )
        found = decoder.decode(record(b"no Avro at all"))
        assert found == NotOurs(OTHER_TYPE) if skips else isinstance(found, Refusal) and found.code == NOT_OURS

    def test_a_file_that_does_not_fit_is_refused_at_start_by_name_and_path(self) -> None:
        text = schema(("id", "string"))
        with pytest.raises(MisfitError, match=r"variables.user.v0: gate: it has no field gate"):
            Reader(CURRENT, rules("gate")).writer(text)
        folder = SchemaFolder((SchemaFile("bookings/v2.avsc", text),), {})
        with pytest.raises(SchemaFolderError, match=r"the mapping does not fit bookings/v2.avsc: .* no field gate"):
            AvroDecoder(Reader(CURRENT, rules("gate")), folder, monotonic=lambda: 0.0)

    def test_a_map_with_a_key_twice_is_refused(self) -> None:
        text = schema(("id", "string"), ("labels", {"type": "map", "values": "string"}))
        decoder = AvroDecoder(
            Reader(CURRENT, rules("labels.a")),
            SchemaFolder((), {}),
            framing=Framing.BARE,
            bare=SchemaFile("f", text),
            monotonic=lambda: 0.0,
        )
        found = decoder.decode(record(b"\x02i\x04\x02a\x02x\x02a\x02y\x00"))
        assert isinstance(found, Refusal)
        assert (found.code, found.problems[0].field) == ("duplicate_key", "value")


EXAMPLES = Path(__file__).parents[3] / "examples" / "mapping"


@pytest.mark.parametrize("folder", sorted(EXAMPLES.iterdir()), ids=lambda folder: str(folder.name))
def test_the_examples_fit_their_schemas(folder: Path) -> None:
    given_rules = config.Mapping.model_validate(yaml.safe_load((folder / "rules.yaml").read_text())["mapping"]).rules
    writer = Reader(CURRENT, given_rules).writer((folder / "schema.avsc").read_text())
    assert isinstance(writer, Writer)
    assert writer.mapping is not None
