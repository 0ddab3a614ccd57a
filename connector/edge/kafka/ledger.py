"""Entries of the delivery ledger: handed to a producer that sends them in batches, its reports polled on a thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.core.ledger import Entry
from connector.deadline import in_time
from connector.edge.kafka.errors import COPY_REMEDIES, name_of
from connector.edge.kafka.recall import Recalls
from connector.edge.kafka.tokens import keep

_log = logging.getLogger(__name__)

_OURS: Mapping[str, object] = {
    "acks": "all",
    "compression.codec": "lz4",
    "message.timeout.ms": 10_000,
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 16_384,
    "topic.metadata.propagation.max.ms": 5_000,
}
"""Not idempotent: an entry may be there twice, and no fatal error can end the client."""

_GATHER, _GATHER_AWAITED = 0.1, 0.01
"""Seconds for which entries gather before they are sent, and reports before they are looked at: what is done together
costs less. The second where records wait for them."""
_BURST, _BURST_AWAITED = 256, 64
"""Entries that are encoded at once, as soon as there are so many: one after the other between posts each takes twice as
long. 256 keep the event loop for half a millisecond."""
_MOST_WAITING = 20_000
"""Entries that nobody waits for, kept until it is known how many partitions the topic has."""
_IDLE = 1.0
_ANSWER = 3.0
_LOOK_AGAIN = 1.0
_FLUSH, _GOODBYE = 3.0, 3.5
_UNKNOWN_PARTITION = {KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART}

QUEUE_FULL, STOPPED, FAULT = "queue_full", "stopped", "fault"
"""Why an entry is left out, besides the names of Kafka's errors: too many wait, the process ends, a bug of ours."""


class Reports(Protocol):
    """Whom the ledger tells, on the event loop."""

    def ledger_written(self, count: int) -> None: ...
    def ledger_failed(self, code: str, topic: str, remedy: str, count: int, *, left_out: bool) -> None: ...


