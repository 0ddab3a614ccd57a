"""A member of the consumer group. One thread owns the Consumer and makes every call on it; the flow sends commands.

Calls from a second thread would be serialised behind the poll under way and starve (pitfalls: over 6 s), and no
callback may raise: the batch fetched meanwhile would be thrown away.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import NamedTuple

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from connector.core.record import Partition
from connector.core.signals import (
    Asleep,
    Assigned,
    Commit,
    Committed,
    Failed,
    Lost,
    Revoking,
    SourceEvent,
    Taken,
    in_requests,
)
from connector.edge.kafka_errors import Action, Operation, name_of, row_of
from connector.edge.kafka_identity import LogIdentities
from connector.edge.kafka_records import record_of
from connector.edge.kafka_starts import NoStartError, Starts, Subscription

_log = logging.getLogger(__name__)

_BATCH = 500
_COOPERATIVE = "cooperative-sticky"
_BUSY_WAIT, _IDLE_WAIT = 0.005, 0.2
"""Seconds that a poll may wait: nothing wakes it for a command, so short while answers are outstanding."""

_FULL_BEFORE_PAUSE = 1.0
"""Seconds to stay full before partitions are paused, which throws away what was prefetched for them."""

_GOODBYE = 15.0
"""Seconds for the last commit and leaving the group: the chart's grace period has 20 beyond the drain."""

_LAST_COMMIT = 8.0
"""Seconds for the last commit at shutdown: a synchronous one could block for the session time-out."""

_LAST_COMMIT_PAUSE = 0.1
"""Seconds before it is tried again."""

_MAP_TOO_LARGE = "offset_metadata_too_large"
"""The last commit then goes without its maps: what is settled ahead is repeated, and not all of it."""

_RELEASE_GRACE = 5.0
"""Seconds beyond the drain's budget that a revoke waits for the flow."""

_RELEASE_PATIENCE, _ANEW_PAUSE = 120.0, 1.0
"""Seconds that a static member waits for its name, which a broker holds for a process that died until its session
ends (KIP-848: 45 s by default), and seconds between two clients."""

_PROMISED: dict[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "queued.max.messages.kbytes": 8192,
    "queued.min.messages": 10000,
    "fetch.queue.backoff.ms": 50,
    "statistics.interval.ms": 15000,
}
"""What the promises rest on: only we commit, nothing is skipped silently, memory is bounded at full speed."""


class _Release(NamedTuple):
    offsets: Mapping[Partition, Commit]


class _Close(NamedTuple):
    offsets: Mapping[Partition, Commit]


class _Sleep(NamedTuple):
    partition: Partition
    offset: int
    assignment: int


class _Wake(NamedTuple):
    partition: Partition


_Command = _Release | _Close | _Sleep | _Wake | Mapping[Partition, Commit]


