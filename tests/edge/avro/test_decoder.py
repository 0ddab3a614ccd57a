"""Bytes in: fields, a refusal, or the question for a schema out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.event import event_from
from connector.core.record import Partition
from connector.core.refusal import Refusal, Stage
from connector.core.signals import SchemaNeeded
from connector.edge.avro.canonical import fingerprint
from connector.edge.avro.codec import Encoder, Reader, encode
from connector.edge.avro.decoder import DECODE_CODES, AvroDecoder
from connector.edge.avro.framing import LARGEST_VALUE, Framing
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, SchemaFolderError
from tests.support.avro import CURRENT, EVENT, EVENTS, newer, older, record, with_extra, with_field

SCHEMAS = {1: CURRENT, 2: older(), 3: newer()}
FOLDER = SchemaFolder(
    tuple(SchemaFile(f"{number}.avsc", text) for number, text in SCHEMAS.items()),
    {number: SchemaFile(f"{number}.avsc", text) for number, text in SCHEMAS.items()},
)
IN_AVRO = [Framing.AUTO, Framing.CONFLUENT, Framing.SINGLE_OBJECT, Framing.BARE]
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4}
DATE = {"type": "int", "logicalType": "date"}
NEW_FIELDS = {"cities": [{"name": "Ulm"}], "kind": "B", "price": b"\x01", "home": {"name": "Ulm"}}


class SomeRegistry:
    """Says that every id is one of these schemas, or unknown."""

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        return Unknown()

    async def close(self) -> None:
        pass


def decoder(framing: Framing = Framing.AUTO, bare: str | None = None, **options: Any) -> AvroDecoder:
    file = None if bare is None else SchemaFile("bare.avsc", bare)
    return AvroDecoder(CURRENT, FOLDER, framing=framing, bare=file, monotonic=lambda: 0.0, **options)


AUTO = decoder()
BARE = {text: decoder(Framing.BARE, text) for text in SCHEMAS.values()}


def refused(given: AvroDecoder, value: bytes | None) -> str:
    """The class of the dead letter that this value becomes."""
    found = given.decode(record(value))
    assert isinstance(found, Refusal)
    assert found.stage is Stage.DECODE
    assert found.code in DECODE_CODES
    return found.code


def long(number: int) -> bytes:
    """A number as Avro writes it, which is how a union's branch is named."""
    out = BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def confluent(fields: Mapping[str, object], number: int) -> bytes:
    return encode(fields, SCHEMAS[number], Framing.CONFLUENT, number)


class TestRoundTrip:
    @given(EVENTS, st.sampled_from([Framing.CONFLUENT, Framing.SINGLE_OBJECT]))
    def test_an_event_comes_out_as_it_went_in(self, event: dict[str, object], framing: Framing) -> None:
        """Both framings that name their schema, told apart by `auto`."""
        assert AUTO.decode(record(encode(event, CURRENT, framing, 1))) == event

    @given(EVENTS)
    def test_a_bare_event_comes_out_as_it_went_in(self, event: dict[str, object]) -> None:
        """Even when its bytes happen to begin like a frame."""
        assert BARE[CURRENT].decode(record(encode(event, CURRENT, Framing.BARE))) == event

    @given(EVENTS, st.sampled_from(IN_AVRO))
    def test_an_older_schema_takes_our_defaults(self, event: dict[str, object], framing: Framing) -> None:
        """Fields that the writer did not have yet are as if left out."""
        given = BARE[SCHEMAS[2]] if framing is Framing.BARE else AUTO
        defaults: dict[str, object] = {"mobileOperatorId": None, "variables": {}, "createdAt": None, "expiresAt": None}
        assert given.decode(record(encode(event, SCHEMAS[2], framing, 2))) == {**event, **defaults}

    @given(EVENTS, st.sampled_from(IN_AVRO))
    def test_a_newer_schema_loses_only_what_we_do_not_know(self, event: dict[str, object], framing: Framing) -> None:
        """Fields that we do not have are skipped, of whatever kind."""
        given = BARE[SCHEMAS[3]] if framing is Framing.BARE else AUTO
        value = encode({**event, **NEW_FIELDS}, SCHEMAS[3], framing, 3)
        assert given.decode(record(value)) == event

    def test_times_stay_milliseconds(self) -> None:
        """No datetime comes out, so the event's types are right as they are."""
        fields = AUTO.decode(record(confluent({**EVENT, "expiresAt": 1_800_000_000_001}, 1)))
        assert isinstance(fields, Mapping)
        event = event_from(fields)
        assert not isinstance(event, Refusal)
        assert (event.created_at_ms, event.expires_at_ms) == (1_800_000_000_000, 1_800_000_000_001)

    def test_narrower_types_of_a_writer_are_promoted(self) -> None:
        """An int is a long to us, a float a double, a string one of the union's branches."""
        text = with_field("mobileOperatorId", type="int", default=0)
        value = encode({**EVENT, "mobileOperatorId": 7}, text, Framing.BARE)
        fields = decoder(Framing.BARE, text).decode(record(value))
        assert isinstance(fields, Mapping)
        assert fields["mobileOperatorId"] == 7


