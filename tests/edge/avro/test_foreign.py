"""Values that another serializer wrote: what they are is named, and what mends it."""

from __future__ import annotations

from uuid import UUID

import pytest

from connector.core.record import Headers
from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.codec import encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.foreign import without_frame
from connector.edge.avro.framing import Framing
from connector.edge.avro.schemas import SchemaFile, SchemaFolder
from tests.support.avro import CURRENT, EVENT, record

GUID = UUID("89791762-2336-4186-9674-299b90a802e2").bytes
BARE = encode(EVENT, CURRENT, Framing.BARE)
GLOBAL_ID: Headers = (("apicurio.value.encoding", b"BINARY"), ("apicurio.value.globalId", (5).to_bytes(8, "big")))


def refused(value: bytes, headers: Headers = (), framing: Framing = Framing.AUTO, **ids: str) -> str:
    """The reason of the dead letter, which must be of the class `bad_frame`."""
    folder = SchemaFolder((), {int(name.removeprefix("id")): SchemaFile("f", text) for name, text in ids.items()})
    decoder = AvroDecoder(CURRENT, folder, framing=framing, monotonic=lambda: 0.0)
    found = decoder.decode(record(value)._replace(headers=headers))
    assert isinstance(found, Refusal)
    assert found.code == "bad_frame"
    return found.reason


@pytest.mark.parametrize(
    ("value", "headers", "named"),
    [
        (BARE, GLOBAL_ID, ["the header apicurio.value.globalId", "schemas.framing: header", "apicurio_url"]),
        (b"\0" + BARE, GLOBAL_ID, ["the header apicurio.value.globalId", "apicurio.registry.as-confluent=true"]),
        (b"\1" + GUID + BARE, GLOBAL_ID, ["the header apicurio.value.globalId", "schemas.framing: header"]),
        (BARE, (("apicurio.value.contentId", bytes(8)),), ["apicurio.value.contentId", "use-id=contentId"]),
        (BARE, (("__value_schema_id", b"\1" + GUID),), ["__value_schema_id", "header", "PrefixSchemaIdSerializer"]),
        (
            b"\0" + (5).to_bytes(8, "big") + BARE,
            (),
            ["an id of 8 bytes (Apicurio", "schemas.registry.eight_byte_ids", "apicurio.registry.as-confluent=true"],
        ),
        (b"\3\0" + GUID[:9], (), ["AWS Glue", "cut off"]),
        (b"\1" + GUID[:9], (), ["Confluent", "cut off"]),
        (b"Obj\1" + BARE, (), ["container file"]),
        (b'{"eventId": "evt-1"}', (), ["JSON", "schemas.framing: json"]),
        (b"\0\0\0", (), ["cut off"]),
        (BARE, (), ["begins with no schema id or fingerprint"]),
    ],
)
def test_what_another_serializer_wrote_is_named_with_its_setting(
    value: bytes, headers: Headers, named: list[str]
) -> None:
    """Apicurio 2.6's default, Confluent's GUIDs, and what else has no frame of ours."""
    reason = refused(value, headers)
    assert [text for text in named if text not in reason] == []


def test_a_frame_that_the_settings_do_not_take_says_so() -> None:
    """The setting is named, not the producer."""
    assert "compare schemas.framing" in refused(b"\0\0\0\0\1" + BARE, framing=Framing.SINGLE_OBJECT)


def test_a_frame_of_a_known_id_is_read_whatever_a_header_says() -> None:
    """Kafka Streams copies the headers of what it read to what it writes."""
    decoder = AvroDecoder(CURRENT, SchemaFolder((), {0: SchemaFile("f", CURRENT)}), monotonic=lambda: 0.0)
    value = record(encode(EVENT, CURRENT, Framing.CONFLUENT, 0))._replace(headers=GLOBAL_ID)
    assert decoder.decode(value) == EVENT


def test_a_header_of_a_key_names_no_value() -> None:
    """Keys are not read."""
    assert without_frame(BARE, (("__key_schema_id", b"\1" + GUID), ("apicurio.key.globalId", bytes(8)))) is None


def test_bare_events_are_read_whatever_a_header_says() -> None:
    """It is how Apicurio's headers can be read, where all events have one schema."""
    bare = SchemaFile("bare.avsc", CURRENT)
    decoder = AvroDecoder(CURRENT, SchemaFolder((), {}), framing=Framing.BARE, bare=bare, monotonic=lambda: 0.0)
    found = decoder.decode(record(BARE)._replace(headers=GLOBAL_ID))
    assert not isinstance(found, Refusal | SchemaNeeded)
    assert found == EVENT
