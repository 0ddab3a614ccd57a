"""What stands in front of the Avro bytes, and where they begin. The layouts are those of the formats' pages."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Framing(StrEnum):
    """How the writer's schema is named in a record's value."""

    AUTO = "auto"  # Confluent or single-object, told apart by the first byte
    CONFLUENT = "confluent"
    SINGLE_OBJECT = "single_object"
    BARE = "bare"  # not named at all: one configured schema, never guessed, since bare bytes may begin like a frame


class ById(NamedTuple):
    """Confluent's frame: the id of a registry, 0 to 2**31 - 1. The Avro bytes begin at 5."""

    id: int


class ByFingerprint(NamedTuple):
    """Single-object encoding: the CRC-64-AVRO of the schema's canonical form, as on the wire. They begin at 10."""

    fingerprint: bytes


class NotNamed(NamedTuple):
    """Bare Avro, from the first byte on."""


Frame = ById | ByFingerprint | NotNamed

CONFLUENT_LENGTH = 5
SINGLE_OBJECT_LENGTH = 10
_CONFLUENT_MAGIC = b"\x00"  # Confluent wire format: a zero byte, then the id, big endian
_SINGLE_OBJECT_MAGIC = b"\xc3\x01"  # Avro specification, "Single-object encoding"
_NOT_NAMED = NotNamed()


def frame_of(value: bytes, framing: Framing) -> Frame | None:
    """Read the frame of a value, or None when it has none of the kind asked for.

    An id above 2**31 - 1 is no frame: registries count in a signed int, and asked for such an id they answer not
    "unknown" but anything.
    """
    if framing is Framing.BARE:
        return _NOT_NAMED
    if value[:1] == _CONFLUENT_MAGIC and framing is not Framing.SINGLE_OBJECT:
        number = int.from_bytes(value[1:CONFLUENT_LENGTH], "big", signed=True)
        return ById(number) if len(value) >= CONFLUENT_LENGTH and number >= 0 else None
    if value[:2] == _SINGLE_OBJECT_MAGIC and framing is not Framing.CONFLUENT:
        return ByFingerprint(value[2:SINGLE_OBJECT_LENGTH]) if len(value) >= SINGLE_OBJECT_LENGTH else None
    return None


def head_of(frame: Frame) -> bytes:
    """The bytes of a frame, as a producer writes them."""
    match frame:
        case ById(number):
            return _CONFLUENT_MAGIC + number.to_bytes(4, "big", signed=True)
        case ByFingerprint(fingerprint):
            return _SINGLE_OBJECT_MAGIC + fingerprint
    return b""
