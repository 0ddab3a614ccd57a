"""Kafka in memory: topics, one consumer group with its members and offsets. For tests and simulated histories.

It passes the conformance suite that the real client passes. What it leaves out: fetch sizes, transactions,
compaction of its own accord (a test leaves offsets out), authorization, and any delay but the event loop's.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping

from connector.core.record import Headers, Partition, Record
from connector.core.settled_map import LogIdentity
from connector.core.signals import (
    Asleep,
    Assigned,
    Commit,
    Committed,
    Counted,
    Gap,
    Lost,
    Revoking,
    SourceEvent,
    Taken,
    WriteFailed,
)

_BATCH = 500


class MemoryBroker:
    """Topics and one group. `now_ms` stamps what is written; `drain` seconds are given to a member that must let go.

    A test may refuse commits (`commit_error`), writes by topic (`write_errors`), let both wait (`commit_delay`,
    `write_delay`, seconds), and bound a topic's record size (`max_bytes`) and the characters of a partition's and of a
    whole commit's metadata (`max_metadata`, `max_commit`). With `cluster_id` None nobody is told which log is which,
    nor without `tells_logs`, as while leaders are away.
    """

    def __init__(self, topics: Mapping[str, int], now_ms: Callable[[], int], drain: float = 40.0) -> None:
        self._now_ms = now_ms
        self.drain = drain
        self.logs: dict[Partition, list[Record]] = {
            Partition(topic, number): [] for topic, count in topics.items() for number in range(count)
        }
        self.committed: dict[Partition, Commit] = {}
        self.commit_error: str | None = None
        self.commit_delay = self.write_delay = 0.0
        self.write_errors: dict[str, str] = {}
        self.max_bytes: dict[str, int] = {}
        self.max_metadata, self.max_commit = 4095, 900_000
        self.cluster_id: str | None = "memory"
        self.tells_logs = True
        self._topic_ids: dict[str, str] = {}
        self._created = 0
        for topic in topics:
            self._identify(topic)
        self._next_offset: dict[Partition, int] = dict.fromkeys(self.logs, 0)
        self._epochs: dict[Partition, int] = dict.fromkeys(self.logs, 0)
        self._members: list[MemorySource] = []
        self._owner: dict[Partition, MemorySource] = {}
        self._round_robin = 0

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Add a topic. Members that subscribed to it learn of it at their next rebalance."""
        self._identify(name)
        for partition in (Partition(name, number) for number in range(partitions)):
            self.logs[partition] = []
            self._next_offset[partition] = 0
            self._epochs[partition] = 0

    def delete_topic(self, name: str) -> None:
        """Forget a topic and what was committed of it. Only while nobody reads it."""
        for partition in [partition for partition in self.logs if partition.topic == name]:
            del self.logs[partition]
            self.committed.pop(partition, None)

    def cut(self, partition: Partition, end: int) -> None:
        """An unclean election: records from offset `end` on are gone, and what comes is of a new leader's epoch."""
        self.logs[partition] = [record for record in self.logs[partition] if record.offset < end]
        self._next_offset[partition] = min(end, self._next_offset[partition])
        self._epochs[partition] += 1

    def elect(self, partition: Partition) -> None:
        """A new leader, who has everything."""
        self.cut(partition, self._next_offset[partition])

    def count(self, topics: Collection[str]) -> dict[str, int]:
        """How many partitions each of these topics has."""
        return dict(Counter(partition.topic for partition in self.logs if partition.topic in topics))

    def describe(self, partition: Partition) -> tuple[LogIdentity | None, int]:
        """Which log it is, and its end."""
        is_told = self.tells_logs and self.cluster_id is not None
        known = LogIdentity(self.cluster_id or "", self._topic_ids[partition.topic]) if is_told else None
        return known, self._next_offset[partition]

    def append(
        self,
        partition: Partition,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        *,
        skip: int = 0,
        timestamp_ms: int | None = None,
    ) -> Record:
        """Write one record; `skip` offsets before it do not exist, as after compaction."""
        offset = self._next_offset[partition] + skip
        stamp = self._now_ms() if timestamp_ms is None else timestamp_ms
        record = Record(partition, offset, stamp, key, value, headers, self._epochs[partition])
        self._next_offset[partition] = offset + 1
        self.logs[partition].append(record)
        if owner := self._owner.get(partition):
            owner.feed()
        return record

    def leave_gap(self, partition: Partition, offsets: int = 1) -> None:
        """Use up offsets without a record, as a transaction's markers and aborted records do."""
        self._next_offset[partition] += offsets
        if owner := self._owner.get(partition):
            owner.feed()

    def end(self, partition: Partition) -> int:
        """The offset that comes next."""
        return self._next_offset[partition]

    def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> WriteFailed | None:
        """Append to one of the topic's partitions in turn, unless a test refuses it."""
        if error := self.write_errors.get(topic):
            return WriteFailed(error, too_large=False)
        size = len(key or b"") + len(value or b"") + sum(len(n) + len(v or b"") for n, v in headers)
        if size > self.max_bytes.get(topic, size):
            return WriteFailed("msg_size_too_large", too_large=True)
        partitions = [partition for partition in self.logs if partition.topic == topic]
        if not partitions:
            return WriteFailed("unknown_topic_or_part", too_large=False)
        self._round_robin += 1
        self.append(partitions[self._round_robin % len(partitions)], value, key, headers)
        return None

    def join(self, member: MemorySource) -> None:
        """A member comes: partitions move to it once their owners let go."""
        self._members.append(member)
        self._rebalance()

    def leave(self, member: MemorySource) -> None:
        """A member goes, by its own will or by a crash: what it had is free at once."""
        if member in self._members:
            self._members.remove(member)
        for partition in [p for p, owner in self._owner.items() if owner is member]:
            del self._owner[partition]
        self._rebalance()

    def expel(self, member: MemorySource) -> None:
        """The group gave up on a member that lives on (a session time-out): it learns that its partitions are lost."""
        lost = frozenset(p for p, owner in self._owner.items() if owner is member)
        self.leave(member)
        member.lose(lost)

    def released(
        self, member: MemorySource, partitions: frozenset[Partition], offsets: Mapping[Partition, Commit]
    ) -> None:
        """A member let partitions go, with a last commit."""
        self.store(member, offsets)
        for partition in member.let_go(partitions):
            if self._owner.get(partition) is member:  # it may have left, and somebody else has it by now
                del self._owner[partition]
        self._rebalance()

    def store(self, member: MemorySource, offsets: Mapping[Partition, Commit]) -> str | None:
        """Take a commit, or name why not. Like the real broker it takes lower offsets too."""
        if self.commit_error is not None:
            return self.commit_error
        if member not in self._members:
            return "unknown_member_id"
        if any(len(commit.metadata) > self.max_metadata for commit in offsets.values()):
            return "offset_metadata_too_large"
        if sum(len(commit.metadata) for commit in offsets.values()) > self.max_commit:
            return "unknown"
        self.committed.update(offsets)
        return None

    def _identify(self, topic: str) -> None:
        self._created += 1
        self._topic_ids[topic] = f"topic-{self._created}"

    def _rebalance(self) -> None:
        if not self._members:
            return
        wanted = self._wanted()
        for member in self._members:
            going = frozenset(p for p, owner in self._owner.items() if owner is member and wanted[p] is not member)
            if going:
                member.revoke(going, self.drain)
        for partition, member in wanted.items():
            if partition not in self._owner:
                self._owner[partition] = member
                commit = self.committed.get(partition, Commit(0, ""))
                member.gain(partition, commit)

    def _wanted(self) -> dict[Partition, MemorySource]:
        topics = sorted({topic for member in self._members for topic in member.topics})
        return {partition: member for topic in topics for partition, member in self._shared_out(topic)}

    def _shared_out(self, topic: str) -> Iterator[tuple[Partition, MemorySource]]:
        """Each topic by itself, as among members that read nothing else: sticky, and even but for one partition."""
        readers = [member for member in self._members if topic in member.topics]
        partitions = [partition for partition in self.logs if partition.topic == topic]
        had = Counter(self._owner[partition] for partition in partitions if partition in self._owner)
        least, more = divmod(len(partitions), len(readers))
        # Whoever has most keeps the one that others have not.
        readers.sort(key=lambda member: -had[member])
        left = {member: least + (number < more) for number, member in enumerate(readers)}
        free = []
        for partition in partitions:
            owner = self._owner.get(partition)
            if owner is not None and left.get(owner):
                left[owner] -= 1
                yield partition, owner
            else:
                free.append(partition)
        yield from zip(free, (member for member, count in left.items() for _ in range(count)), strict=True)


