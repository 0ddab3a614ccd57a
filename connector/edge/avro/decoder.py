"""Wire bytes → fields: frame, writer's schema, value. Any bytes in: fields, a refusal or a question out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector.core.mapping.errors import MISFIT, Misfit, NotOurs
from connector.core.record import Record
from connector.core.redact import safe_name
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.codec import Reader, TrailingBytesError, Writer
from connector.edge.avro.decoding import DuplicateKeyError, UndecodableError
from connector.edge.avro.foreign import eight_byte_id, named_in_headers, without_frame
from connector.edge.avro.framing import CONFLUENT_LENGTH, SINGLE_OBJECT_LENGTH, ByFingerprint, ById, Framing, frame_of
from connector.edge.avro.lookup import NOT_SURE, Registry, SchemaLookup, usable
from connector.edge.avro.registry import UNAVAILABLE_CODES
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolder

Decoded = Mapping[str, object] | Refusal | NotOurs
"""The fields of an event of ours, why there are none, or that the settings say to pass the record over."""

LARGEST_VALUE = 1024 * 1024
"""Bytes. A request may have 8000, so an event that can be posted is far below."""

_FRAMES_REMEMBERED = 64  # a topic has few schemas at a time

FETCH_CODES = UNAVAILABLE_CODES | {NOT_SURE, MISFIT}
"""Every reason that `fetch` gives."""

DECODE_CODES = frozenset(
    {
        "tombstone",
        "empty_value",
        "value_too_large",
        "bad_frame",
        "unknown_schema",
        "unsafe_schema",
        "incompatible_schema",
        "undecodable",
        "trailing_bytes",
        "duplicate_scope",
        "duplicate_key",
    }
)
"""Classes of refusals of this stage."""


class AvroDecoder:
    """`engine.ports.Decoder` of invocation events."""

    def __init__(
        self,
        reader: str | Reader,
        folder: SchemaFolder,
        *,
        framing: Framing = Framing.AUTO,
        bare: SchemaFile | None = None,
        registry: Registry | None = None,
        monotonic: Callable[[], float],
        largest_value: int = LARGEST_VALUE,
    ) -> None:
        """`reader` is our own schema, or its text, `bare` the schema of events without a frame.

        Raises SchemaFolderError for a schema file that cannot be used, ValueError for bare framing without a schema.
        """
        if (framing is Framing.BARE) != (bare is not None):
            raise ValueError("bare framing and its schema go together")
        self._reader = Reader(reader) if isinstance(reader, str) else reader
        self._lookup = SchemaLookup(self._reader, folder, registry, monotonic)
        self._framing = framing
        self._by_frame: dict[bytes, Writer] = {}
        self._bare = usable(self._reader, bare) if bare is not None else None
        self._largest_value = largest_value

    def decode(self, record: Record) -> Decoded | SchemaNeeded:
        """Decode now, without waiting. Never raises, whatever the bytes."""
        value = record.value
        if not value:
            return _TOMBSTONE if value is None else _EMPTY_VALUE
        if len(value) > self._largest_value:
            return _refusal("value_too_large", f"{len(value)} bytes", f"send at most {self._largest_value} bytes")
        start = SINGLE_OBJECT_LENGTH if value[0] else CONFLUENT_LENGTH
        writer = self._by_frame.get(value[:start])
        return self._decode_unknown(record, value) if writer is None else _fields(writer, value, start, record)

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """Ask for a schema once. None: decode again. Else why (one of FETCH_CODES) it cannot be had now.

        `newest` is the offset of the last record of the partition that is in hand.
        """
        return await self._lookup.fetch(needed, newest)

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        await self._lookup.close()

    def _decode_unknown(self, record: Record, value: bytes) -> Decoded | SchemaNeeded:
        """Decode a value whose frame was not seen before, or that has none."""
        match frame_of(value, self._framing):
            case ById(number):
                writer = self._lookup.by_id(number)
                if isinstance(writer, Writer):
                    return self._decode_first(writer, value, CONFLUENT_LENGTH, record)
                if isinstance(writer, Misfit):
                    return SchemaNeeded(str(number), record.partition, record.offset)
                return self._without_schema(record, value, number, writer)
            case ByFingerprint(fingerprint):
                return self._decode_first(self._lookup.by_fingerprint(fingerprint), value, SINGLE_OBJECT_LENGTH, record)
            case None:
                foreign = without_frame(value, record.headers)
                return _BAD_FRAME if foreign is None else _refusal("bad_frame", *foreign)
        assert self._bare is not None
        return _fields(self._bare, value, 0, record)

    def _decode_first(self, writer: Writer | Refusal, value: bytes, start: int, record: Record) -> Decoded:
        """Remember the frame: what it names never changes."""
        if isinstance(writer, Writer):
            if len(self._by_frame) >= _FRAMES_REMEMBERED:
                self._by_frame.clear()
            self._by_frame[value[:start]] = writer
        return _fields(writer, value, start, record)

    def _without_schema(
        self, record: Record, value: bytes, number: int, found: Refusal | None
    ) -> Refusal | SchemaNeeded:
        """What becomes of a value that begins like Confluent's frame, and no schema is at hand for its id."""
        if number == 0 and (foreign := eight_byte_id(value)) is not None:
            return _refusal("bad_frame", *foreign)
        named = named_in_headers(record.headers)
        if named is not None and found is None:
            # Bare Avro may begin with a 0, too. But headers are copied from record to record, so that they may tell of
            # another value than this: the registry is asked, and its first word counts.
            unknown = self._lookup.by_id(number, said_once=True)
            assert not isinstance(unknown, Writer | Misfit)
            found = unknown
        if found is None:
            return SchemaNeeded(str(number), record.partition, record.offset, named is not None)
        return _refusal("bad_frame", *named) if named is not None and found.code == "unknown_schema" else found


def _fields(writer: Writer | Refusal, value: bytes, start: int, record: Record) -> Decoded:
    if isinstance(writer, Refusal):
        return writer
    mapping = writer.mapping
    if isinstance(mapping, NotOurs | Refusal):
        return mapping
    try:
        fields = writer.read(value, start)
    except IncompatibleError as error:
        return _refusal("incompatible_schema", str(error), "write with a compatible version of invocation-event.avsc")
    except TrailingBytesError as error:
        return _refusal("trailing_bytes", str(error), "write one event a record, with the schema that the frame names")
    except DuplicateKeyError as error:
        return (
            _duplicate(error) if mapping is None else _refusal("duplicate_key", "a key of a map twice", "write it once")
        )
    except UndecodableError as error:
        return _refusal("undecodable", str(error), "write the event with the schema that the frame names")
    return fields if mapping is None else mapping.of(fields, record)


def _duplicate(error: DuplicateKeyError) -> Refusal:
    """The only maps that are read are `variables` and its scopes."""
    field = ".".join(["variables", *(safe_name(*key) for key in error.path)])
    code = "duplicate_key" if error.path else "duplicate_scope"
    return Refusal(Stage.DECODE, (Problem(code, field, "the same twice", "write it once"),))


def _refusal(code: str, shape: str, remedy: str) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(code, "value", shape, remedy),))


_TOMBSTONE = _refusal("tombstone", "null", "send no null values to this topic; it is not compacted")
_EMPTY_VALUE = _refusal("empty_value", "0 bytes", "write one event a record")
_DUPLICATE = _refusal("duplicate_key", "a map with the same key twice", "write it once")
_BAD_FRAME = _refusal(
    "bad_frame", "begins with no schema id or fingerprint", "write events as schemas.framing says, in Avro"
)
