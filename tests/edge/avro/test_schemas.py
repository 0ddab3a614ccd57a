"""Our schema and its versions, the folder they are read from, and what no writer's schema may be."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.codec import Reader, encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolderError, load_folder, reader_schema, shipped_folder
from connector.edge.avro.vetting import UnsafeSchemaError, vet
from tests.support.avro import CURRENT, EVENT, EVENTS, newer, older, record, with_extra, with_field
from tests.support.compatibility import incompatibilities

SCHEMAS = Path(__file__).parents[3] / "schemas"
VERSIONS = sorted((SCHEMAS / "invocation-event").glob("*.avsc"), key=lambda path: int(path.stem))


class TestOurSchema:
    def test_the_record_has_its_name(self) -> None:
        """Another name does not resolve, so it never changes."""
        schema = json.loads(CURRENT)
        assert (schema["namespace"], schema["name"]) == ("invoke.connector", "InvocationEvent")

    def test_every_field_but_three_has_a_default(self) -> None:
        """What older events do not have must come from somewhere."""
        without = [field["name"] for field in json.loads(CURRENT)["fields"] if "default" not in field]
        assert without == ["eventId", "serviceId", "phoneNumber"]

    def test_every_field_is_described(self) -> None:
        """The schema is what a producer reads first."""
        assert all(len(field["doc"]) > 40 for field in json.loads(CURRENT)["fields"])

    def test_what_is_installed_is_what_producers_read(self) -> None:
        """The package's schema is the one in `schemas/`."""
        assert reader_schema() == (SCHEMAS / "invocation-event.avsc").read_text(encoding="utf-8")


class TestEvolution:
    def test_the_current_schema_is_the_newest_version(self) -> None:
        """A change gets the next number: copy invocation-event.avsc there, and leave the older ones alone."""
        assert [path.stem for path in VERSIONS] == [str(number + 1) for number in range(len(VERSIONS))]
        assert VERSIONS[-1].read_text(encoding="utf-8") == CURRENT

    @pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
    def test_every_version_is_readable_whatever_it_allows(self, path: Path) -> None:
        """An incompatible change would send every event on its way to the dead letters."""
        assert list(incompatibilities(json.loads(path.read_text(encoding="utf-8")), json.loads(CURRENT))) == []

    @pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
    @given(event=EVENTS)
    def test_events_of_every_version_are_read(self, path: Path, event: dict[str, object]) -> None:
        """By the fingerprint of their version, with what they carry."""
        text = path.read_text(encoding="utf-8")
        names = {field["name"] for field in json.loads(text)["fields"]}
        written = {name: value for name, value in event.items() if name in names}
        decoder = AvroDecoder(CURRENT, shipped_folder(), monotonic=lambda: 0.0)
        found = decoder.decode(record(encode(written, text, Framing.SINGLE_OBJECT)))
        assert not isinstance(found, SchemaNeeded)
        assert {**event, **written} == dict(found)  # type: ignore[arg-type] # a refusal is no mapping and fails here

    @pytest.mark.parametrize(
        ("writer", "complaint"),
        [
            (with_field("phoneNumber", type="long"), ".phoneNumber: long is not string"),
            (with_field("phoneNumber", type=["null", "string"]), ".phoneNumber: null is not string"),
            (with_field("mobileOperatorId", type="string"), ".mobileOperatorId: string has no branch"),
            (with_field("createdAt", type={"type": "long", "logicalType": "timestamp-micros"}), ".createdAt: long has"),
            (CURRENT.replace('"eventId"', '"id"'), ".eventId: has no default"),
            (CURRENT.replace('"invoke.connector"', '"other"'), ": another record"),
        ],
    )
    def test_the_check_finds_an_incompatible_change(self, writer: str, complaint: str) -> None:
        """Else it could not fail."""
        found = list(incompatibilities(json.loads(writer), json.loads(CURRENT)))
        assert [text[: len(complaint)] for text in found] == [complaint]

    def test_the_check_lets_compatible_changes_pass(self) -> None:
        """Fields may come and go where there is a default."""
        assert [list(incompatibilities(json.loads(text), json.loads(CURRENT))) for text in (older(), newer())] == [
            [],
            [],
        ]