class MemorySink:
    """Writes to a MemoryBroker after at least one turn of the event loop, as no real broker answers at once."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> WriteFailed | None:
        """Write one record; None once it is in the log."""
        await asyncio.sleep(self._broker.write_delay)
        return self._broker.write(topic, key, value, headers)

    async def close(self) -> None:
        """Nothing is under way that was not awaited."""


class MemorySource:
    """A process of the MemoryBroker's group: a member for each topic that it reads."""

    def __init__(self, broker: MemoryBroker, topics: frozenset[str]) -> None:
        self._broker = broker
        self.topics = topics
        self._events: deque[SourceEvent] = deque()
        self._woken: asyncio.Event = asyncio.Event()
        self._position: dict[Partition, int] = {}
        self._asleep: set[Partition] = set()
        self._revoking: dict[str, frozenset[Partition]] = {}
        self._commits: deque[Mapping[Partition, Commit]] = deque()
        self._records = 0
        self._size = 0
        self._closed = False

    def start(self) -> None:
        """Join the group."""
        self._tell(Counted(self._broker.count(self.topics)))
        self._broker.join(self)

    async def next(self) -> SourceEvent:
        """Wait for the next happening."""
        while not self._events:
            self._woken.clear()
            await self._woken.wait()
        return self._events.popleft()

    def give_room(self, records: int, size: int) -> None:
        """Credit for so many more records and bytes."""
        self._records += records
        self._size += size
        self.feed()

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit; the answer comes as an event."""
        self._commits.append(offsets)
        if self._broker.commit_delay:
            asyncio.get_running_loop().call_later(self._broker.commit_delay, self._store_next)
        else:
            self._store_next()

    def release(self, partitions: frozenset[Partition], offsets: Mapping[Partition, Commit]) -> None:
        """Let the partitions of a `Revoking` go."""
        self._store_all()
        self._broker.released(self, partitions, offsets)

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop fetching and go back."""
        if partition in self._position:
            self._asleep.add(partition)
            self._position[partition] = offset
        self._tell(Asleep(partition))

    def wake(self, partition: Partition) -> None:
        """Fetch again."""
        self._asleep.discard(partition)
        self.feed()

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit a last time and leave."""
        self._store_all()
        self._broker.store(self, offsets)
        self.crash()

    def crash(self) -> None:
        """Vanish without a commit."""
        self._closed = True
        self._commits.clear()
        self._position.clear()
        self._broker.leave(self)

    def gain(self, partition: Partition, commit: Commit) -> None:
        """Called by the broker: the partition is this member's from its committed offset on."""
        self._position[partition] = commit.offset
        log = self._broker.describe(partition)
        self._tell(Assigned(partition, commit.offset, commit.metadata, *log, cluster_id=self._broker.cluster_id))
        self.feed()

    def revoke(self, partitions: frozenset[Partition], budget: float) -> None:
        """Called by the broker: these must be let go; one hand-over of a topic at a time."""
        for topic in sorted({partition.topic for partition in partitions} - self._revoking.keys()):
            going = frozenset(partition for partition in partitions if partition.topic == topic)
            self._revoking[topic] = going
            self._tell(Revoking(going, budget))

    def let_go(self, partitions: frozenset[Partition]) -> frozenset[Partition]:
        """Called by the broker at a release: what went of these, which were asked back together."""
        gone = frozenset().union(*(self._revoking.pop(each.topic, frozenset()) for each in partitions))
        for partition in gone:
            self._forget(partition)
        return gone

    def lose(self, partitions: frozenset[Partition]) -> None:
        """Called by the broker: these are gone."""
        self._revoking = {}
        for partition in partitions:
            self._forget(partition)
        self._tell(Lost(partitions))

    def feed(self) -> None:
        """Take what there is and what there is room for."""
        for partition in list(self._position):
            if partition in self._asleep or partition in self._revoking.get(partition.topic, ()) or self._closed:
                continue
            while batch := self._batch(partition):
                self._tell(Taken(batch))
            self._look_for_gap(partition)

    def _store_all(self) -> None:
        """One connection keeps its order: what is said last arrives after all commits under way."""
        while self._commits:
            self._store_next()

    def _store_next(self) -> None:
        if self._commits:
            offsets = self._commits.popleft()
            error = self._broker.store(self, offsets)
            self._tell(Committed({p: c.offset for p, c in offsets.items()}, error))

    def _batch(self, partition: Partition) -> list[Record]:
        batch: list[Record] = []
        log = self._broker.logs[partition]
        # Offsets rise with the index, so the record looked for is never further right than its offset.
        start = min(self._position[partition], len(log))
        while start and log[start - 1].offset >= self._position[partition]:
            start -= 1
        for record in log[start:]:
            if self._records <= 0 or self._size <= 0 or len(batch) == _BATCH:
                break
            batch.append(record)
            self._records -= 1
            self._size -= record.size
            self._position[partition] = record.offset + 1
        return batch

    def _look_for_gap(self, partition: Partition) -> None:
        log, first, end = self._broker.logs[partition], self._position[partition], self._broker.end(partition)
        if first < end and not (log and log[-1].offset >= first):
            self._position[partition] = end
            self._tell(Gap(partition, first, end))

    def _forget(self, partition: Partition) -> None:
        self._position.pop(partition, None)
        self._asleep.discard(partition)

    def _tell(self, event: SourceEvent) -> None:
        self._events.append(event)
        self._woken.set()
