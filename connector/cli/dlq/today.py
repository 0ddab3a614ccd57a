"""What would become of a letter's record if it were posted today: decoded, built and judged as `run` does it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

from connector.cli.preview import built
from connector.config.settings import Settings
from connector.core.destination import EXPIRED, expiry_ms
from connector.core.envelope import History, Origin
from connector.core.event import InvocationEvent
from connector.core.letters.letter import DeadLetter
from connector.core.record import Record
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.request import InvokeRequest
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.framing import Framing
from connector.edge.avro.registry import Found
from connector.edge.avro.schema_texts import TextOf
from connector.edge.avro.schemas import load_file
from connector.edge.clock import SystemClock
from connector.runtime import parts, policies

Fields = Mapping[str, object]
_NO_SCHEMA = "schema_unavailable"


class Today(NamedTuple):
    """`fields` are None when the value cannot be decoded; `request` when the record would be refused, and for what."""

    fields: Fields | None
    request: InvokeRequest | None
    refusal: Refusal | None


class Judge:
    """Judges letters. A context manager, for the registry's connections; calls block."""

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
        record = letter.record._replace(headers=letter.original)
        return self.of(record, letter.first_failure_ms or record.timestamp_ms)

    def of(self, record: Record, born_ms: int | None) -> Today:
        """The same of a record; without `createdAt` its age counts from `born_ms`."""
        fields = self.fields(record)
        if isinstance(fields, Refusal):
            return Today(None, None, fields)
        result = built(fields, self._rules)
        if isinstance(result, Refusal):
            return Today(fields, None, result)
        event, request = result
        refusal = self._expired(event, record, born_ms)
        return Today(fields, None if refusal else request, refusal)

    def fields(self, record: Record) -> Fields | Refusal:
        """The decoded event."""
        while isinstance(found := self._decoder.decode(record), SchemaNeeded):
            if (known := self._missing.get(found.key)) is not None:
                return known
            missing = self._loop.run_until_complete(self._decoder.fetch(found, record.offset))
            if missing is not None:
                self._missing[found.key] = _unavailable(missing)
        return found

    def texts(self) -> TextOf:
        """The writers' schemas, as text."""
        schemas = self._settings.schemas
        bare = None if schemas.bare_schema is None else load_file(schemas.bare_schema)
        ask = None if self._registry is None else self._ask
        return TextOf(parts.schema_folder(self._settings), Framing(schemas.framing), bare, ask)

    def _ask(self, number: int) -> Found | None:
        assert self._registry is not None
        found = self._loop.run_until_complete(self._registry.schema(number))
        return found if isinstance(found, Found) else None

    def _expired(self, event: InvocationEvent, record: Record, born_ms: int | None) -> Refusal | None:
        origin = Origin(record.partition, record.offset, born_ms)
        expires_ms, now_ms = expiry_ms(event, History(origin), self._policy), self._clock.now_ms()
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


def _unavailable(missing: SchemaMissing) -> Refusal:
    return Refusal(Stage.DECODE, (Problem(_NO_SCHEMA, "schema", f"{missing.code}: {missing.cause}", missing.remedy),))
