"""Schemas that are named in a header of the record: by Confluent's and by Apicurio's serializers.

A header may have been copied from another record, as Kafka Streams does: it counts only where the settings say so.
"""

from __future__ import annotations

from connector.core.record import Headers
from connector.edge.avro.framing import Kind, Name, confluent_name

CONFLUENT = "__value_schema_id"
_GLOBAL_ID, _CONTENT_ID = "apicurio.value.globalId", "apicurio.value.contentId"
_APICURIO_IDS = {_GLOBAL_ID: Kind.GLOBAL_ID, _CONTENT_ID: Kind.CONTENT_ID}
APICURIO = (_GLOBAL_ID, _CONTENT_ID, "apicurio.value.contentHash", "apicurio.value.artifactId")
"""Any of them names a schema; by hash or by artifact is not read."""

_ENCODING = "apicurio.value.encoding"
_EIGHT_BYTES = 8


class HeaderError(Exception):
    """Headers that name a schema and cannot be read: what is wrong with them, and the remedy."""

    def __init__(self, shape: str, remedy: str) -> None:
        super().__init__(shape)
        self.shape, self.remedy = shape, remedy


def name_in(headers: Headers) -> Name | None:
    """The name of the value's schema, None where no header has one. Raises HeaderError.

    Of several headers of one name the last counts, as for the serializers' own readers; Confluent's and Apicurio's
    side by side are an error, since one of them was copied.
    """
    found = {name: value for name, value in headers if name == CONFLUENT or name in APICURIO}
    if not found:
        return None
    if CONFLUENT in found and len(found) > 1:
        raise HeaderError("headers of two serializers name its schema", _COPIED)
    if CONFLUENT in found:
        frame = confluent_name(found[CONFLUENT] or b"")
        if frame is None or len(found[CONFLUENT] or b"") != frame.start:
            raise HeaderError(f"the header {CONFLUENT} holds no id or GUID", "write it as Confluent's serializers do")
        return frame.name
    if dict(headers).get(_ENCODING) == b"JSON":
        raise HeaderError("Avro in JSON (Apicurio's serializer)", "set apicurio.registry.avro.encoding=BINARY")
    return _of_apicurio(found)


def _of_apicurio(found: dict[str, bytes | None]) -> Name:
    ids = [name for name in _APICURIO_IDS if name in found]
    if not ids:
        raise HeaderError("Apicurio's headers name its schema by hash or artifact", _USE_ID)
    if len(ids) > 1:
        raise HeaderError("a global id and a content id in headers", _COPIED)
    raw = found[ids[0]] or b""
    number = int.from_bytes(raw, "big", signed=True)
    if len(raw) != _EIGHT_BYTES or number < 0:
        raise HeaderError(f"the header {ids[0]} holds no id of 8 bytes", "write it as Apicurio's serializers do")
    return Name(_APICURIO_IDS[ids[0]], str(number))


_COPIED = "take away the header that was copied from another record"
_USE_ID = "set apicurio.registry.use-id=globalId or contentId in the producer"
