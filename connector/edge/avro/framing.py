"""What stands in front of a value's data, and where it begins. The layouts are those of the formats' pages."""

from __future__ import annotations

import zlib
from enum import StrEnum
from typing import NamedTuple

LARGEST_VALUE = 1024 * 1024
"""Bytes. A request may have 8000, so an event that can be posted is far below."""


class Framing(StrEnum):
    """How the writer's schema is named."""

    AUTO = "auto"  # Confluent, AWS Glue or single-object, told apart by the first byte
    CONFLUENT = "confluent"
    SINGLE_OBJECT = "single_object"
    BARE = "bare"  # not named at all: one configured schema, never guessed, since bare bytes may begin like a frame
    HEADER = "header"  # by a header of the record, and where it has none, as with `auto`
    JSON = "json"  # not named either: one JSON Schema


class Kind(StrEnum):
    """Whose name of a schema it is."""

    ID = "id"  # Confluent's, 0 to 2**31 - 1
    GUID = "guid"  # Confluent's, of 16 bytes
    GLUE = "glue"  # the version of a schema in AWS Glue, an UUID
    GLOBAL_ID = "globalId"  # Apicurio's
    CONTENT_ID = "contentId"  # Apicurio's


class Name(NamedTuple):
    """A schema by what a registry calls it: digits, or an UUID in lower case."""

    kind: Kind
    text: str

    @property
    def key(self) -> str:
        """The same in one word: an id of Confluent's as it is, others behind their kind."""
        return self.text if self.kind is Kind.ID else f"{self.kind}:{self.text}"


class ByName(NamedTuple):
    """A frame with a name. `is_packed`: the data behind it are compressed by zlib."""

    name: Name
    start: int
    is_packed: bool = False


class ByFingerprint(NamedTuple):
    """Single-object encoding: the CRC-64-AVRO of the schema's canonical form, as on the wire. Avro begins at 10."""

    fingerprint: bytes


class NotNamed(NamedTuple):
    """The data begin with the first byte."""


Frame = ByName | ByFingerprint | NotNamed

CONFLUENT_LENGTH = 5
SINGLE_OBJECT_LENGTH = 10
EIGHT_BYTES_LENGTH = 9
GUID_LENGTH = 17
GLUE_LENGTH = 18
_CONFLUENT_MAGIC = b"\x00"  # Confluent wire format: a zero byte, then the id, big endian
_GUID_MAGIC = b"\x01"  # the same since Confluent Platform 8: a one, then the GUID
_SINGLE_OBJECT_MAGIC = b"\xc3\x01"  # Avro specification, "Single-object encoding"
_GLUE_MAGICS = (b"\x03\x00", b"\x03\x05")  # AWS Glue's serializer: version 3, then 0 for plain and 5 for zlib
_NOT_NAMED = NotNamed()


def by_id(number: int) -> Name:
    """Confluent's name of a schema."""
    return Name(Kind.ID, str(number))


def frame_of(value: bytes, framing: Framing) -> Frame | None:
    """Read the frame of a value, or None when it has none of the kind asked for.

    An id above 2**31 - 1 is no frame: registries count in a signed int, and asked for such an id they answer not
    "unknown" but anything.
    """
    match framing:
        case Framing.BARE | Framing.JSON:
            return _NOT_NAMED
        case Framing.SINGLE_OBJECT:
            return _single_object(value)
        case Framing.CONFLUENT:
            return confluent_name(value)
        case Framing.AUTO | Framing.HEADER:
            return confluent_name(value) or _single_object(value) or _glue(value)


def confluent_name(value: bytes) -> ByName | None:
    """A name as Confluent's serializers write it, in front of the data or alone in a header."""
    if value[:1] == _CONFLUENT_MAGIC:
        number = int.from_bytes(value[1:CONFLUENT_LENGTH], "big", signed=True)
        return ByName(by_id(number), CONFLUENT_LENGTH) if len(value) >= CONFLUENT_LENGTH and number >= 0 else None
    if value[:1] == _GUID_MAGIC and len(value) >= GUID_LENGTH:
        return ByName(Name(Kind.GUID, uuid_text(value[1:GUID_LENGTH])), GUID_LENGTH)
    return None


def eight_byte_name(value: bytes, kind: Kind) -> ByName:
    """The name of a value that begins with a zero byte and Apicurio's id of 8 bytes, big endian."""
    number = int.from_bytes(value[1:EIGHT_BYTES_LENGTH], "big")
    return ByName(Name(kind, str(number)), EIGHT_BYTES_LENGTH)


def _single_object(value: bytes) -> ByFingerprint | None:
    if value[:2] == _SINGLE_OBJECT_MAGIC and len(value) >= SINGLE_OBJECT_LENGTH:
        return ByFingerprint(value[2:SINGLE_OBJECT_LENGTH])
    return None


def _glue(value: bytes) -> ByName | None:
    if value[:2] in _GLUE_MAGICS and len(value) >= GLUE_LENGTH:
        name = Name(Kind.GLUE, uuid_text(value[2:GLUE_LENGTH]))
        return ByName(name, GLUE_LENGTH, is_packed=value[1] != 0)
    return None


def uuid_text(raw: bytes) -> str:
    """16 bytes as an UUID is written."""
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def head_of(frame: Frame) -> bytes:
    """The bytes of a frame, as a producer writes them; of Confluent's with an id and of single objects."""
    match frame:
        case ByName(Name(Kind.ID, text)):
            return _CONFLUENT_MAGIC + int(text).to_bytes(4, "big", signed=True)
        case ByFingerprint(fingerprint):
            return _SINGLE_OBJECT_MAGIC + fingerprint
        case ByName() | NotNamed():
            return b""


class UnpackError(Exception):
    """Data that zlib did not pack, or not whole. Shows no value."""


class TooLargeError(UnpackError):
    """Data that are longer than a value may be, once unpacked."""


def unpacked(value: bytes, start: int) -> bytes:
    """What zlib packed, from `start` to the end; as far as a value may be long, since a few bytes can be gigabytes.

    Raises UnpackError.
    """
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(value[start:], LARGEST_VALUE + 1)
    except zlib.error:
        raise UnpackError("it is not packed by zlib, as its frame says") from None
    if len(found) > LARGEST_VALUE:
        raise TooLargeError(f"more than {LARGEST_VALUE} bytes, once unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise UnpackError("it is not one whole stream of zlib's")
    return found
