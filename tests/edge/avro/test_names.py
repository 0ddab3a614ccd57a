"""Schemas by other names than ids: GUIDs, AWS Glue's versions, Apicurio's ids, in front of the data or in a header."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from uuid import UUID

import pytest

from connector.config.mapping_events import events_of
from connector.core.mapping.errors import NotOurs
from connector.core.mapping.rules import Rules
from connector.core.record import Headers
from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.codec import Reader, encode
from connector.edge.avro.decoder import DECODE_CODES, AvroDecoder
from connector.edge.avro.framing import LARGEST_VALUE, Framing, Kind, Name
from connector.edge.avro.lookup import Asking
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.schemas import SchemaFile, SchemaFolder
from tests.support.avro import CURRENT, EVENT, newer, record

UUID_TEXT = "89791762-2336-4186-9674-299b90a802e2"
GUID = UUID(UUID_TEXT).bytes
BARE = encode(EVENT, CURRENT, Framing.BARE)
FOLDER = SchemaFolder((), {}, {UUID_TEXT: SchemaFile("1.avsc", CURRENT)})
NO_FILES = SchemaFolder((), {})
BOOKING = json.dumps({"type": "record", "name": "b.Booking", "fields": [{"name": "eventId", "type": "string"}]})
BYTES = {"type": "fixed", "name": "Seven", "size": 7}
BY_GUID: Headers = (("__value_schema_id", b"\1" + GUID),)


class Registry:
    """Knows these names, and no ids."""

    url = "http://registry"

    def __init__(self, known: Mapping[Name, Found | NotAvro | Unavailable] | None = None) -> None:
        self.known = known or {}
        self.asked: list[str] = []

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        self.asked.append(str(number))
        return Unknown()

    async def by_name(self, name: Name) -> Found | Unknown | NotAvro | Unavailable:
        self.asked.append(name.key)
        return self.known.get(name, Unknown())

    async def close(self) -> None:
        pass


def made(
    registry: Registry | None = None,
    folder: SchemaFolder = NO_FILES,
    framing: Framing = Framing.AUTO,
    eight_bytes: Kind | None = None,
) -> AvroDecoder:
    """A decoder that may ask for names of every kind."""
    kinds = (Kind.GUID, Kind.GLOBAL_ID, Kind.CONTENT_ID) if registry is not None else ()
    also = Asking(dict.fromkeys(kinds, registry.by_name) if registry is not None else {}, eight_bytes)
    return AvroDecoder(CURRENT, folder, framing=framing, registry=registry, also=also, monotonic=lambda: 0.0)


def skipping(other: str) -> AvroDecoder:
    """Maps bookings, whose schema has the id 7, and passes others over, such as what the GUID names."""
    event = {"schema": "b.Booking", "eventId": "eventId", "serviceId": {"value": "0A"}, "phoneNumber": {"value": "1"}}
    files = SchemaFolder((), {7: SchemaFile("7.avsc", BOOKING)}, {UUID_TEXT: SchemaFile("1.avsc", other)})
    reader = Reader(CURRENT, Rules(events_of([event]), skips_others=True))
    return AvroDecoder(reader, files, framing=Framing.HEADER, monotonic=lambda: 0.0)


def refusal(found: object) -> Refusal:
    assert isinstance(found, Refusal), found
    assert found.code in DECODE_CODES
    return found


async def fetched(decoder: AvroDecoder, value: bytes, headers: Headers = ()) -> object:
    """Decoded, with the one question that it takes."""
    given = record(value)._replace(headers=headers)
    needed = decoder.decode(given)
    assert isinstance(needed, SchemaNeeded)
    assert await decoder.fetch(needed, 0) is None
    return decoder.decode(given)


@pytest.mark.parametrize(
    "value",
    [
        b"\1" + GUID + BARE,
        b"\3\0" + GUID + BARE,
        b"\3\5" + GUID + zlib.compress(BARE),
    ],
)
@pytest.mark.parametrize("framing", [Framing.AUTO, Framing.HEADER])
def test_a_uuid_in_front_is_looked_up_in_ids_json(value: bytes, framing: Framing) -> None:
    """Confluent's GUID; AWS Glue's version, its data plain or packed."""
    assert made(folder=FOLDER, framing=framing).decode(record(value)) == EVENT


@pytest.mark.parametrize(
    ("head", "remedy"),
    [(b"\1", "schemas.registry.guids"), (b"\3\0", "ids.json"), (b"\3\5", "ids.json")],
)
def test_a_uuid_that_nobody_can_be_asked_for_is_refused_at_once(head: bytes, remedy: str) -> None:
    """No partition waits for it."""
    found = refusal(made().decode(record(head + GUID + BARE)))
    assert found.code == "unknown_schema"
    assert remedy in found.reason
    assert UUID_TEXT not in found.reason


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (zlib.compress(bytes(LARGEST_VALUE + 1)), "value_too_large"),
        (zlib.compress(BARE)[:-3], "undecodable"),
        (zlib.compress(BARE) + b"x", "undecodable"),
        (b"not packed", "undecodable"),
        (zlib.compress(BARE + b"x"), "trailing_bytes"),
        (zlib.compress(b""), "undecodable"),
    ],
)
def test_what_is_not_one_packed_event_is_refused(packed: bytes, code: str) -> None:
    """At most as many bytes are unpacked as a value may have, whatever is said in how few."""
    assert refusal(made(folder=FOLDER).decode(record(b"\3\5" + GUID + packed))).code == code


async def test_a_guid_is_asked_for_where_the_registry_has_guids() -> None:
    """In front of the data, and by the same name in a header."""
    registry = Registry({Name(Kind.GUID, UUID_TEXT): Found(CURRENT, ())})
    assert await fetched(made(registry), b"\1" + GUID + BARE) == EVENT
    assert await fetched(made(registry, framing=Framing.HEADER), BARE, BY_GUID) == EVENT
    assert registry.asked == [f"guid:{UUID_TEXT}"] * 2


@pytest.mark.parametrize(("header", "kind"), [("globalId", Kind.GLOBAL_ID), ("contentId", Kind.CONTENT_ID)])
async def test_apicurios_headers_name_the_schema(header: str, kind: Kind) -> None:
    """A global id and a content id of one number are two schemas."""
    other = next(each for each in (Kind.GLOBAL_ID, Kind.CONTENT_ID) if each is not kind)
    registry = Registry({Name(kind, "5"): Found(CURRENT, ()), Name(other, "5"): Found(newer(), ())})
    headers = ((f"apicurio.value.{header}", (5).to_bytes(8, "big")), ("apicurio.value.encoding", b"BINARY"))
    assert await fetched(made(registry, framing=Framing.HEADER), BARE, headers) == EVENT
    assert registry.asked == [f"{kind}:5"]


@pytest.mark.parametrize("kind", [Kind.GLOBAL_ID, Kind.CONTENT_ID])
async def test_an_id_of_8_bytes_is_what_the_settings_say(kind: Kind) -> None:
    """The bytes do not tell."""
    registry = Registry({Name(kind, "5"): Found(CURRENT, ())})
    assert await fetched(made(registry, eight_bytes=kind), b"\0" + (5).to_bytes(8, "big") + BARE) == EVENT
    assert registry.asked == [f"{kind}:5"]


def test_a_file_for_the_id_0_goes_before_an_id_of_8_bytes() -> None:
    """What ids.json names is no question."""
    folder = SchemaFolder((), {0: SchemaFile("0.avsc", CURRENT)})
    decoder = made(Registry(), folder, eight_bytes=Kind.GLOBAL_ID)
    assert decoder.decode(record(encode(EVENT, CURRENT, Framing.CONFLUENT, 0))) == EVENT


def test_a_header_goes_before_what_looks_like_a_frame() -> None:
    """Bare Avro may begin with a zero byte; an id of Confluent's in a header is read as well."""
    folder = SchemaFolder((), {7: SchemaFile("7.avsc", CURRENT)})
    decoder = made(folder=folder, framing=Framing.HEADER)
    framed, headers = encode(EVENT, CURRENT, Framing.CONFLUENT, 7), (("__value_schema_id", b"\0\0\0\0\7"),)
    for _ in range(2):  # the second one would find its frame remembered
        assert decoder.decode(record(framed)) == EVENT
        assert decoder.decode(record(BARE)._replace(headers=headers)) == EVENT
        assert refusal(decoder.decode(record(framed)._replace(headers=headers))).code in (
            "undecodable",
            "trailing_bytes",
        )


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((("__value_schema_id", b"\1" + GUID[:15]),), "no id or GUID"),
        ((("__value_schema_id", b"\1" + GUID + b"x"),), "no id or GUID"),
        ((("__value_schema_id", None),), "no id or GUID"),
        ((*BY_GUID, ("apicurio.value.globalId", bytes(8))), "two serializers"),
        ((("apicurio.value.globalId", bytes(8)), ("apicurio.value.contentId", bytes(8))), "global id and a content id"),
        ((("apicurio.value.globalId", bytes(7)),), "no id of 8 bytes"),
        ((("apicurio.value.globalId", b"\xff" * 8),), "no id of 8 bytes"),
        ((("apicurio.value.contentHash", b"abc"),), "apicurio.registry.use-id"),
        ((("apicurio.value.globalId", bytes(8)), ("apicurio.value.encoding", b"JSON")), "encoding=BINARY"),
    ],
)
def test_headers_that_name_no_schema_are_refused_with_the_remedy(headers: Headers, words: str) -> None:
    """Copied ones among them: nobody could tell which counts."""
    found = refusal(made(Registry(), framing=Framing.HEADER).decode(record(BARE)._replace(headers=headers)))
    assert found.code == "bad_frame"
    assert words in found.reason