class TestFolder:
    def test_a_schema_is_known_by_its_fingerprint_wherever_it_lies(self, tmp_path: Path) -> None:
        """File names mean nothing to single-object encoding."""
        path = tmp_path / "deep" / "any name.avsc"
        path.parent.mkdir()
        path.write_text(older())
        assert load_folder(tmp_path).files == (SchemaFile(str(path), older()),)
        decoder = AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)
        assert not isinstance(decoder.decode(record(encode(EVENT, older(), Framing.SINGLE_OBJECT))), Refusal)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.avsc", "\ufeff" + older()),
            ("a.avsc", "// of the first days\n" + older()),
            ("a.avsc", "/* of the\n first days */" + older() + "// ends"),
            ("a.avsc", older().replace('"fields"', '"doc": "see https://example.com/*.html // or /* not", "fields"')),
            ("A.AVSC", older()),
        ],
        ids=["byte order mark", "line comment", "block comment", "what looks like a comment", "upper case"],
    )
    def test_a_file_is_read_as_people_write_it(self, tmp_path: Path, name: str, text: str) -> None:
        """Avro's own parser takes comments, editors write byte order marks, and Windows upper case."""
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "ids.json").write_text(f'\ufeff{{"17": "{name}"}}', encoding="utf-8")
        decoder = AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)
        for value in (
            encode(EVENT, older(), Framing.CONFLUENT, 17),
            encode(EVENT, older(), Framing.SINGLE_OBJECT),
            encode(EVENT, text, Framing.SINGLE_OBJECT),
        ):
            found = decoder.decode(record(value))
            assert isinstance(found, dict)
            assert found["eventId"] == "evt-1"

    def test_ids_are_mapped_to_files(self, tmp_path: Path) -> None:
        """A registry's ids without the registry."""
        (tmp_path / "old.avsc").write_text(older())
        (tmp_path / "ids.json").write_text('{"17": "old.avsc"}')
        decoder = AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)
        found = decoder.decode(record(encode(EVENT, older(), Framing.CONFLUENT, 17)))
        assert not isinstance(found, SchemaNeeded)
        assert dict(found)["eventId"] == "evt-1"  # type: ignore[arg-type] # as above

    def test_a_folders_ids_stand_over_those_of_another(self, tmp_path: Path) -> None:
        """Both folders' schemas are known."""
        (tmp_path / "old.avsc").write_text(older())
        both = load_folder(tmp_path).over(shipped_folder())
        assert {file.text for file in both.files} == {older(), CURRENT}

    @pytest.mark.parametrize(
        ("files", "complaint"),
        [
            ({"a.avsc": "{"}, "a.avsc is not an Avro schema"),
            ({"a.avsc": '{"type": "record"}'}, "a.avsc is not an Avro schema"),
            ({"ids.json": "{"}, "ids.json is not JSON"),
            ({"ids.json": "[]"}, "must map ids to files"),
            ({"ids.json": '{"1": "gone.avsc"}'}, r"gone.avsc cannot be read \(No such file or directory\)"),
            ({"ids.json": '{"-1": "a.avsc"}'}, "each id is 0 to 2147483647"),
            ({"ids.json": '{"2147483648": "a.avsc"}'}, "each id is 0 to 2147483647"),
            ({"ids.json": '{"1": "../a.avsc"}'}, "under the same folder"),
            ({"ids.json": '{"1": 2}'}, "under the same folder"),
        ],
    )
    def test_a_folder_that_cannot_be_used_says_why(self, tmp_path: Path, files: dict[str, str], complaint: str) -> None:
        """At start, and not at the first event."""
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        with pytest.raises(SchemaFolderError, match=complaint):
            load_folder(tmp_path)

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        """A typo must not look like an empty folder."""
        with pytest.raises(SchemaFolderError, match="is not a folder"):
            load_folder(tmp_path / "typo")

    def test_an_unsafe_schema_in_the_folder_is_an_error(self, tmp_path: Path) -> None:
        """The decoder names the file."""
        (tmp_path / "bad.avsc").write_text(with_extra({"type": "array", "items": "null"}))
        with pytest.raises(SchemaFolderError, match=r"bad\.avsc cannot be used: an array or map"):
            AvroDecoder(CURRENT, load_folder(tmp_path), monotonic=lambda: 0.0)


