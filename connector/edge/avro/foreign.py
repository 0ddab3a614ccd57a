"""What a value is that has no frame of ours, for whoever has to mend its producer: serializers that name schemas in
other ways, and values that are no Avro at all. Nothing here is read; what is said repeats nothing of the record.

The layouts are those of the serializers' own sources: Apicurio Registry 2.6 and 3.1, Confluent Platform 8, AWS Glue.
"""

from __future__ import annotations

from typing import NamedTuple

from connector.core.record import Headers


class Foreign(NamedTuple):
    """What it is, and what the producer, or our settings, can do about it."""

    shape: str
    remedy: str


_BARE = "or, when all events have one schema, read them with schemas.framing: bare and schemas.bare_schema"
_APICURIO = (
    "set apicurio.registry.headers.enabled=false, apicurio.registry.as-confluent=true and "
    "apicurio.registry.use-id=contentId in Apicurio's serializer 2.x, or use its 3.x, which writes Confluent's frame"
)
_CONFLUENT = (
    "set value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer in the producer, "
    "for Confluent's frame with an id"
)
_APICURIO_HEADERS = ("globalId", "contentId", "contentHash", "artifactId")  # each after "apicurio.value."
_CONFLUENT_HEADER = "__value_schema_id"
_EIGHT_BYTES = Foreign("an id of 8 bytes (Apicurio's serializer)", f"{_APICURIO}; ids of 8 bytes are not read")
_BY_FIRST_BYTES = (
    (
        (b"\x01",),
        17,
        Foreign("a schema GUID in front (Confluent's serializer)", f"{_CONFLUENT}; GUIDs are not read yet"),
    ),
    (
        (b"\x03\x00", b"\x03\x05"),
        18,
        Foreign("a schema version of AWS Glue", "write with Confluent's or single-object framing; Glue's is not read"),
    ),
    ((b"Obj\x01",), 4, Foreign("an Avro container file", "write one event a record, without the file's header")),
    ((b"{", b"["), 1, Foreign("begins like JSON", "write events in Avro, see schemas/README.md")),
    ((b"\x00",), 0, Foreign("Confluent's frame, cut off or not taken", "write a whole frame; compare schemas.framing")),
    ((b"\xc3",), 0, Foreign("a single object, cut off or not taken", "write a whole frame; compare schemas.framing")),
)


def named_in_headers(headers: Headers) -> Foreign | None:
    """Say which header names the schema of the value, if one does: the value is then bare Avro."""
    for name, _ in headers:
        if name == _CONFLUENT_HEADER:
            remedy = f"{_CONFLUENT}; a schema named in headers is not read yet; {_BARE}"
            return Foreign(f"its schema is named in the header {name} (Confluent's serializer)", remedy)
        if name.startswith("apicurio.value.") and name.rpartition(".")[2] in _APICURIO_HEADERS:
            remedy = f"{_APICURIO}; a schema named in headers is not read yet; {_BARE}"
            return Foreign(f"its schema is named in the header {name} (Apicurio's serializer)", remedy)
    return None


def eight_byte_id(value: bytes) -> Foreign | None:
    """Say so where Confluent's frame would have the id 0, which no registry gives, and 8 bytes make a small one."""
    is_one = len(value) > 9 and value[:6] == bytes(6) and value[6:9] != bytes(3)
    return _EIGHT_BYTES if is_one else None


def without_frame(value: bytes, headers: Headers) -> Foreign | None:
    """Say what a value without a frame that is taken looks like, if it looks like anything known."""
    if (named := named_in_headers(headers)) is not None:
        return named
    for heads, least, foreign in _BY_FIRST_BYTES:
        if len(value) >= least and value.startswith(heads):
            return foreign
    return None
