"""Writers' schemas by what a record says of them: from the files at once, from a registry when it has answered.

When an id counts as unknown, so that its records become dead letters:

- The registry said so itself twice, in answer to questions at least 30 s apart, and both times the record was in our
  hands. A follower that lags by less than that has by then heard of every schema that was registered before the record
  was written. Only the second answer must be about the record's own id: what stands behind a record that waits has its
  half minute behind it too when its turn comes, so that any number of unknown ids delays a partition by one half minute
  and not by one each.
- That verdict on the id stands for half a minute, for every record. Then the id is asked for again, once, while a
  record waits for the answer: unknown again, it stands for another half minute; known, the schema is used from there
  on. An id of which no record came for ten minutes is like a new one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from connector.core.mapping.errors import MISFIT, Misfit
from connector.core.record import Partition
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.canonical import parsing_form
from connector.edge.avro.codec import MisfitError, Reader, Writer
from connector.edge.avro.registry import REMEDIES, Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, SchemaFolderError, names_of
from connector.edge.avro.vetting import UnsafeSchemaError

NOT_SURE = "registry_unsure"
"""The registry says that it does not know an id; said again 30 s later it counts, for a follower may lag."""

_SURE_SECONDS = 30.0
_STANDS_SECONDS = 30.0  # how long a verdict needs no new question
_REMEMBERED_SECONDS = 600.0  # how long the word of before counts, so that nobody waits for an unknown id over and over
_AGAIN_SECONDS = 2.0  # between questions while not sure: what is registered meanwhile is used at once
_MARK_SECONDS = 1.0  # how finely it is known when records came
_KEPT = 1000  # schemas, ids that nobody knows, partitions; a topic has tens


_Key = TypeVar("_Key", bound=Hashable)
_Kept = TypeVar("_Kept")


class Registry(Protocol):
    """What a look-up asks of a registry."""

    @property
    def url(self) -> str:
        """Its address, without credentials."""

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        """Ask once."""

    async def close(self) -> None:
        """Close the connections."""


class _Mark(NamedTuple):
    """At this time the registry did not know the id that was asked for, and records up to this offset were in hand."""

    newest: int
    at: float


class SchemaLookup:
    """Each look-up is kept, and asked for once at a time however many wait for it."""

    def __init__(
        self, reader: Reader, folder: SchemaFolder, registry: Registry | None, monotonic: Callable[[], float]
    ) -> None:
        """Raises SchemaFolderError for a schema of the folder that cannot be used."""
        self._reader = reader
        self._registry = registry
        self._monotonic = monotonic
        self._by_fingerprint = _by_fingerprint(reader, folder.files)
        self._by_id = {key: usable(reader, file) for key, file in folder.by_id.items()}
        self._asked: OrderedDict[int, Writer | Refusal | Misfit] = OrderedDict()
        self._said_unknown: OrderedDict[int, float] = OrderedDict()  # when it was asked
        self._found_unknown: OrderedDict[int, float] = OrderedDict()  # likewise, and the answer counted
        self._marks: OrderedDict[Partition, deque[_Mark]] = OrderedDict()
        self._under_way: dict[int, asyncio.Task[float | Unavailable | None]] = {}

    def by_fingerprint(self, fingerprint: bytes) -> Writer | Refusal:
        """Only files are known by their fingerprint: no registry of this kind can be asked for one."""
        return self._by_fingerprint.get(fingerprint) or _UNKNOWN_FINGERPRINT

    def by_id(self, number: int, *, said_once: bool = False) -> Writer | Refusal | Misfit | None:
        """Return the schema of an id, why there is none, or None when the registry must be asked first.

        A misfit is one that `fetch` has something to say about, whenever it is asked.

        `said_once`: that the registry said once that it does not know the id is enough.
        """
        if (known := self._by_id.get(number)) is not None:
            return known
        if (asked := self._asked.get(number)) is not None:
            self._asked.move_to_end(number)
            return asked
        if self._registry is None:
            return _refusal("unknown_schema", f"id {number} of no file, and there is no registry to ask", _NO_REGISTRY)
        unknown = self._said_unknown if said_once else self._found_unknown
        if number in unknown and self._monotonic() - unknown[number] < _STANDS_SECONDS:
            return _refusal("unknown_schema", f"id {number}, which the registry does not know", _REGISTER)
        return None

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """Ask the registry once. None: look again. Else why nothing is known yet.

        `newest` is the offset of the last record of the same partition that is in hand.
        """
        number, now, registry = int(needed.key), self._monotonic(), self._registry
        if registry is None:
            return None
        known = self.by_id(number, said_once=needed.named_elsewhere)
        if isinstance(known, Misfit):
            return SchemaMissing(MISFIT, registry.url, _unlike(known, number), _MEND)
        if known is not None:
            return None
        task = self._under_way.get(number)
        if task is None:
            task = self._under_way[number] = asyncio.create_task(self._ask(registry, number, now))
            task.add_done_callback(lambda _: self._under_way.pop(number, None))
        match await asyncio.shield(task):  # one who gives up waiting must not end it for the others
            case None:
                return None
            case Unavailable(code, cause):
                return SchemaMissing(code, registry.url, cause, REMEDIES[code])
            case float(asked):
                if needed.named_elsewhere or self._counts(number, asked, needed, _Mark(newest, now)):
                    return None
                return SchemaMissing(NOT_SURE, registry.url, "it does not know this id", _REGISTER, _AGAIN_SECONDS)

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._registry is not None:
            await self._registry.close()

    async def _ask(self, registry: Registry, number: int, now: float) -> float | Unavailable | None:
        """None: the answer is kept. When it was asked, if the registry does not know the id."""
        match await registry.schema(number):
            case Found(text, referenced):
                _put(self._asked, number, _writer(self._reader, number, text, referenced))
            case NotAvro():
                _put(self._asked, number, _NOT_AVRO)
            case Unknown():
                _put(self._said_unknown, number, now)
                return now
            case Unavailable() as unavailable:
                return unavailable
        return None

    def _counts(self, number: int, asked: float, needed: SchemaNeeded, mark: _Mark) -> bool:
        """Whether this record's id is unknown, now that the registry says so (again)."""
        earlier = self._since(needed, mark)
        before = self._found_unknown.get(number)
        is_known_for_it = before is not None and asked - before < _REMEMBERED_SECONDS
        if not is_known_for_it and (earlier is None or asked - earlier < _SURE_SECONDS):
            return False
        _put(self._found_unknown, number, asked)
        return True

    def _since(self, needed: SchemaNeeded, mark: _Mark) -> float | None:
        """The earliest time from which we know that this record was in hand while the registry said "unknown"."""
        marks = self._marks.get(needed.partition, deque())
        while marks and (marks[0].newest < needed.offset or mark.at - marks[0].at > _REMEMBERED_SECONDS):
            marks.popleft()
        earliest = marks[0].at if marks else None
        if not marks or (mark.newest > marks[-1].newest and mark.at - marks[-1].at >= _MARK_SECONDS):
            marks.append(mark)
        _put(self._marks, needed.partition, marks)
        return earliest


