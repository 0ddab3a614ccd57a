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
from collections.abc import Awaitable, Callable, Hashable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from connector.core.mapping.errors import MISFIT, Misfit, NotOurs
from connector.core.record import Partition
from connector.core.refusal import Refusal
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.codec import Reader, Writer
from connector.edge.avro.framing import Kind, Name
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.schemas import SchemaFolder
from connector.edge.avro.writers import (
    MEND,
    NOT_READ,
    REGISTER,
    UNKNOWN_FINGERPRINT,
    AnyWriter,
    by_fingerprint,
    found_writer,
    named,
    nobody_to_ask,
    refused,
    remedy_of,
    shown,
    unlike,
    usable,
)

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


Versions = Callable[[int], Awaitable[str | None]]
"""Asks at once which subjects and versions have an id, in words; None where that is not told."""

Ask = Callable[[Name], Awaitable[Found | Unknown | NotAvro | Unavailable]]
"""Asks once for a schema by its name."""


class Asking(NamedTuple):
    """How the registry is asked for names of other kinds than ids, what Apicurio's ids of 8 bytes are, and how it is
    asked which subjects and versions an id has."""

    by: Mapping[Kind, Ask] = MappingProxyType({})
    eight_bytes: Kind | None = None
    versions: Versions | None = None

    def with_ids(self, registry: Registry | None) -> dict[Kind, Ask]:
        """How names of every kind are asked for, ids too where there is a registry."""
        return {**self.by, **({} if registry is None else {Kind.ID: lambda name: registry.schema(int(name.text))})}


async def known_as(name: Name, versions: Versions | None) -> str:
    """What a schema is known by: its name, and for an id its subject and version, if the registry tells."""
    told = await versions(int(name.text)) if name.kind is Kind.ID and versions is not None else None
    return shown(name) if told is None else f"{shown(name)} ({told})"


class _Mark(NamedTuple):
    """At this time the registry did not know the id that was asked for, and records up to this offset were in hand."""

    newest: int
    at: float


class SchemaLookup:
    """Each look-up is kept, and asked for once at a time however many wait for it."""

    def __init__(
        self,
        reader: Reader,
        folder: SchemaFolder,
        registry: Registry | None,
        monotonic: Callable[[], float],
        also: Asking,
    ) -> None:
        """Raises SchemaFolderError for a schema of the folder that cannot be used."""
        self._reader = reader
        self._registry = registry
        self._ask_by = also.with_ids(registry)
        self._versions = also.versions
        self._monotonic = monotonic
        self._by_fingerprint = by_fingerprint(reader, folder.files)
        self._by_name = {name: usable(reader, file) for name, file in named(folder)}
        self._asked: OrderedDict[Name, AnyWriter | Refusal | Misfit | NotOurs] = OrderedDict()
        self._said_unknown: OrderedDict[Name, float] = OrderedDict()  # when it was asked
        self._found_unknown: OrderedDict[Name, float] = OrderedDict()  # likewise, and the answer counted
        self._marks: OrderedDict[Partition, deque[_Mark]] = OrderedDict()
        self._under_way: dict[Name, asyncio.Task[float | Unavailable | None]] = {}

    def by_fingerprint(self, fingerprint: bytes) -> Writer | Refusal:
        """Only files are known by their fingerprint: no registry of this kind can be asked for one."""
        return self._by_fingerprint.get(fingerprint) or UNKNOWN_FINGERPRINT

    def by_name(self, name: Name, *, said_once: bool = False) -> AnyWriter | Refusal | Misfit | NotOurs | None:
        """Return the schema of a name, why there is none, or None when the registry must be asked first.

        A misfit is one that `fetch` has something to say about, whenever it is asked.

        `said_once`: that the registry said once that it does not know the name is enough.
        """
        if (known := self._by_name.get(name)) is not None:
            return known
        if (asked := self._asked.get(name)) is not None:
            self._asked.move_to_end(name)
            return asked
        if name.kind not in self._ask_by:
            return nobody_to_ask(name)
        unknown = self._said_unknown if said_once else self._found_unknown
        if name in unknown and self._monotonic() - unknown[name] < _STANDS_SECONDS:
            return refused("unknown_schema", f"{shown(name)}, which the registry does not know", REGISTER)
        return None

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """Ask the registry once. None: look again. Else why nothing is known yet.

        `newest` is the offset of the last record of the same partition that is in hand.
        """
        name, now, registry = _name_of(needed.key), self._monotonic(), self._registry
        if registry is None:
            return None
        known = self.by_name(name, said_once=needed.named_elsewhere)
        if isinstance(known, Misfit):
            return SchemaMissing(MISFIT, registry.url, unlike(known), MEND)
        if known is not None:
            return None
        task = self._under_way.get(name)
        if task is None:
            task = self._under_way[name] = asyncio.create_task(self._ask(name, now))
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        match await asyncio.shield(task):  # one who gives up waiting must not end it for the others
            case None:
                return None
            case Unavailable(code, cause):
                return SchemaMissing(code, registry.url, cause, remedy_of(code, name))
            case float(asked):
                if needed.named_elsewhere or self._counts(name, asked, needed, _Mark(newest, now)):
                    return None
                return SchemaMissing(NOT_SURE, registry.url, "it does not know this id", REGISTER, _AGAIN_SECONDS)

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._registry is not None:
            await self._registry.close()

    async def _ask(self, name: Name, now: float) -> float | Unavailable | None:
        """None: the answer is kept. When it was asked, if the registry does not know the name."""
        match await self._ask_by[name.kind](name):
            case Found() as found:
                _put(self._asked, name, await self._writer(name, found))
            case NotAvro(kind):
                _put(self._asked, name, refused("unsafe_schema", f"an id of {kind}", NOT_READ))
            case Unknown():
                _put(self._said_unknown, name, now)
                return now
            case Unavailable() as unavailable:
                return unavailable
        return None

    async def _writer(self, name: Name, found: Found) -> AnyWriter | Refusal | Misfit | NotOurs:
        """What reads values of a schema, or why nothing does: with its subject and version, if the registry tells."""
        writer = found_writer(self._reader, shown(name), found)
        if isinstance(writer, AnyWriter | NotOurs):
            return writer
        known = await known_as(name, self._versions)
        return writer if known == shown(name) else found_writer(self._reader, known, found)

    def _counts(self, name: Name, asked: float, needed: SchemaNeeded, mark: _Mark) -> bool:
        """Whether this record's id is unknown, now that the registry says so (again)."""
        earlier = self._since(needed, mark)
        before = self._found_unknown.get(name)
        is_known_for_it = before is not None and asked - before < _REMEMBERED_SECONDS
        if not is_known_for_it and (earlier is None or asked - earlier < _SURE_SECONDS):
            return False
        _put(self._found_unknown, name, asked)
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


def _name_of(key: str) -> Name:
    """The name that has this key."""
    kind, _, text = key.rpartition(":")
    return Name(Kind(kind) if kind else Kind.ID, text)
