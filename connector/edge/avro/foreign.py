"""What a value is that has no frame of ours, so that its producer can be mended: serializers that name schemas in
other ways, and values that are no Avro at all. Nothing here is read; what is said repeats nothing of the record.

The layouts are those of the serializers' own sources: Apicurio Registry 2.6 and 3.1, Confluent Platform 8.
"""

from __future__ import annotations

from typing import NamedTuple

from connector.core.record import Headers
from connector.edge.avro.headers import APICURIO, CONFLUENT


class Foreign(NamedTuple):
    """What it is, and what the producer, or our settings, can do about it."""

    shape: str
    remedy: str


_HEADER = "set schemas.framing: header, if this is how all producers of the topic name their schemas"
_CONFLUENT = (
    "set value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer in the producer, "
    "for Confluent's frame with an id"
)
_APICURIO = (
    "set apicurio.registry.headers.enabled=false, apicurio.registry.as-confluent=true and "
    "apicurio.registry.use-id=contentId in Apicurio's serializer 2.x, or use its 3.x, which writes Confluent's frame"
)
EIGHT_BYTES = Foreign(
    "an id of 8 bytes (Apicurio's serializer)", f"set schemas.registry.eight_byte_ids to what they are; or {_APICURIO}"
)
_BY_FIRST_BYTES = (
    ((b"Obj\x01",), 4, Foreign("an Avro container file", "write one event a record, without the file's header")),
    (
        (b"{", b"["),
        1,
        Foreign("begins like JSON", "set schemas.framing: json, or write events in Avro, see schemas/README.md"),
    ),
    (
        (b"\x00", b"\x01"),
        0,
        Foreign("Confluent's frame, cut off or not taken", "write a whole frame; compare schemas.framing"),
    ),
    ((b"\x03",), 0, Foreign("AWS Glue's frame, cut off or not taken", "write a whole frame; compare schemas.framing")),
    ((b"\xc3",), 0, Foreign("a single object, cut off or not taken", "write a whole frame; compare schemas.framing")),
)


def named_in_headers(headers: Headers) -> Foreign | None:
    """Say which header names the schema of the value, if one does: the value is then bare."""
    for name, _ in headers:
        if name == CONFLUENT:
            shape = f"its schema is named in the header {name} (Confluent's serializer)"
            return Foreign(shape, f"{_HEADER}; or {_CONFLUENT}")
        if name in APICURIO:
            shape = f"its schema is named in the header {name} (Apicurio's serializer)"
            return Foreign(shape, f"{_HEADER}, with schemas.registry.apicurio_url; or {_APICURIO}")
    return None


def looks_eight_bytes(value: bytes) -> bool:
    """Where Confluent's frame would have the id 0, which no registry gives, and 8 bytes make a small one."""
    return len(value) > 9 and value[:6] == bytes(6) and value[6:9] != bytes(3)


def without_frame(value: bytes, headers: Headers) -> Foreign | None:
    """Say what a value without a frame that is taken looks like, if it looks like anything known."""
    if (named := named_in_headers(headers)) is not None:
        return named
    for heads, least, foreign in _BY_FIRST_BYTES:
        if len(value) >= least and value.startswith(heads):
            return foreign
    return None
