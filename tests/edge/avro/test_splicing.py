"""Fields written anew: the others keep their bytes."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Headers
from connector.edge.avro.codec import Encoder, Reader
from connector.edge.avro.framing import SINGLE_OBJECT_LENGTH, Framing, Kind, Name
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schema_texts import ServiceIds, TextOf
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, reader_schema, shipped_folder
from connector.edge.avro.splicing import NotWritableError, spliced

SCHEMA = reader_schema()
READER = Reader(SCHEMA).writer(SCHEMA)
TEXTS = TextOf(shipped_folder(), Framing.AUTO, None, None)
ENCODE = Encoder(SCHEMA, Framing.SINGLE_OBJECT).encode
EVENT = {
    "eventId": "ev-1",
    "serviceId": "0A1B",
    "phoneNumber": "+12025550112",
    "mobileOperatorId": 383,
    "variables": {"session": {"gate": "B7", "delay": 0.5, "flight": 49, "late": True, "none": None}},
    "createdAt": 1_700_000_000_000,
    "expiresAt": None,
}


def fields(value: bytes) -> dict[str, object]:
    return dict(READER.read(value, SINGLE_OBJECT_LENGTH))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "serviceId": st.text(max_size=200),
            "phoneNumber": st.text(max_size=20),
            "expiresAt": st.integers(-(2**63), 2**63 - 1),
            "createdAt": st.integers(0, 2**62),
        },
    )
)
def test_what_is_written_is_read_and_the_rest_stays(changes: dict[str, object]) -> None:
    value = ENCODE(EVENT)
    after = spliced(TEXTS, value, changes)
    assert fields(after) == {**fields(value), **changes}
    assert spliced(TEXTS, after, {name: fields(value)[name] for name in changes if name != "expiresAt"}) == (
        spliced(TEXTS, value, {"expiresAt": changes["expiresAt"]}) if "expiresAt" in changes else value
    )


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (ENCODE(EVENT), {"serviceId": 5}),
        (ENCODE(EVENT), {"expiresAt": "soon"}),
        (ENCODE(EVENT), {"nobody": "x"}),
        (ENCODE(EVENT) + b"\0", {"serviceId": "0B"}),
        (ENCODE(EVENT)[:20], {"serviceId": "0B"}),
        (b"no frame", {"serviceId": "0B"}),
        (b"\0\0\0\0\x07rest", {"serviceId": "0B"}),
    ],
)
def test_what_cannot_be_written_is_refused(value: bytes, changes: dict[str, object]) -> None:
    with pytest.raises(NotWritableError):
        spliced(TEXTS, value, changes)


def test_the_service_id_is_read_by_any_schema_that_has_one() -> None:
    """Also behind fields that ours does not have, and asked of the registry once."""
    tree = json.loads(SCHEMA)
    tree["fields"] = [{"name": "extra", "type": ["null", "long"]}, *tree["fields"]]
    asked = []

    def ask(name: Name) -> Found | None:
        asked.append(name.key)
        return Found(json.dumps(tree), ()) if name.key == "7" else None

    ids = ServiceIds(TextOf(SchemaFolder((), {}), Framing.AUTO, None, ask), SCHEMA)
    value = Encoder(json.dumps(tree), Framing.CONFLUENT, 7).encode({**EVENT, "extra": 3})
    assert [ids.of(value), ids.of(value), ids.of(value[:8])] == ["0A1B", "0A1B", None]
    assert [ids.of(b"\0\0\0\0\x08.."), ids.of(b"\0\0\0\0\x08.."), ids.of(b"none")] == [None, None, None]
    assert asked == ["7", "8"]


def test_a_schema_without_a_service_id_has_none() -> None:
    text = json.dumps({"type": "record", "name": "InvocationEvent", "fields": [{"name": "a", "type": "long"}]})
    ids = ServiceIds(TextOf(SchemaFolder((), {}), Framing.AUTO, None, lambda name: Found(text, ())), SCHEMA)
    assert ids.of(b"\0\0\0\0\x07\x02") is None


UUID = "89791762-2336-4186-9674-299b90a802e2"
GUID = bytes.fromhex(UUID.replace("-", ""))
BARE = ENCODE(EVENT)[SINGLE_OBJECT_LENGTH:]
AS_JSON = json.dumps(EVENT).encode()
BY_UUID = SchemaFolder((), {7: SchemaFile("7.json", "{}", is_json=True)}, {UUID: SchemaFile("1.avsc", SCHEMA)})
HEADER: Headers = (("__value_schema_id", b"\1" + GUID),)


@pytest.mark.parametrize(
    ("framing", "value", "headers"),
    [
        (Framing.AUTO, b"\1" + GUID + BARE, ()),
        (Framing.AUTO, b"\3\0" + GUID + BARE, ()),
        (Framing.AUTO, b"\3\5" + GUID + zlib.compress(BARE), ()),
        (Framing.AUTO, b"\0\0\0\0\7" + AS_JSON, ()),
        (Framing.AUTO, b"\0" + (5).to_bytes(8, "big") + BARE, ()),
        (Framing.HEADER, BARE, HEADER),
        (Framing.HEADER, BARE, (("apicurio.value.globalId", (5).to_bytes(8, "big")),)),
        (Framing.JSON, AS_JSON, ()),
    ],
)
def test_a_schema_is_found_by_every_kind_of_name(framing: Framing, value: bytes, headers: Headers) -> None:
    """For the service id, and for a value with one field written anew; but what is compressed stays as it is."""
    bare = SchemaFile("event.json", "{}", is_json=True) if framing is Framing.JSON else None

    def ask(name: Name) -> Found | None:
        return Found(SCHEMA, ()) if name == Name(Kind.GLOBAL_ID, "5") else None

    texts = TextOf(BY_UUID, framing, bare, ask, Kind.GLOBAL_ID)
    ids = ServiceIds(texts, SCHEMA)
    assert [ids.of(value, headers), ids.of(value, headers)] == ["0A1B", "0A1B"]
    if value[:2] == b"\3\5":
        with pytest.raises(NotWritableError, match="compressed"):
            spliced(texts, value, {"serviceId": "0B"}, headers)
    else:
        assert ids.of(spliced(texts, value, {"serviceId": "0B"}, headers), headers) == "0B"


def test_each_id_of_8_bytes_has_its_own_schema() -> None:
    """They begin with the same zeros."""
    tree = json.loads(SCHEMA)
    tree["fields"].insert(0, {"name": "extra", "type": "string"})
    longer = json.dumps(tree)
    known = {"5": Found(SCHEMA, ()), "6": Found(longer, ())}
    texts = TextOf(SchemaFolder((), {}), Framing.AUTO, None, lambda name: known.get(name.text), Kind.GLOBAL_ID)
    ids = ServiceIds(texts, SCHEMA)
    later = Encoder(longer, Framing.BARE).encode({**EVENT, "extra": "not an id"})
    values = [b"\0" + number.to_bytes(8, "big") + bare for number, bare in ((5, BARE), (6, later), (5, BARE))]
    assert [ids.of(value) for value in values] == ["0A1B"] * 3


def test_headers_that_cannot_be_read_name_no_schema() -> None:
    """Nothing is counted under a service for them."""
    ids = ServiceIds(TextOf(BY_UUID, Framing.HEADER, None, None), SCHEMA)
    assert ids.of(BARE, (*HEADER, ("apicurio.value.globalId", bytes(8)))) is None
    assert ids.of(b"", ()) is None