class TestAnyBytes:
    @given(st.binary(max_size=300))
    @example(b"\x00\x00\x00\x00\x01")
    @example(b"\xc3\x01")
    def test_any_value_gets_an_answer(self, value: bytes) -> None:
        """Never an exception."""
        for one in (AUTO, *BARE.values()):
            assert isinstance(one.decode(record(value)), Mapping | Refusal)

    @given(st.sampled_from(list(SCHEMAS)), st.binary(max_size=300))
    def test_any_bytes_behind_a_good_frame_get_an_answer(self, number: int, rest: bytes) -> None:
        """Never an exception, whichever schema they are read with."""
        found = AUTO.decode(record(b"\x00" + number.to_bytes(4, "big") + rest))
        assert isinstance(found, Mapping | Refusal)

    @given(EVENTS, st.sampled_from([1, 3]), st.data())
    def test_a_damaged_event_gets_an_answer(self, event: dict[str, object], number: int, data: st.DataObject) -> None:
        """One byte changed anywhere behind the frame."""
        value = bytearray(confluent({**event, **NEW_FIELDS}, number))
        value[data.draw(st.integers(5, len(value) - 1))] = data.draw(st.integers(0, 255))
        assert isinstance(AUTO.decode(record(bytes(value))), Mapping | Refusal)

    @given(EVENTS, st.sampled_from([1, 2, 3]), st.data())
    def test_a_cut_event_is_refused(self, event: dict[str, object], number: int, data: st.DataObject) -> None:
        """No prefix of an event is an event."""
        value = confluent({**event, **NEW_FIELDS}, number)
        cut = data.draw(st.integers(5, len(value) - 1))
        assert refused(AUTO, value[:cut]) in {"undecodable", "incompatible_schema"}

    @pytest.mark.parametrize("length", [b"\x08", b"\x01", b"\x05", b"\xff\xff\xff\xff\x0f"])
    def test_a_wrong_length_in_a_field_that_is_skipped_is_refused(self, length: bytes) -> None:
        """Some readers take what is there: too little, or with a negative length everything."""
        value = confluent({**EVENT, **NEW_FIELDS}, 3)
        assert value.endswith(b"\x06Ulm")
        assert refused(AUTO, value[:-4] + length + b"Ulm") == "undecodable"

    @given(EVENTS, st.sampled_from([1, 2, 3]), st.binary(min_size=1, max_size=20))
    def test_trailing_bytes_are_refused(self, event: dict[str, object], number: int, more: bytes) -> None:
        """fastavro ignores them; an event that is longer than its schema was written with another one."""
        assert refused(AUTO, confluent({**event, **NEW_FIELDS}, number) + more) == "trailing_bytes"