def _put(kept: OrderedDict[_Key, _Kept], key: _Key, value: _Kept) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _KEPT:
        kept.popitem(last=False)


def _by_fingerprint(reader: Reader, files: Iterable[SchemaFile]) -> dict[bytes, Writer]:
    known: dict[bytes, tuple[SchemaFile, Writer]] = {}
    for file in files:
        writer = usable(reader, file)
        for name in names_of(file):
            other, same = known.setdefault(name, (file, writer))
            if same.written_out != writer.written_out or parsing_form(other.text) != parsing_form(file.text):
                raise SchemaFolderError(
                    f"{other.name} and {file.name} have the fingerprint {name.hex()} in common and mean different "
                    "things: take one of them away, or have its producers name it by an id"
                )
    return {name: writer for name, (_, writer) in known.items()}


def usable(reader: Reader, file: SchemaFile) -> Writer:
    """Return the schema of a file of ours. Raises SchemaFolderError when nothing can be read with it."""
    try:
        return reader.writer(file.text)
    except (UnsafeSchemaError, IncompatibleError) as error:
        raise SchemaFolderError(f"{file.name} cannot be used: {error}") from error
    except MisfitError as error:
        raise SchemaFolderError(f"the mapping does not fit {file.name}: {error}") from error


def _writer(reader: Reader, number: int, text: str, referenced: Iterable[str]) -> Writer | Refusal | Misfit:
    try:
        return reader.writer(text, referenced)
    except UnsafeSchemaError as error:
        return _refusal("unsafe_schema", str(error), "register a record schema as schemas/README.md describes")
    except IncompatibleError as error:
        return _refusal("incompatible_schema", str(error), "write with a compatible version of invocation-event.avsc")
    except MisfitError as error:
        if reader.rules is not None and reader.rules.holds_misfits:
            return error.misfit
        return _refusal(MISFIT, _unlike(error.misfit, number), _MEND)


def _unlike(misfit: Misfit, number: int) -> str:
    return f"the mapping does not fit {misfit.schema}, id {number}: {'; '.join(misfit.problems)}"


def _refusal(code: str, shape: str, remedy: str) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(code, "schema", shape, remedy),))


_REGISTER = "register the schema, or map its id in ids.json of schemas.folder; the id is asked for again meanwhile"
_MEND = "correct mapping.events (connector map --check), or have the producer go back to a schema that it fits"
_NO_REGISTRY = "set schemas.registry, or map the id in ids.json of schemas.folder"
_UNKNOWN_FINGERPRINT = _refusal(
    "unknown_schema",
    "a fingerprint of no schema file",
    "put the writer's schema into schemas.folder, and restart: it is read at start",
)
_NOT_AVRO = _refusal("unsafe_schema", "an id of JSON Schema or Protobuf", "write events in Avro")