class KafkaLedger:
    """Satisfies `engine.ports.Ledger`. Made on a running event loop.

    An entry's partition is that of its origin's number, so that what became of one partition's records lies in one.
    """

    def __init__(
        self,
        properties: Mapping[str, object],
        topic: str,
        encode: Callable[[Entry], bytes],
        reports: Reports,
        recalls: Recalls,
        *,
        required: bool,
    ) -> None:
        """`properties` are librdkafka's for producers. `required`: records wait for their entries."""
        self._topic = topic
        self._encode = encode
        self._reports = reports
        self.recall = recalls.of
        self._loop = asyncio.get_running_loop()
        self._required = required
        self._gather, self._burst = (_GATHER_AWAITED, _BURST_AWAITED) if required else (_GATHER, _BURST)
        own = {**_OURS, "linger.ms": self._gather * 1000, "delivery.report.only.error": not required}
        self._producer = Producer({**own, **properties}, logger=logging.getLogger("librdkafka"))
        keep(self._producer, properties)
        self._partitions = 0
        self._waiting: deque[tuple[Entry, object]] = deque()
        self._produced = self._produced_late = self._refusals = self._written = 0
        self._noted: list[object] = []
        self._failed: dict[str, list[object]] = {}
        self._on_noted: Callable[[Sequence[Any], str | None], None] = lambda _noted, _failed: None
        self._some = threading.Event()
        self._closing = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-ledger", daemon=True)

    def start(self, on_noted: Callable[[Sequence[Any], str | None], None]) -> None:
        """Write from now on. `on_noted` is called on the event loop."""
        self._on_noted = on_noted
        self._thread.start()

    def note(self, note: tuple[Entry, object]) -> None:
        """Write this at some time soon; see `engine.ports.Ledger`."""
        waiting = self._waiting
        count = len(waiting)
        if count >= _MOST_WAITING and note[1] is None:
            self._fail(QUEUE_FULL, None)
            return
        waiting.append(note)
        if not count:
            self._some.set()
        elif count >= self._burst and self._partitions:
            self._produced += self._produce_waiting()

    async def close(self) -> None:
        """Write what waits within a bound; what is left then is left out."""
        if not self._thread.is_alive():
            return
        self._closing.set()
        self._some.set()
        with contextlib.suppress(TimeoutError):
            await in_time(self._ended.wait(), _GOODBYE)

    # On the thread.

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._take_turn()
            except Exception:  # a bug of ours: without this thread records would wait for ever
                _log.exception("ledger_fault")
                self._fail_waiting(FAULT)
        try:
            self._finish()
        finally:
            self._call_soon(self._ended.set)

    def _take_turn(self) -> None:
        if not len(self._producer):
            self._some.wait(_IDLE)
        self._closing.wait(self._gather)
        self._some.clear()
        self._write_waiting()
        self._serve()

    def _finish(self) -> None:
        self._write_waiting()
        with contextlib.suppress(KafkaException):
            self._producer.flush(_FLUSH)
        self._producer.purge()
        self._serve()
        for _, waits in self._waiting:
            self._fail(STOPPED, waits)
        self._tell()

    def _serve(self) -> None:
        with contextlib.suppress(KafkaException):
            self._producer.poll(0)
        self._tell()

    def _write_waiting(self) -> None:
        """What did not come to a burst, and what came before it was known how many partitions there are."""
        if not self._waiting:
            return
        if not self._partitions and (code := self._look()) is not None:
            self._fail_waiting(code)
            return
        self._produced_late += self._produce_waiting()

    def _fail_waiting(self, code: str) -> None:
        """Nothing can be written now: what waits is told so, and the next ones ask again."""
        with contextlib.suppress(IndexError):  # the event loop takes bursts off meanwhile
            for _ in range(len(self._waiting)):
                self._fail(code, self._waiting.popleft()[1])
        self._tell()
        self._closing.wait(_LOOK_AGAIN)

    def _look(self) -> str | None:
        """Ask how many partitions the topic has; the error's name where nobody says."""
        try:
            found = self._producer.list_topics(self._topic, timeout=_ANSWER).topics[self._topic]
        except KafkaException as raised:
            return name_of(raised.args[0])
        if found.error is not None:
            return name_of(found.error)
        self._partitions = len(found.partitions)
        return None

    def _report(self, waits: object, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refusals += 1
            self._refused(error, waits)
        elif waits is not None:
            self._noted.append(waits)

    def _left_out(self, error: KafkaError | None, _message: Message) -> None:
        """Only of those that failed: reports cost as much as writing."""
        if error is not None:
            self._refusals += 1
            self._refused(error, None)

    def _tell(self) -> None:
        """Tell the event loop what became of many at once: each call wakes it."""
        written = self._produced + self._produced_late - self._refusals - len(self._producer)
        if written > self._written or self._noted or self._failed:
            noted, failed, more = self._noted, self._failed, max(0, written - self._written)
            self._noted, self._failed, self._written = [], {}, max(written, self._written)
            self._call_soon(self._told, more, noted, failed)

    def _call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call, *arguments)

    # On either. Each counts its own, as adding is not atomic.

    def _produce_waiting(self) -> int:
        """Hand what waits to the producer; how many of it that took."""
        waiting, produce, topic, encode, left_out = (
            self._waiting,
            self._producer.produce,
            self._topic,
            self._encode,
            self._left_out,
        )
        produced = 0
        while partitions := self._partitions:
            try:
                entry, waits = waiting.popleft()
            except IndexError:  # none is left
                break
            on_delivery = left_out if waits is None else partial(self._report, waits)
            try:
                produce(topic, encode(entry), entry.event_id, entry.origin.partition.number % partitions, on_delivery)
            except Exception as raised:
                self._not_taken(raised, waits)
            else:
                produced += 1
        return produced

    def _not_taken(self, raised: Exception, waits: object) -> None:
        if isinstance(raised, BufferError):
            self._fail(QUEUE_FULL, waits)
        elif isinstance(raised, KafkaException):
            self._refused(raised.args[0], waits)
        else:  # a bug of ours: the entry is left out, and counted
            self._fail(FAULT, waits)

    def _refused(self, error: KafkaError, waits: object) -> None:
        if error.code() in _UNKNOWN_PARTITION:
            self._partitions = 0  # the topic was made anew, or is gone
        self._fail(STOPPED if error.code() == KafkaError._PURGE_QUEUE else name_of(error), waits)

    def _fail(self, code: str, waits: object) -> None:
        self._failed.setdefault(code, []).append(waits)

    # On the event loop.

    def _told(self, written: int, noted: list[object], failed: dict[str, list[object]]) -> None:
        if written:
            self._reports.ledger_written(written)
        if noted:
            self._on_noted(noted, None)
        for code, entries in failed.items():
            waiting = [waits for waits in entries if waits is not None]
            if len(waiting) < len(entries):
                self._say_failed(code, len(entries) - len(waiting), left_out=True)
            if waiting:
                self._say_failed(code, len(waiting), left_out=False)
                self._on_noted(waiting, code)

    def _say_failed(self, code: str, count: int, *, left_out: bool) -> None:
        remedy = COPY_REMEDIES.get(code, COPY_REMEDIES[""])
        self._reports.ledger_failed(code, self._topic, remedy, count, left_out=left_out)