class TestRefusals:
    def test_a_tombstone_has_a_class_of_its_own(self) -> None:
        """A null value is no crash."""
        assert refused(AUTO, None) == "tombstone"

    def test_an_empty_value_has_a_class_of_its_own(self) -> None:
        """It is no tombstone, and in no framing an event."""
        assert [refused(given, b"") for given in (AUTO, BARE[CURRENT])] == ["empty_value"] * 2

    def test_a_value_over_the_bound_is_not_decoded(self) -> None:
        """The bound itself still is."""
        # A text of this length has 3 bytes in front of it that say so, the usual one of EVENT has 1.
        room = LARGEST_VALUE - len(confluent({**EVENT, "eventId": ""}, 1)) - 2
        longest, longer = ({**EVENT, "eventId": "x" * length} for length in (room, room + 1))
        assert AUTO.decode(record(confluent(longest, 1))) == longest
        assert refused(AUTO, confluent(longer, 1)) == "value_too_large"

    @pytest.mark.parametrize("value", [b"{}", b"\x00\x00\x01", b"\xc3\x01\x00", b"\xc3\x02" + bytes(8), b"\x02" * 40])
    def test_what_is_no_frame_is_refused(self, value: bytes) -> None:
        """JSON, cut frames, an unknown version of one, anything."""
        assert refused(AUTO, value) == "bad_frame"

    def test_an_id_that_no_registry_can_have_is_no_frame(self) -> None:
        """Ids are signed ints; asked for a larger one, a registry answers anything, and the partition would wait."""
        assert refused(decoder(registry=SomeRegistry()), b"\x00\xff\xff\xff\xff\x00") == "bad_frame"

    def test_a_framing_that_is_not_configured_is_refused(self) -> None:
        """Each setting takes its own frame only."""
        single = encode(EVENT, CURRENT, Framing.SINGLE_OBJECT)
        assert refused(decoder(Framing.CONFLUENT), single) == "bad_frame"
        assert refused(decoder(Framing.SINGLE_OBJECT), confluent(EVENT, 1)) == "bad_frame"

    def test_an_unknown_fingerprint_is_refused(self) -> None:
        """No registry of this kind can be asked for one."""
        assert refused(decoder(registry=SomeRegistry()), b"\xc3\x01" + bytes(9)) == "unknown_schema"

    def test_an_unknown_id_is_refused_without_a_registry(self) -> None:
        """The folder is all there is."""
        assert refused(AUTO, b"\x00\x00\x00\x00\x63\x00") == "unknown_schema"

    def test_an_unknown_id_asks_the_registry_where_there_is_one(self) -> None:
        """By a key that `fetch` takes."""
        found = decoder(registry=SomeRegistry()).decode(record(b"\x00\x00\x00\x00\x63\x00"))
        assert found == SchemaNeeded("99", Partition("invocations", 0), 0)

    def test_no_reason_shows_the_event(self) -> None:
        """Neither a number nor an id of it, wherever the bytes break."""
        value = confluent(EVENT, 1)
        decoded = [AUTO.decode(record(value[:cut] + b"\xff")) for cut in range(5, len(value))]
        reasons = [found.reason for found in decoded if isinstance(found, Refusal)]
        assert len(reasons) > len(decoded) / 2
        assert not any("1251" in reason or "evt-1" in reason for reason in reasons)

    @pytest.mark.parametrize("index", [*range(-80, 0), -(2**31), -(2**63)])
    @pytest.mark.parametrize("text", [CURRENT, newer()], ids=["ours", "newer"])
    def test_a_negative_branch_of_a_union_is_refused(self, text: str, index: int) -> None:
        """To some readers -1 is the last branch, as to Python."""
        value = encode({**EVENT, **NEW_FIELDS}, text, Framing.BARE)
        branch = value.index(b"\x02\xfe\x05")  # the second branch, then 383
        given = value[:branch] + long(index) + value[branch + 1 :]
        assert refused(decoder(Framing.BARE, text), given) in {"undecodable", "incompatible_schema"}