async def test_a_registry_that_has_no_guids_makes_its_partition_wait_and_says_why() -> None:
    """Its 404 may be a proxy's."""
    registry = Registry({Name(Kind.GUID, UUID_TEXT): Unavailable("registry_strange", "HTTP 404, error_code 404")})
    decoder = made(registry)
    needed = decoder.decode(record(b"\1" + GUID + BARE))
    assert isinstance(needed, SchemaNeeded)
    missing = await decoder.fetch(needed, 0)
    assert missing is not None
    assert "before Confluent Platform 8 serve no GUIDs" in missing.remedy


@pytest.mark.parametrize("value", [b"\1" + GUID + BARE, b"\0\0\0\0\7" + BARE])
async def test_a_frame_whose_headers_name_the_schema_waits_for_no_half_minute(value: bytes) -> None:
    """Without the setting a header is not believed, but the registry's first word is enough beside it."""
    found = refusal(await fetched(made(Registry()), value, (("apicurio.value.globalId", bytes(8)),)))
    assert found.code == "bad_frame"
    assert "schemas.framing: header" in found.reason


OTHER = json.dumps({"type": "record", "name": "a.Click", "fields": [{"name": "where", "type": "string"}]})
CLICK = encode({"where": "x"}, OTHER, Framing.BARE)
BOOKED = encode({"eventId": "e"}, BOOKING, Framing.CONFLUENT, 7)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (CLICK, None),
        (BOOKED, "trailing_bytes"),  # its frame's zero is an empty string
        (b"", "empty_value"),
        (CLICK + b"x", "trailing_bytes"),
        (b"\xff", "undecodable"),
    ],
)
def test_what_a_header_calls_none_of_ours_is_passed_over_only_where_it_is_that(value: bytes, code: str | None) -> None:
    """The header may be a copy of another record's: what it says is held against every byte."""
    found = skipping(OTHER).decode(record(value)._replace(headers=BY_GUID))
    assert found == NotOurs("other_type") if code is None else refusal(found).code == code


