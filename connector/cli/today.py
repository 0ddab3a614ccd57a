"""What would become of a letter's record if it were posted today: decoded, built and judged as `run` does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from connector.cli.preview import built
from connector.config.settings import Settings
from connector.core.destination import EXPIRED, Policy, expiry_ms
from connector.core.envelope import History, Origin
from connector.core.event import InvocationEvent
from connector.core.letters.letter import DeadLetter
from connector.core.mapping.errors import NOT_OURS, NotOurs
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.request import InvokeRequest, RequestRules
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.framing import ByName, Framing, Kind, Name
from connector.edge.avro.lookup import Ask, known_as
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schema_texts import TextOf
from connector.edge.clock import SystemClock
from connector.runtime import parts, policies

Fields = Mapping[str, object]
_Answer = TypeVar("_Answer")
NO_SCHEMA = "schema_unavailable"


class Today(NamedTuple):
    """`fields` are None when the value cannot be decoded; `request` when the record would be refused, and for what."""

    fields: Fields | None
    request: InvokeRequest | None
    refusal: Refusal | None


class Made(NamedTuple):
    """What becomes of a record before anybody looks at the clock. From `expires_ms` on (ms since the epoch) it is not
    posted; None: always. `event` is None like `request` where it would be refused; `fields` where it is not decoded."""

    fields: Fields | None
    event: InvocationEvent | None
    request: InvokeRequest | None
    refusal: Refusal | None
    expires_ms: int | None


class Judge:
    """Judges records. A context manager, for the registry's connections; calls block."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError and OSError as `run` does for what cannot be used."""
        self._settings = settings
        self._clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._registry = parts.registry(settings)
        self._decoder = parts.decoder(settings, self._clock, self._registry)
        self._rules = policies.request_rules(settings.openmarket)
        self._policy = policies.policy(settings)
        self._missing: dict[str, Refusal] = {}

    def today(self, letter: DeadLetter) -> Today:
        """The verdict. Never raises, whatever the bytes."""
        return self.of(letter.first, letter.first_failure_ms or letter.record.timestamp_ms)

    def of(self, record: Record, born_ms: int | None) -> Today:
        """The same of a record; without `createdAt` its age counts from `born_ms`."""
        made = self.made(record, born_ms)
        refusal = made.refusal or self._expired(made.expires_ms)
        return Today(made.fields, None if refusal else made.request, refusal)

    def made(self, record: Record, born_ms: int | None) -> Made:
        """The same, whenever that is."""
        fields = self.fields(record)
        if isinstance(fields, Refusal):
            return Made(None, None, None, fields, None)
        return made_of(fields, Origin(record.partition, record.offset, born_ms), self._rules, self._policy)

    def fields(self, record: Record) -> Fields | Refusal:
        """The decoded event."""
        while isinstance(found := self._decoder.decode(record), SchemaNeeded):
            if (known := self._missing.get(found.key)) is not None:
                return known
            missing = self._loop.run_until_complete(self._decoder.fetch(found, record.offset))
            if missing is not None:
                self._missing[found.key] = _unavailable(missing)
        return PASSED_OVER if isinstance(found, NotOurs) else found

    @property
    def maps(self) -> bool:
        """Whether a mapping may make an event's texts of others, so that they need not stand in its bytes."""
        return self._settings.mapping is not None

    def service_of(self, value: bytes, headers: Headers) -> str | None:
        """The service id of a record's event; None where it cannot be had of value and headers."""
        found = self.fields(Record(Partition("", 0), 0, None, None, value, headers))
        return None if isinstance(found, Refusal) else str(found.get("serviceId"))

    def texts(self) -> TextOf:
        """The writers' schemas, as text."""
        schemas = self._settings.schemas
        folder, bare = parts.schema_folder(self._settings), parts.bare_schema(self._settings)
        also = parts.asking(self._settings, self._registry)
        ask_by = also.with_ids(self._registry)
        ask = None if self._registry is None else partial(self._ask, ask_by)
        return TextOf(folder, Framing(schemas.framing), bare, ask, also.eight_bytes)

    def known_as(self, record: Record) -> str:
        """What a record's schema is known by: its id, and its subject and version if the registry tells; or ""."""
        frame = self.texts().frame(record.value or b"", record.headers)
        if not isinstance(frame, ByName):
            return ""
        versions = None if self._registry is None else self._registry.versions
        return self._loop.run_until_complete(known_as(frame.name, versions))

    def _ask(self, ask_by: Mapping[Kind, Ask], name: Name) -> Found | None:
        if name.kind not in ask_by:
            return None
        found = self._loop.run_until_complete(_awaited(ask_by[name.kind](name)))
        return found if isinstance(found, Found) else None

    def _expired(self, expires_ms: int | None) -> Refusal | None:
        now_ms = self._clock.now_ms()
        if expires_ms is None or expires_ms > now_ms:
            return None
        late = f"{(now_ms - expires_ms) // 1000} s past its time"
        return Refusal(Stage.ROUTE, (Problem(EXPIRED, "expiresAt", late, "give it a new expiry, if it still helps"),))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(self._decoder.close())
        self._loop.close()


def made_of(fields: Fields, origin: Origin, rules: RequestRules, policy: Policy) -> Made:
    """What becomes of an event that was decoded."""
    result = built(fields, rules)
    if isinstance(result, Refusal):
        return Made(fields, None, None, result, None)
    event, request = result
    return Made(fields, event, request, None, expiry_ms(event, History(origin), policy))


PASSED_OVER = Refusal(
    Stage.EVENT, (Problem(NOT_OURS, "schema", "none of the mapping's events takes it", "look at mapping.events"),)
)
"""Of a record that `run` neither posts nor refuses, as the settings say; no other refusal is this one."""


async def _awaited(question: Awaitable[_Answer]) -> _Answer:
    return await question


def _unavailable(missing: SchemaMissing) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(NO_SCHEMA, "schema", f"{missing.code}: {missing.cause}", missing.remedy),))