def named(name: str, fields: list[Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": fields}


def field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind}


def nested(depth: int) -> Any:
    """A record in a record, and so on."""
    kind: Any = "int"
    for level in range(depth):
        kind = named(f"N{level}", [field("n", kind)])
    return kind


def doubling(levels: int) -> Any:
    """Every level uses the one below twice: 2 ** levels parts in a few lines."""
    fields = [field("f0", named("D0", [field("x", "int")]))]
    for level in range(1, levels):
        below = f"D{level - 1}"
        fields.append(field(f"f{level}", named(f"D{level}", [field("a", below), field("b", below)])))
    return named("Top", fields)


class TestVetting:
    @pytest.mark.parametrize(
        ("kind", "complaint"),
        [
            ({"type": "array", "items": "null"}, "takes no bytes"),
            ({"type": "array", "items": {"type": "null"}}, "takes no bytes"),
            ({"type": "map", "values": "null"}, "takes no bytes"),
            ({"type": "array", "items": named("Empty", [])}, "takes no bytes"),
            ({"type": "array", "items": named("Half", [field("a", "int"), field("b", "null")])}, "takes no bytes"),
            ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "takes no bytes"),
            ({"type": "array", "items": ["null", named("Empty", [])]}, "takes no bytes"),
            (named("R", [field("next", ["null", "R"])]), "recursive"),
            (named("R", [field("all", {"type": "map", "values": "invoke.connector.R"})]), "recursive"),
            ("InvocationEvent", "recursive"),
            (nested(32), "nested too deeply"),
            (doubling(12), "more than 10000 parts"),
            ({"type": "fixed", "name": "F", "size": 64 * 1024 + 1}, "fixed without its parts, or out of bounds"),
            ({"type": "fixed", "name": "F", "size": -1}, "fixed without its parts, or out of bounds"),
            ({"type": "fixed", "name": "F", "size": True}, "fixed without its parts, or out of bounds"),
            ({"type": "enum", "name": "E", "symbols": []}, "enum without its parts, or out of bounds"),
            ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "the same twice"),
            ([], "a union without branches"),
            (["null", ["int"]], "a union without branches, or in a union"),
            ("Elsewhere", "uses a type that it does not define"),
            (named("R", [field("a", "int"), field("a", "int")]), "a field without a name, or with that of another"),
            (named("R", [{"type": "int"}]), "a field without a name"),
            (named("a b", [field("a", "int")]), "a type with a name that is none"),
            ({"type": "enum", "symbols": ["A"]}, "a type without a name"),
            ([named("R", [field("a", "int")]), named("R", [field("a", "int")])], "a type defined twice"),
            (17, "not a type"),
            ({}, "not a type"),
            ({"type": "array"}, "not a type"),
        ],
    )
    def test_a_schema_that_could_harm_is_refused(self, kind: Any, complaint: str) -> None:
        """Before any byte is decoded with it."""
        with pytest.raises(UnsafeSchemaError, match=complaint):
            vet(with_extra(kind))

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "not JSON"),
            ("[" * 100_000, "nested too deeply|not JSON"),
            (" " * 300_000, "longer than"),
            ('"string"', "not a record"),
            ('["null", "int"]', "not one record"),
            ('{"type": "map", "values": "int"}', "not a record"),
        ],
    )
    def test_what_is_no_record_schema_is_refused(self, text: str, complaint: str) -> None:
        """Whatever the registry or the folder holds."""
        with pytest.raises(UnsafeSchemaError, match=complaint):
            vet(text)

    def test_names_of_any_script_are_read(self) -> None:
        """Java writes them and registries take them; a field that ours does not have is passed over in any case."""
        kinds = [
            named("größe", [field("länge", "int"), field("単位", {"type": "enum", "name": "Ä", "symbols": ["Ö"]})]),
            {"type": "map", "values": "int"},
        ]
        text = with_extra(kinds).replace('"invoke.connector"', '"com.münchen"')
        decoder = AvroDecoder(
            CURRENT, shipped_folder(), framing=Framing.BARE, bare=SchemaFile("", text), monotonic=lambda: 0.0
        )
        value = b"\x00\x02\x00" + encode(EVENT, CURRENT, Framing.BARE)
        assert decoder.decode(record(value)) == EVENT

    def test_a_null_is_fine_where_nothing_repeats_it(self) -> None:
        """A field that is always null takes no byte, and only once."""
        text = with_extra("null")
        decoder = AvroDecoder(
            CURRENT, shipped_folder(), framing=Framing.BARE, bare=SchemaFile("", text), monotonic=lambda: 0.0
        )
        assert decoder.decode(record(encode({**EVENT, "extra": None}, text, Framing.BARE))) == EVENT

    def test_a_reference_is_put_where_it_is_used(self) -> None:
        """By its full name, once, with the references that it has itself."""
        city = '{"type": "record", "name": "City", "namespace": "geo", "fields": [{"name": "in", "type": "Land"}]}'
        land = '{"type": "enum", "name": "Land", "namespace": "geo", "symbols": ["DE"]}'
        tree = vet('{"type": "record", "name": "R", "fields": [{"name": "c", "type": "geo.City"}]}', [land, city])
        assert tree["fields"][0]["type"]["fields"][0]["type"] == {"type": "enum", "name": "geo.Land", "symbols": ["DE"]}

    def test_references_may_not_go_round_in_circles(self) -> None:
        """A recursion over two texts is one."""
        city = '{"type": "record", "name": "City", "fields": [{"name": "in", "type": "Land"}]}'
        land = '{"type": "record", "name": "Land", "fields": [{"name": "capital", "type": "City"}]}'
        with pytest.raises(UnsafeSchemaError, match="recursive"):
            vet('{"type": "record", "name": "R", "fields": [{"name": "c", "type": "City"}]}', [land, city])

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=5)
            | st.sampled_from(["int", "null", "record"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["type", "name", "fields", "items", "values"]), inner, max_size=5)
            ),
            max_leaves=20,
        )
    )
    def test_any_json_is_a_schema_or_refused(self, given_json: Any) -> None:
        """Never another exception."""
        with suppress(UnsafeSchemaError, IncompatibleError):
            Reader(CURRENT).writer(with_extra(given_json))
        with suppress(UnsafeSchemaError, IncompatibleError):
            Reader(CURRENT).writer(with_field("variables", type={"type": "map", "values": given_json}))
