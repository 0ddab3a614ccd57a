"""A source that costs next to nothing: partitions that lie in memory and are read in turns. See `in_memory`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from connector.core.record import Partition, Record
from connector.core.settled_map import LogIdentity
from connector.core.signals import Asleep, Assigned, Commit, Committed, Counted, SourceEvent, Taken

_BATCH = 500


class Feed:
    """Satisfies the port `Source`. Offsets are places in the sequences; every commit is answered in the next turn."""

    def __init__(self, logs: Mapping[Partition, Sequence[Record]]) -> None:
        self.taken = 0
        self._logs = logs
        self._at = dict.fromkeys(logs, 0)
        self._turns = deque(logs)
        self._events: deque[SourceEvent] = deque()
        self._woken = asyncio.Event()
        self._credit = self._bytes = 0

    def start(self) -> None:
        """Join: every partition is this one's, from its beginning."""
        topics = {partition.topic for partition in self._logs}
        self._tell(Counted({topic: sum(each.topic == topic for each in self._logs) for topic in topics}))
        for partition, log in self._logs.items():
            self._tell(Assigned(partition, 0, "", LogIdentity("cluster", partition.topic), len(log)))
        self._feed()

    async def next(self) -> SourceEvent:
        """Wait for the next happening."""
        while not self._events:
            self._woken.clear()
            await self._woken.wait()
        return self._events.popleft()

    def give_room(self, records: int, size: int) -> None:
        """Credit for so many more records and bytes."""
        self._credit += records
        self._bytes += size
        if self._credit >= _BATCH:
            self._feed()

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit; the answer comes as an event."""
        answer = Committed({partition: commit.offset for partition, commit in offsets.items()}, None)
        asyncio.get_running_loop().call_soon(self._tell, answer)

    def release(self, partitions: frozenset[Partition], offsets: Mapping[Partition, Commit]) -> None:
        """Nobody asks for any back."""

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop feeding a partition, and go back."""
        self._at[partition] = offset
        if partition in self._turns:
            self._turns.remove(partition)
        self._tell(Asleep(partition))

    def wake(self, partition: Partition) -> None:
        """Feed it again."""
        self._turns.append(partition)
        self._feed()

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Leave."""
        self._turns.clear()

    def _feed(self) -> None:
        while (most := min(_BATCH, self._credit)) > 0 and self._bytes > 0 and self._turns:
            each = max(1, most // len(self._turns))
            batch: list[Record] = []
            for _ in range(len(self._turns)):
                partition = self._turns[0]
                at = self._at[partition]
                part = self._logs[partition][at : at + min(each, most - len(batch))]
                self._at[partition] += len(part)
                batch += part
                if self._at[partition] < len(self._logs[partition]):
                    self._turns.rotate(-1)
                else:
                    self._turns.popleft()
                if len(batch) >= most:
                    break
            self._credit -= len(batch)
            self._bytes -= sum(record.size for record in batch)
            self.taken += len(batch)
            if batch:
                self._tell(Taken(batch))

    def _tell(self, event: SourceEvent) -> None:
        self._events.append(event)
        self._woken.set()