class KafkaSource:
    """Satisfies `flow.ports.Source`. `properties` are librdkafka's, for the connection and the group.

    `on_error` is called on the event loop's thread with the bounded name of an error that passes by itself.
    """

    def __init__(
        self,
        properties: Mapping[str, object],
        subscription: Subscription,
        identities: LogIdentities,
        on_error: Callable[[str], None],
        on_statistics: Callable[[str], None],
    ) -> None:
        self._properties = {**properties, **_PROMISED}
        # KIP-848 names no strategy, and is incremental.
        self._incremental = properties.get("partition.assignment.strategy", _COOPERATIVE) == _COOPERATIVE
        self._subscription = subscription
        self._identities = identities
        self._on_error = on_error
        self._on_statistics = on_statistics
        self._loop = asyncio.get_running_loop()
        self._commands: SimpleQueue[_Command] = SimpleQueue()
        self._deferred: deque[_Command] = deque()
        self._events: deque[SourceEvent] = deque()
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._own, name="kafka-consumer", daemon=True)
        self._consumer: Consumer
        self._starts: Starts
        # Each of these numbers has one writing thread, so no lock is needed: room is what is given less what is used.
        self._given_records = self._given_size = 0
        self._used_records = self._used_size = 0
        self._capacity = 0
        self._assigned: set[Partition] = set()
        self._asleep: set[Partition] = set()
        # How often a partition was assigned, and how many of these the flow was told of: each has one writing thread.
        self._assignments: Counter[Partition] = Counter()
        self._told: Counter[Partition] = Counter()
        self._paused = False
        self._full_since: float | None = None
        self._commits_under_way: deque[bool] = deque()
        self._refusals: set[str] = set()
        self._closing = False
        self._anew = False
        self._started_at = time.monotonic()
        self.turned_at = time.monotonic()
        self.joined = False

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    async def next(self) -> SourceEvent:
        """Wait for the next happening."""
        while not self._events:
            self._woken.clear()
            await self._woken.wait()
        event = self._events.popleft()
        if isinstance(event, Assigned):
            self._told[event.partition] += 1
        return event

    def give_room(self, records: int, size: int) -> None:
        """Credit for so many more records and bytes; the first call sets the capacity."""
        self._capacity = self._capacity or records
        self._given_records += records
        self._given_size += size

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit asynchronously; answered by `Committed`."""
        self._commands.put(dict(offsets))

    def release(self, offsets: Mapping[Partition, Commit]) -> None:
        """Answer to `Revoking`."""
        self._commands.put(_Release(offsets))

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop fetching a partition and go back to `offset`; answered by `Asleep`."""
        self._commands.put(_Sleep(partition, offset, self._told[partition]))

    def wake(self, partition: Partition) -> None:
        """Fetch a sleeping partition again."""
        self._commands.put(_Wake(partition))

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit a last time, leave the group. Bounded: a broker that does not answer cannot keep the process."""
        self._commands.put(_Close(offsets))
        if self._thread.ident is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE):
                await self._ended.wait()
        except TimeoutError:
            self._on_error("close_timed_out")

    # From here on everything runs on the owner thread.

    def _own(self) -> None:
        self._started_at = time.monotonic()
        try:
            while not self._closing:
                self._be_a_member()
        except KafkaException as raised:
            self._fail(raised.args[0])
        except Exception as raised:  # whatever it is, the flow must learn that nothing more will come
            _log.exception("consumer_fault")
            self._tell(Failed("consumer_fault", f"a bug of ours ({type(raised).__name__}): report it"))
        self._call_soon(self._ended.set)

    def _be_a_member(self) -> None:
        """From joining to leaving; returns before it is told to close when only a new client can go on."""
        self._anew = False
        self._consumer = Consumer(
            {
                **self._properties,
                "on_commit": self._on_commit,
                "error_cb": self._on_client_error,
                "stats_cb": self._on_stats,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._starts = Starts(self._consumer, self._properties, self._subscription, self._is_being_asked)
        self._identities.ask()
        self._consumer.subscribe(
            self._subscription.topics,
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        while not (self._closing or self._anew):
            self._turn()
        self._consumer.close()
        if self._anew and not self._closing:
            self._wait_for_command(_ANEW_PAUSE)

    def _turn(self) -> None:
        self.turned_at = time.monotonic()
        while self._deferred:
            self._carry_out(self._deferred.popleft())
        while not self._commands.empty():
            self._carry_out(self._commands.get_nowait())
        if self._closing:
            return
        if self._waits_for_room():
            self._wait_for_command(_BUSY_WAIT)
            if self._commits_under_way and (message := self._consumer.poll(0)) is not None:
                # The flow may be waiting for a commit's answer before it makes room, and only poll brings it: at
                # most one record too many a turn.
                self._take([message])
            return
        first = self._consumer.poll(_BUSY_WAIT if self._busy() else _IDLE_WAIT)
        if first is not None:
            # poll and then take the rest: consume(500, 0.2) would sit out its time-out unless 500 come (pitfalls).
            self._take([first, *self._consumer.consume(_BATCH - 1, 0)])

    def _busy(self) -> bool:
        return bool(self._commits_under_way) or self._given_records - self._used_records < self._capacity

    def _waits_for_room(self) -> bool:
        """Whether this turn takes nothing since the flow is full; pauses what stays full, resumes what has room."""
        room = self._given_records - self._used_records
        if room > 0 and self._given_size > self._used_size:
            if self._paused and room * 4 >= self._capacity:
                self._paused = False
                self._consumer.resume(self._native(self._assigned - self._asleep))
            self._full_since = None
            return False
        now = time.monotonic()
        self._full_since = self._full_since or now
        if now - self._full_since < _FULL_BEFORE_PAUSE:
            return True
        if not self._paused:
            self._paused = True
            self._consumer.pause(self._native(self._assigned - self._asleep))
        return False

    def _wait_for_command(self, seconds: float) -> None:
        try:
            self._carry_out(self._commands.get(timeout=seconds))
        except Empty:
            pass

    def _take(self, messages: list[Message]) -> None:
        records = []
        size = 0
        for message in messages:
            if (error := message.error()) is not None:
                self._trouble(error)
                continue
            record = record_of(message)
            size += record.size
            records.append(record)
        if records:
            self._used_records += len(records)
            self._used_size += size
            self._tell(Taken(records))

    def _carry_out(self, command: _Command) -> None:
        if isinstance(command, _Sleep):
            self._fall_asleep(command)
        elif isinstance(command, _Wake):
            if command.partition in self._asleep:
                self._asleep.discard(command.partition)
                if not self._paused:
                    self._consumer.resume(self._native([command.partition]))
        elif isinstance(command, _Close):
            self._closing = True
            self._commit_last(command.offsets)
        elif isinstance(command, _Release):
            # The revoke that it answers was given up meanwhile: these partitions are not ours to commit.
            pass
        else:
            self._commit(command, ours=False)

    def _fall_asleep(self, command: _Sleep) -> None:
        partition = command.partition
        if partition not in self._assigned or command.assignment != self._assignments[partition]:
            # It went, and may have come back: moved to that offset now, what lies before it would be skipped.
            return
        self._asleep.add(partition)
        self._consumer.pause(self._native([partition]))
        self._consumer.seek(TopicPartition(partition.topic, partition.number, command.offset))
        self._tell(Asleep(partition))

    def _commit(self, offsets: Mapping[Partition, Commit], *, ours: bool) -> None:
        """Commit asynchronously. `ours`: the flow did not ask for it and gets no answer, and it may need several."""
        for part in in_requests(offsets) if ours else (offsets,):
            self._commit_at_once(part, ours=ours)

    def _commit_at_once(self, offsets: Mapping[Partition, Commit], *, ours: bool) -> None:
        native = [TopicPartition(p.topic, p.number, c.offset, metadata=c.metadata) for p, c in offsets.items()]
        try:
            self._consumer.commit(offsets=native, asynchronous=True)
            self._commits_under_way.append(ours)
        except KafkaException as raised:
            if ours:
                self._was_refused(raised.args[0])
            else:
                self._tell(Committed({p: c.offset for p, c in offsets.items()}, name_of(raised.args[0])))

    def _commit_last(self, offsets: Mapping[Partition, Commit]) -> None:
        """Try until it is taken, within a bound: a group or coordinator on the move refuses commits for a moment."""
        deadline = time.monotonic() + _LAST_COMMIT
        while True:
            self._refusals.clear()
            if left := {p: commit for p, commit in offsets.items() if p in self._assigned}:
                self._commit(left, ours=True)
            while self._commits_under_way and time.monotonic() < deadline:
                self._consumer.poll(_BUSY_WAIT)
            if not (left and self._refusals) or time.monotonic() >= deadline:
                return
            if _MAP_TOO_LARGE in self._refusals:
                offsets = {partition: commit._replace(metadata="") for partition, commit in offsets.items()}
            self._consumer.poll(_LAST_COMMIT_PAUSE)

    # Callbacks: none may raise.

    def _on_assign(self, consumer: Consumer, native: list[TopicPartition]) -> None:
        try:
            starts = self._starts.of(native)
            # After the commits were read: of a topic that is created anew in between, the map names the old one.
            logs = self._identities.of(_partitions(native), urgent=any(metadata for _, metadata in starts))
            (consumer.incremental_assign if self._incremental else consumer.assign)([tp for tp, _ in starts])
            # A partition that was paused when it went comes back paused, and would deliver nothing (pitfalls).
            # While the flow is full it is paused like the others, or they would be forgotten when there is room again.
            (consumer.pause if self._paused else consumer.resume)([tp for tp, _ in starts])
            self.joined = True
            if first := {_partition(tp): Commit(tp.offset, "") for tp, _ in starts if self._starts.is_new(tp)}:
                # At once: a crash before the first commit must not move the start to a later end of the log.
                self._commit(first, ours=True)
            for tp, metadata in starts:
                partition = _partition(tp)
                self._assigned.add(partition)
                self._assignments[partition] += 1
                self._asleep.discard(partition)
                self._tell(Assigned(partition, max(tp.offset, 0), metadata, *logs.get(partition, (None, None))))
        except KafkaException as raised:
            self._fail(raised.args[0])
        except NoStartError as refused:
            self._tell(
                Failed(
                    "no_committed_offset",
                    f"kafka.start is `error` and the group has no commit on topic {refused.topic}: "
                    "set kafka.start to earliest or latest for the first start",
                )
            )

    def _on_revoke(self, consumer: Consumer, native: list[TopicPartition]) -> None:
        """The drain happens inside this callback: when it returns, the partitions are gone."""
        partitions = _partitions(native)
        self._assigned -= partitions
        self._asleep -= partitions
        if self._closing or not partitions:
            return
        budget = self._subscription.drain
        self._tell(Revoking(partitions, budget))
        deadline = time.monotonic() + budget + _RELEASE_GRACE
        while (left := deadline - time.monotonic()) > 0:
            self.turned_at = time.monotonic()
            try:
                command = self._commands.get(timeout=min(left, 1.0))
            except Empty:
                continue
            if isinstance(command, _Release):
                if command.offsets:
                    # Asynchronous: librdkafka finishes it before it rejoins, and its answer is not served in here.
                    self._commit(command.offsets, ours=True)
                return
            if isinstance(command, _Close):
                # Told to stop in the middle of a hand-over: after this callback it is too late to commit these.
                self._commit(command.offsets, ours=True)
                self._deferred.append(command)
                return
            if isinstance(command, _Sleep | _Wake):
                self._deferred.append(command)
            else:
                self._commit(command, ours=False)

    def _on_lost(self, consumer: Consumer, native: list[TopicPartition]) -> None:
        partitions = _partitions(native)
        self._assigned -= partitions
        self._asleep -= partitions
        self._tell(Lost(partitions))

    def _on_commit(self, error: KafkaError | None, native: list[TopicPartition]) -> None:
        ours = self._commits_under_way.popleft() if self._commits_under_way else True
        failed = error or next((tp.error for tp in native if tp.error is not None), None)
        if ours:
            if failed is not None:
                self._was_refused(failed)
            return
        offsets = {Partition(tp.topic, tp.partition): tp.offset for tp in native}
        self._tell(Committed(offsets, None if failed is None else name_of(failed)))

    def _was_refused(self, error: KafkaError) -> None:
        self._refusals.add(name_of(error))
        self._call_soon(self._on_error, f"commit_{name_of(error)}")

    def _on_client_error(self, error: KafkaError) -> None:
        self._trouble(error)

    def _on_stats(self, statistics: str) -> None:
        self._call_soon(self._on_statistics, statistics)

    def _is_being_asked(self, error: KafkaError | None) -> None:
        """A start is being looked up. A coordinator that does not answer is no reason to restart this process."""
        self.turned_at = time.monotonic()
        if error is not None:
            self._trouble(error)

    def _trouble(self, error: KafkaError) -> None:
        action = row_of(Operation.CONSUME, error).action
        if action is Action.STOP and self._may_be_unreleased(error):
            action = Action.NEW_CLIENT
        if action is Action.STOP:
            self._fail(error)
        elif action is not Action.IGNORE:
            self._anew = self._anew or action is Action.NEW_CLIENT
            self._call_soon(self._on_error, name_of(error))

    def _may_be_unreleased(self, error: KafkaError) -> bool:
        """Whether our name may still belong to a process that died: the client then only says that it is fatal."""
        named = "group.instance.id" in self._properties and error.code() == KafkaError._FATAL
        return named and not self.joined and time.monotonic() - self._started_at < _RELEASE_PATIENCE

    def _fail(self, error: KafkaError) -> None:
        row = row_of(Operation.CONSUME, error)
        if row.action is Action.STOP:
            self._tell(Failed(row.name, row.remedy))
        else:
            remedy = "Kafka refused what the consumer needs; `connector check --live` looks at it from outside"
            self._tell(Failed(name_of(error), remedy))

    def _native(self, partitions: set[Partition] | list[Partition]) -> list[TopicPartition]:
        return [TopicPartition(partition.topic, partition.number) for partition in partitions]

    def _tell(self, event: SourceEvent) -> None:
        self._call_soon(self._receive, event)

    def _receive(self, event: SourceEvent) -> None:
        self._events.append(event)
        self._woken.set()

    def _call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the event loop is closed: the process is at its end, and nobody listens
            pass


def _partitions(native: list[TopicPartition]) -> frozenset[Partition]:
    return frozenset(map(_partition, native))


def _partition(native: TopicPartition) -> Partition:
    return Partition(native.topic, native.partition)
