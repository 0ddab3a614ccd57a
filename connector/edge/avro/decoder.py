"""Wire bytes → fields: frame, writer's schema, value. Any bytes in: fields, a refusal or a question out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector.core.json_text import DuplicateNameError
from connector.core.mapping.errors import MISFIT, TOMBSTONE, Misfit, NotOurs
from connector.core.record import Record
from connector.core.redact import safe_name
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.codec import Reader, TrailingBytesError
from connector.edge.avro.decoding import DuplicateKeyError, UndecodableError
from connector.edge.avro.foreign import EIGHT_BYTES, looks_eight_bytes, named_in_headers, without_frame
from connector.edge.avro.framing import (
    CONFLUENT_LENGTH,
    LARGEST_VALUE,
    SINGLE_OBJECT_LENGTH,
    ByFingerprint,
    ByName,
    Framing,
    Kind,
    Name,
    NotNamed,
    TooLargeError,
    UnpackError,
    eight_byte_name,
    frame_of,
    unpacked,
)
from connector.edge.avro.headers import HeaderError, name_in
from connector.edge.avro.json_schema import SCHEMA_VIOLATION, BreaksSchemaError
from connector.edge.avro.lookup import NOT_SURE, Asking, Registry, SchemaLookup
from connector.edge.avro.registry_answers import UNAVAILABLE_CODES
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolder
from connector.edge.avro.writers import AnyWriter, usable

Decoded = Mapping[str, object] | Refusal | NotOurs
"""The fields of an event of ours, why there are none, or that the settings say to pass the record over."""

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
        SCHEMA_VIOLATION,
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
        also: Asking = Asking(),  # noqa: B008 - immutable
        monotonic: Callable[[], float],
    ) -> None:
        """`reader` is our own schema, or its text, `bare` the schema of events without a frame, `also` what the
        registry is asked for beside ids.

        Raises SchemaFolderError for a schema file that cannot be used, ValueError for bare framing without a schema.
        """
        if (framing in (Framing.BARE, Framing.JSON)) != (bare is not None):
            raise ValueError("events without a frame and their schema go together")
        self._reader = Reader(reader) if isinstance(reader, str) else reader
        self._lookup = SchemaLookup(self._reader, folder, registry, monotonic, also)
        self._framing = framing
        # Change events come with tombstones for the topic's compaction: none of our events.
        skips = self._reader.rules is not None and self._reader.rules.skips_others
        self._tombstone: Refusal | NotOurs = NotOurs(TOMBSTONE) if skips else _TOMBSTONE
        self._eight_bytes = also.eight_bytes
        self._by_frame: dict[bytes, AnyWriter | NotOurs] = {}
        self._bare = usable(self._reader, bare) if bare is not None else None

    def decode(self, record: Record) -> Decoded | SchemaNeeded:
        """Decode now, without waiting. Never raises, whatever the bytes."""
        value = record.value
        if not value:
            return self._tombstone if value is None else _EMPTY_VALUE
        if len(value) > LARGEST_VALUE:
            return _too_large(f"{len(value)} bytes")
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
        """Decode a value whose frame was not seen before, or that has none, or is not looked up by its frame."""
        if self._framing is Framing.HEADER:
            try:
                name = name_in(record.headers)
            except HeaderError as error:
                return _refusal("bad_frame", error.shape, error.remedy)
            if name is not None:
                found = self._by_name(record, value, ByName(name, 0))
                return self._passed_over(name, value, found, record) if isinstance(found, NotOurs) else found
        match frame_of(value, self._framing):
            case ByName() as frame:
                return self._by_name(record, value, frame)
            case ByFingerprint(fingerprint):
                return self._decode_first(self._lookup.by_fingerprint(fingerprint), value, SINGLE_OBJECT_LENGTH, record)
            case NotNamed():
                assert self._bare is not None
                return _fields(self._bare, value, 0, record)
            case None:
                foreign = without_frame(value, record.headers)
                return _BAD_FRAME if foreign is None else _refusal("bad_frame", *foreign)

    def _passed_over(self, name: Name, value: bytes, found: NotOurs, record: Record) -> Decoded:
        """A header may have been copied from a record of another type: only what its schema reads is passed over, and
        nothing that a frame says to be of a known schema."""
        writer = self._lookup.by_name(name)
        assert writer is not None
        assert not isinstance(writer, Misfit | Refusal)
        if isinstance(writer, NotOurs):
            return _UNREADABLE
        if isinstance(refusal := _read(writer, value, 0, record), Refusal):
            return refusal
        match frame_of(value, Framing.AUTO):
            case ByName(framed) if isinstance(self._lookup.by_name(framed), AnyWriter):
                return _TWO_NAMES
            case ByFingerprint(fingerprint) if not isinstance(self._lookup.by_fingerprint(fingerprint), Refusal):
                return _TWO_NAMES
            case _:
                return found

    def _by_name(self, record: Record, value: bytes, frame: ByName) -> Decoded | SchemaNeeded:
        writer = self._lookup.by_name(frame.name)
        if isinstance(writer, Misfit):
            return SchemaNeeded(frame.name.key, record.partition, record.offset)
        if writer is None or isinstance(writer, Refusal):
            return self._without_schema(record, value, frame, writer)
        if frame.is_packed:
            unpacked = _unpacked(value, frame.start)
            return unpacked if isinstance(unpacked, Refusal) else _fields(writer, unpacked, 0, record)
        if frame.start == CONFLUENT_LENGTH:
            return self._decode_first(writer, value, CONFLUENT_LENGTH, record)
        return _fields(writer, value, frame.start, record)

    def _decode_first(self, writer: AnyWriter | Refusal | NotOurs, value: bytes, start: int, record: Record) -> Decoded:
        """Remember the frame: what it names never changes. But where a header goes before it, it is not enough."""
        if not isinstance(writer, Refusal) and self._framing is not Framing.HEADER:
            if len(self._by_frame) >= _FRAMES_REMEMBERED:
                self._by_frame.clear()
            self._by_frame[value[:start]] = writer
        return _fields(writer, value, start, record)

    def _without_schema(
        self, record: Record, value: bytes, frame: ByName, found: Refusal | None
    ) -> Decoded | SchemaNeeded:
        """What becomes of a value whose schema has a name, and is not at hand."""
        name = frame.name
        if frame.start == CONFLUENT_LENGTH and name == _ID_0 and looks_eight_bytes(value):
            if self._eight_bytes is None:
                return _refusal("bad_frame", *EIGHT_BYTES)
            return self._by_name(record, value, eight_byte_name(value, self._eight_bytes))
        named = named_in_headers(record.headers) if frame.start else None
        if named is not None and found is None:
            # Bare Avro may begin like a frame, too. But headers are copied from record to record, so that they may tell
            # of another value than this: the registry is asked, and its first word counts.
            unknown = self._lookup.by_name(name, said_once=True)
            assert unknown is None or isinstance(unknown, Refusal)
            found = unknown
        if found is None:
            return SchemaNeeded(name.key, record.partition, record.offset, named is not None)
        return _refusal("bad_frame", *named) if named is not None and found.code == "unknown_schema" else found


def _unpacked(value: bytes, start: int) -> bytes | Refusal:
    try:
        return unpacked(value, start)
    except TooLargeError as error:
        return _too_large(str(error))
    except UnpackError as error:
        return _refusal("undecodable", str(error), "write it as AWS Glue's serializer does, one event a record")


def _fields(writer: AnyWriter | Refusal | NotOurs, value: bytes, start: int, record: Record) -> Decoded:
    if isinstance(writer, _NOT_MAPPED):
        return writer
    mapping = writer.mapping
    if mapping is not None and isinstance(mapping, _NOT_MAPPED):
        return mapping
    return _read(writer, value, start, record)


def _read(writer: AnyWriter, value: bytes, start: int, record: Record) -> Decoded:
    mapping = writer.mapping
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
    except DuplicateNameError as error:
        return Refusal(Stage.DECODE, (Problem("duplicate_key", error.name, "the same twice", "write it once"),))
    except BreaksSchemaError as error:
        return Refusal(Stage.DECODE, error.problems)
    except UndecodableError as error:
        return _refusal("undecodable", str(error), "write the event with the schema that the frame names")
    if mapping is None:
        return fields
    return mapping if isinstance(mapping, _NOT_MAPPED) else mapping.of(fields, record)


def _duplicate(error: DuplicateKeyError) -> Refusal:
    """The only maps that are read are `variables` and its scopes."""
    field = ".".join(["variables", *(safe_name(*key) for key in error.path)])
    code = "duplicate_key" if error.path else "duplicate_scope"
    return Refusal(Stage.DECODE, (Problem(code, field, "the same twice", "write it once"),))


def _refusal(code: str, shape: str, remedy: str) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(code, "value", shape, remedy),))


def _too_large(shape: str) -> Refusal:
    return _refusal("value_too_large", shape, f"send at most {LARGEST_VALUE} bytes")


_NOT_MAPPED = (NotOurs, Refusal)  # once: a union of the two would be made anew for each record
_ID_0 = Name(Kind.ID, "0")
_TOMBSTONE = _refusal("tombstone", "null", "send no null values to this topic; it is not compacted")
_EMPTY_VALUE = _refusal("empty_value", "0 bytes", "write one event a record")
_TWO_NAMES = _refusal(
    "bad_frame",
    "a header and a frame name its schema, and the header's is none of the mapping's",
    "take away the header that was copied from another record",
)
_UNREADABLE = _refusal(
    "unsafe_schema",
    "of another type, by a header alone, and with a schema that cannot be used",
    "take away the header if it was copied from another record",
)
_BAD_FRAME = _refusal("bad_frame", "begins with no schema id or fingerprint", "write events as schemas.framing says")
