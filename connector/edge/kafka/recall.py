"""What the ledger says was accepted of a partition, read once when the partition comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import heappush, heappushpop
from typing import Any, NamedTuple

from connector.core.ledger import Accepted, Fate, Told
from connector.core.record import Partition
from connector.deadline import in_time
from connector.edge.daemon import in_daemon_thread
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan

_GATHER = 0.05
"""Seconds in which partitions that come together are waited for, to be read together."""
_PATIENCE = 20.0
"""Seconds for which a partition waits for it."""
_MOST = 200_000
"""Events of all partitions that are read together, the newest."""


class _Asked(NamedTuple):
    partition: Partition
    since_ms: int
    answer: asyncio.Future[Sequence[Accepted] | str]


class Recalls:
    """Reads the ledger's topic for many partitions at once. Made on a running event loop."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        beginning: Callable[[Partition, Fate], bytes],
        decode: Callable[[bytes], Told | None],
    ) -> None:
        """`properties` are librdkafka's for the connection. `beginning`: what entries of ours of one origin and fate
        begin with, so that the others need not be decoded."""
        self._properties = properties
        self._topic = topic
        self._beginning = beginning
        self._decode = decode
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    async def of(self, partition: Partition, since_ms: int) -> Sequence[Accepted] | str:
        """As `engine.ports.Ledger.recall`."""
        asked = _Asked(partition, since_ms, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        try:
            return await in_time(asked.answer, _PATIENCE)
        except TimeoutError:
            return "timed_out"

    async def _read_all(self) -> None:
        while True:
            await asyncio.sleep(_GATHER)
            asked, self._asked = self._asked, []
            if not asked:
                return
            found: dict[Partition, list[Accepted]] | Exception
            try:
                found = await in_daemon_thread(partial(self._read, asked))
            except Exception as error:
                found = error
            for each in asked:
                if each.answer.done():
                    continue  # nobody waits any more
                if isinstance(found, AdminError):
                    each.answer.set_result(found.code)
                elif isinstance(found, Exception):  # a bug of ours, for the caller that waits
                    each.answer.set_exception(found)
                else:
                    each.answer.set_result(found.get(each.partition, []))

    def _read(self, asked: Sequence[_Asked]) -> dict[Partition, list[Accepted]]:
        newest = Newest(_MOST, self._decode)
        with Scan(self._properties, self._topic) as scan:
            count = len(scan.bounds)
            of: dict[int | None, list[tuple[bytes, _Asked]]] = {}
            for each in asked:
                beginning = self._beginning(each.partition, Fate.ACCEPTED)
                of.setdefault(each.partition.number % count, []).append((beginning, each))
            wanted = [Partition(self._topic, number) for number in range(count) if number in of]
            scan.only_before({each: scan.bounds[each].readable for each in wanted})
            scan.since(min(each.since_ms for each in asked))
            for messages in scan.batches():
                for message in messages:
                    value = message.value() or b""
                    for beginning, each in of[message.partition()]:
                        if value.startswith(beginning) and (written_ms := message.timestamp()[1]) >= each.since_ms:
                            newest.take(each.partition, written_ms, value)
        return newest.by_partition()


class Newest:
    """At most this many entries of accepted events, of all partitions together. Only those are decoded."""

    def __init__(self, most: int, decode: Callable[[bytes], Told | None]) -> None:
        self._most = most
        self._decode = decode
        self._taken = 0
        self._heap: list[tuple[int, int, Partition, bytes]] = []

    def take(self, partition: Partition, written_ms: int, value: bytes) -> None:
        """Keep it, unless there is no room and it is the oldest."""
        self._taken += 1
        kept = written_ms, self._taken, partition, value
        if len(self._heap) < self._most:
            heappush(self._heap, kept)
        else:
            heappushpop(self._heap, kept)

    def by_partition(self) -> dict[Partition, list[Accepted]]:
        """What is kept, in no order, without what cannot be compared; it is given away."""
        found: dict[Partition, list[Accepted]] = {}
        while self._heap:
            _, _, partition, value = self._heap.pop()
            if (accepted := _accepted(self._decode(value))) is not None:
                found.setdefault(partition, []).append(accepted)
        return found


def _accepted(told: Told | None) -> Accepted | None:
    if told is None or told.hmac is None:
        return None
    entry = told.entry
    if entry.event_id is None or entry.service_id is None:
        return None
    return Accepted(entry.settled_ms, entry.event_id, entry.service_id, told.hmac)
