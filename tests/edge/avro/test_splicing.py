"""Fields written anew: the others keep their bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.edge.avro.codec import Encoder, Reader
from connector.edge.avro.framing import SINGLE_OBJECT_LENGTH, Framing, Name
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schema_texts import ServiceIds, TextOf
from connector.edge.avro.schemas import SchemaFolder, reader_schema, shipped_folder
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