class TestIncompatible:
    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            (with_field("phoneNumber", type="long"), "phoneNumber: long is not string"),
            (with_field("phoneNumber", type=["null", "int"]), "phoneNumber: int is not string"),
            (with_field("phoneNumber", type=["int", "long"]), "phoneNumber: [int, long] is not string"),
            (
                with_field("variables", type={"type": "map", "values": "string"}),
                "variables.*: string is not map of [null, string, long, double, boolean]",
            ),
            (
                with_field("variables", type={"type": "array", "items": "string"}),
                "variables: array of string is not map of map of [null, string, long, double, boolean]",
            ),
            (CURRENT.replace('"InvocationEvent"', '"Other"'), "record invoke.connector.Other is not invoke."),
            (CURRENT.replace('"InvocationEvent"', '"E12515550123"'), "record of another name is not invoke."),
            (CURRENT.replace('"eventId"', '"id"'), "eventId: not written, and has no default"),
            (
                with_field("eventId", type={"type": "bytes", "logicalType": "decimal", "precision": 4}),
                "bytes (decimal)",
            ),
            (
                with_field("mobileOperatorId", type={"type": "int", "logicalType": "date"}),
                "Id: int (date) is not [null",
            ),
        ],
    )
    def test_what_does_not_resolve_is_refused_with_field_and_types(self, text: str, complaint: str) -> None:
        """Of a registry's schema in each event's reason, of a file of ours at start."""
        with pytest.raises(IncompatibleError) as caught:
            Reader(CURRENT).writer(text)
        assert complaint in str(caught.value)
        with pytest.raises(SchemaFolderError, match=r"bare\.avsc cannot be used: "):
            decoder(Framing.BARE, text)

    def test_a_branch_that_does_not_resolve_is_refused_when_it_is_written(self) -> None:
        """Its reason names the field, and both types."""
        text = with_field("phoneNumber", type=["null", "string"])
        found = decoder(Framing.BARE, text).decode(record(encode({**EVENT, "phoneNumber": None}, text, Framing.BARE)))
        assert isinstance(found, Refusal)
        assert (found.code, found.problems[0].shape) == ("incompatible_schema", "phoneNumber: null is not string")

    def test_the_namespace_of_the_record_does_not_count(self) -> None:
        """As the specification says: the unqualified name."""
        text = CURRENT.replace('"invoke.connector"', '"com.example"')
        assert decoder(Framing.BARE, text).decode(record(encode(EVENT, text, Framing.BARE))) == EVENT

    def test_a_union_that_is_wider_than_ours_is_read_where_it_fits(self) -> None:
        """Resolution looks at the branch that was written."""
        text = with_field("phoneNumber", type=["null", "string"])
        assert decoder(Framing.BARE, text).decode(record(encode(EVENT, text, Framing.BARE))) == EVENT

    @pytest.mark.parametrize("unit", ["timestamp-micros", "timestamp-nanos", "local-timestamp-millis"])
    def test_a_time_in_another_unit_is_refused(self, unit: str) -> None:
        """To Avro it is a long like ours, and would be read a thousand times off."""
        text = with_field("expiresAt", type=["null", {"type": "long", "logicalType": unit}])
        with pytest.raises(SchemaFolderError, match=r"expiresAt: long \(.*\) is not \[?.*long \(timestamp-millis\)"):
            decoder(Framing.BARE, text)

    def test_a_time_without_a_unit_is_read_as_ours(self) -> None:
        """A plain long is milliseconds, as the field's description says."""
        text = with_field("createdAt", type=["null", "long"])
        assert decoder(Framing.BARE, text).decode(record(encode(EVENT, text, Framing.BARE))) == EVENT

    def test_a_decimal_of_another_field_is_passed_over_and_never_computed(self) -> None:
        """What it costs to compute one grows faster than its length."""
        text = with_extra({"type": "bytes", "logicalType": "decimal", "precision": 9})
        value = encode({**EVENT, "extra": b"\x7f" * 4}, text, Framing.BARE)
        assert decoder(Framing.BARE, text).decode(record(value)) == EVENT


class TestEncoder:
    def test_auto_writes_the_frame_that_can_be_written(self) -> None:
        """With an id Confluent's, without one single-object encoding."""
        heads = [Encoder(CURRENT, Framing.AUTO, number).encode(EVENT)[:2] for number in (7, None)]
        assert heads == [b"\x00\x00", b"\xc3\x01"]

    def test_absent_fields_take_their_defaults(self) -> None:
        """A producer's JSON may leave them out."""
        fields = {name: EVENT[name] for name in ("eventId", "serviceId", "phoneNumber")}
        found = AUTO.decode(record(confluent(fields, 1)))
        assert isinstance(found, Mapping)
        assert found["variables"] == {}

    def test_fields_that_do_not_fit_are_refused_unseen(self) -> None:
        """A ValueError that repeats no value."""
        with pytest.raises(ValueError, match="do not fit the schema") as caught:
            encode({**EVENT, "phoneNumber": 12515550123}, CURRENT, Framing.BARE)
        assert "1251" not in str(caught.value)

    def test_confluents_frame_needs_an_id(self) -> None:
        """Nothing is made up."""
        with pytest.raises(ValueError, match="needs the id"):
            Encoder(CURRENT, Framing.CONFLUENT)

    def test_bare_framing_and_its_schema_go_together(self) -> None:
        """Bare bytes are never guessed."""
        with pytest.raises(ValueError, match="go together"):
            decoder(Framing.BARE)


class TestFingerprint:
    def test_fingerprints_are_avros(self) -> None:
        """`"int"` has 0x7275d51a3f395c8f in Avro's own schema-tests.txt; the wire has it little endian."""
        assert fingerprint('"int"') == (0x7275D51A3F395C8F).to_bytes(8, "little")

    def test_docs_do_not_change_a_fingerprint(self) -> None:
        """The canonical form leaves them out."""
        schema = json.loads(CURRENT)
        del schema["doc"]
        assert fingerprint(json.dumps(schema)) == fingerprint(CURRENT)
