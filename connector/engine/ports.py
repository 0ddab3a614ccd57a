"""What the engine and its driver ask of the world: Kafka to read and to write, a decoder, the vendor, and the time.

Edges satisfy these by shape; mypy checks it where `runtime/wiring.py` puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from connector.core.ledger import Accepted, Entry
from connector.core.mapping.errors import NotOurs
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Refusal
from connector.core.reply import Answer
from connector.core.request import InvokeRequest
from connector.core.signals import Commit, SchemaMissing, SchemaNeeded, SourceEvent, WriteFailed
from connector.core.trace import TraceContext


class Source(Protocol):
    """This process's part of the consumer group. Commands return at once and are carried out in order."""

    def start(self) -> None:
        """Join the group."""

    async def next(self) -> SourceEvent:
        """Wait for the next happening. After `close` no more come."""

    def give_room(self, records: int, size: int) -> None:
        """The engine can take this many more records and bytes: back-pressure as credit."""

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit asynchronously; answered by one `Committed`. One at a time."""

    def release(self, partitions: frozenset[Partition], offsets: Mapping[Partition, Commit]) -> None:
        """Answer to the `Revoking` of these partitions: a last commit (possibly of nothing), then let go."""

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop fetching a partition and go back to `offset`; answered by `Asleep`."""

    def wake(self, partition: Partition) -> None:
        """Fetch a sleeping partition again, from the offset given to `sleep`."""

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit a last time within a bound, leave the group, and free everything."""


class Sink(Protocol):
    """An idempotent producer, acks=all."""

    async def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> WriteFailed | None:
        """Write one record; return None once the broker acknowledged it, else why it never will.

        It waits for as long as that is not known, and never writes the record twice meanwhile. Cancelled, it gives the
        record up: where it is not in the log yet, it does not get there later, as far as that can be prevented.
        """

    async def close(self) -> None:
        """Flush what is under way within a bound and free everything."""


class Ledger(Protocol):
    """Where it is noted what became of records."""

    def start(self, on_noted: Callable[[Sequence[Any], str | None], None]) -> None:
        """Take entries. `on_noted` is told which of those that are waited for were acknowledged (None), or why not."""

    def note(self, note: tuple[Entry, object]) -> None:
        """Write this entry at some time soon, and return at once. Beside it is what `on_noted` is told; None: nobody
        waits, and what cannot be written is left out."""

    async def recall(self, partition: Partition, since_ms: int) -> Sequence[Accepted] | str:
        """What this consumer group had accepted since then (ms since the epoch), of records that producers wrote to
        this partition; or the error's bounded name."""


class Decoder(Protocol):
    """Wire bytes to fields."""

    def decode(self, record: Record) -> Mapping[str, object] | Refusal | NotOurs | SchemaNeeded:
        """Decode now, without waiting."""

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """Try once to get a schema. None: decode again. Else why it could not be had now.

        `newest` is the offset of the last record of the partition that is in hand.
        """


class Invoker(Protocol):
    """The vendor's HTTP API. Never raises for what the network or the vendor does."""

    def post(
        self, request: InvokeRequest, on_answer: Callable[[Answer], None], trace: TraceContext | None = None
    ) -> object:
        """Post once; `on_answer` is told what came back, in a later turn of the event loop."""

    def abandon_all(self) -> None:
        """Nobody wants the answers of what is under way any more: what was not sent yet never will be."""

    async def close(self) -> None:
        """Close the connections."""


class Clock(Protocol):
    """Time, so that tests can move it. Waiting is the event loop's, whose time they move too."""

    def now_ms(self) -> int:
        """Wall clock, ms since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