def test_what_a_header_calls_none_of_ours_and_a_frame_something_known_is_refused() -> None:
    """One of them was copied, and nobody knows which."""
    anything = json.dumps({"type": "record", "name": "a.Any", "fields": [{"name": "b", "type": BYTES}]})
    decoder = skipping(anything)
    found = refusal(decoder.decode(record(BOOKED)._replace(headers=BY_GUID)))
    assert (found.code, "copied" in found.reason) == ("bad_frame", True)
    unknown = b"\0\0\0\0\x09" + BOOKED[5:]
    assert decoder.decode(record(unknown)._replace(headers=BY_GUID)) == NotOurs("other_type")


async def test_a_header_alone_passes_over_nothing_whose_schema_cannot_be_used() -> None:
    """It may have been copied from a record of another type, and what its schema would read cannot be tried."""
    tree = json.dumps({"type": "record", "name": "a.Tree", "fields": [{"name": "of", "type": ["null", "Tree"]}]})
    event = {"schema": "b.Booking", "eventId": "eventId", "serviceId": {"value": "0A"}, "phoneNumber": {"value": "1"}}
    reader = Reader(CURRENT, Rules(events_of([event]), skips_others=True))
    registry = Registry({Name(Kind.GUID, UUID_TEXT): Found(tree, ())})
    also = Asking({Kind.GUID: registry.by_name})
    for framing, value in ((Framing.HEADER, BARE), (Framing.AUTO, b"\1" + GUID + BARE)):
        decoder = AvroDecoder(reader, NO_FILES, framing=framing, registry=registry, also=also, monotonic=lambda: 0.0)
        found = await fetched(decoder, value, BY_GUID if framing is Framing.HEADER else ())
        assert found == NotOurs("other_type") if framing is Framing.AUTO else refusal(found).code == "unsafe_schema"
