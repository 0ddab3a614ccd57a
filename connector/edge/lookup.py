"""Writers' schemas by what a record says of them: from the files at once, from a registry when it has answered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from connector.core.refusal import Problem, Refusal, Stage
from connector.edge.codec import IncompatibleError, Reader, Writer
from connector.edge.registry import Found, NotAvro, Unavailable, Unknown
from connector.edge.schemas import SchemaFile, SchemaFolder, SchemaFolderError
from connector.edge.vetting import UnsafeSchemaError

NOT_SURE = "registry_unsure"
"""The registry said once that it does not know an id; asked again 30 s later it may, a follower that lagged."""

_SURE_SECONDS = 30.0
_UNKNOWN_SECONDS = 600.0  # then it is asked again: schemas are registered late, too
_KEPT = 1000  # schemas, and ids that nobody knows; a topic has tens


_Kept = TypeVar("_Kept")


class Registry(Protocol):
    """What a look-up asks of a registry."""

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        """Ask once."""

    async def close(self) -> None:
        """Close the connections."""


class SchemaLookup:
    """Each look-up is kept, and asked for once at a time however many wait for it."""

    def __init__(
        self, reader: Reader, folder: SchemaFolder, registry: Registry | None, monotonic: Callable[[], float]
    ) -> None:
        """Raises SchemaFolderError for a schema of the folder that cannot be used."""
        self._reader = reader
        self._registry = registry
        self._monotonic = monotonic
        self._by_fingerprint = {key: usable(reader, file) for key, file in folder.by_fingerprint.items()}
        self._by_id = {key: usable(reader, file) for key, file in folder.by_id.items()}
        self._asked: OrderedDict[int, Writer | Refusal] = OrderedDict()
        self._first_doubt: OrderedDict[int, float] = OrderedDict()
        self._unknown_until: OrderedDict[int, float] = OrderedDict()
        self._under_way: dict[int, asyncio.Task[str | None]] = {}

    def by_fingerprint(self, fingerprint: bytes) -> Writer | Refusal:
        """Only files are known by their fingerprint: no registry of this kind can be asked for one."""
        return self._by_fingerprint.get(fingerprint) or _UNKNOWN_FINGERPRINT

    def by_id(self, number: int) -> Writer | Refusal | None:
        """Return the schema of an id, why there is none, or None when the registry must be asked first."""
        if (known := self._by_id.get(number)) is not None:
            return known
        if (asked := self._asked.get(number)) is not None:
            self._asked.move_to_end(number)
            return asked
        if self._registry is None or self._monotonic() < self._unknown_until.get(number, 0.0):
            return _UNKNOWN_ID
        return None

    async def fetch(self, number: int) -> str | None:
        """Ask the registry once. None: look again. Else the bounded reason why nothing is known yet."""
        if self._registry is None or self.by_id(number) is not None:
            return None
        task = self._under_way.get(number)
        if task is None:
            task = self._under_way[number] = asyncio.create_task(self._ask(self._registry, number))
            task.add_done_callback(lambda _: self._under_way.pop(number, None))
        return await asyncio.shield(task)  # one who gives up waiting must not end it for the others

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._registry is not None:
            await self._registry.close()

    async def _ask(self, registry: Registry, number: int) -> str | None:
        match await registry.schema(number):
            case Found(text, referenced):
                self._keep(number, _writer(self._reader, text, referenced))
            case NotAvro():
                self._keep(number, _NOT_AVRO)
            case Unknown():
                return self._doubt(number)
            case Unavailable(code):
                return code
        return None

    def _keep(self, number: int, found: Writer | Refusal) -> None:
        self._first_doubt.pop(number, None)
        _put(self._asked, number, found)

    def _doubt(self, number: int) -> str | None:
        now = self._monotonic()
        first = self._first_doubt.setdefault(number, now)
        if now - first < _SURE_SECONDS:
            _put(self._first_doubt, number, first)
            return NOT_SURE
        del self._first_doubt[number]
        _put(self._unknown_until, number, now + _UNKNOWN_SECONDS)
        return None


def _put(kept: OrderedDict[int, _Kept], number: int, value: _Kept) -> None:
    kept[number] = value
    kept.move_to_end(number)
    if len(kept) > _KEPT:
        kept.popitem(last=False)


def usable(reader: Reader, file: SchemaFile) -> Writer:
    """Return the schema of a file of ours. Raises SchemaFolderError when nothing can be read with it."""
    try:
        return reader.writer(file.text)
    except (UnsafeSchemaError, IncompatibleError) as error:
        raise SchemaFolderError(f"{file.name} cannot be used: {error}") from error


def _writer(reader: Reader, text: str, referenced: Iterable[str]) -> Writer | Refusal:
    try:
        return reader.writer(text, referenced)
    except UnsafeSchemaError as error:
        return _refusal("unsafe_schema", str(error), "register a record schema as schemas/README.md describes")
    except IncompatibleError as error:
        return _refusal("incompatible_schema", str(error), "write the times as schemas/invocation-event.avsc does")


def _refusal(code: str, shape: str, remedy: str) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(code, "schema", shape, remedy),))


_UNKNOWN_ID = _refusal(
    "unknown_schema", "an id that nobody knows", "register the schema, or map its id in ids.json of schemas.folder"
)
_UNKNOWN_FINGERPRINT = _refusal(
    "unknown_schema", "a fingerprint of no schema file", "put the writer's schema into schemas.folder"
)
_NOT_AVRO = _refusal("unsafe_schema", "an id of JSON Schema or Protobuf", "write events in Avro")
