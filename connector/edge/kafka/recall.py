"""What the ledger says was accepted of a partition, read once when the partition comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from connector.core.ledger import Fate
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
"""Ids of one partition, the newest."""

Accepted = Sequence[tuple[str, int]]
"""Event ids, and when they were accepted (ms since the epoch)."""


class _Asked(NamedTuple):
    partition: Partition
    since_ms: int
    answer: asyncio.Future[Accepted | str]


class Recalls:
    """Reads the ledger's topic for many partitions at once. Made on a running event loop."""

    def __init__(
        self, properties: Mapping[str, Any], topic: str, beginning: Callable[[Partition, Fate], bytes]
    ) -> None:
        """`properties` are librdkafka's for the connection. `beginning`: what entries of one origin and fate begin
        with, so that the others need not be decoded."""
        self._properties = properties
        self._topic = topic
        self._beginning = beginning
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    async def of(self, partition: Partition, since_ms: int) -> Accepted | str:
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
            found: dict[Partition, Accepted] = {}
            failed: str | None = None
            try:
                found = await in_daemon_thread(partial(self._read, asked))
            except AdminError as error:
                failed = error.code
            for each in asked:
                if not each.answer.done():
                    each.answer.set_result(failed or found[each.partition])

    def _read(self, asked: Sequence[_Asked]) -> dict[Partition, Accepted]:
        found: dict[Partition, deque[tuple[str, int]]] = {each.partition: deque(maxlen=_MOST) for each in asked}
        with Scan(self._properties, self._topic) as scan:
            count = len(scan.bounds)
            of: dict[int | None, list[tuple[bytes, deque[tuple[str, int]]]]] = {}
            for partition, ids in found.items():
                beginning = self._beginning(partition, Fate.ACCEPTED)
                of.setdefault(partition.number % count, []).append((beginning, ids))
            wanted = [Partition(self._topic, number) for number in range(count) if number in of]
            scan.only_before({each: scan.bounds[each].readable for each in wanted})
            scan.since(min(each.since_ms for each in asked))
            for messages in scan.batches():
                for message in messages:
                    value = message.value() or b""
                    for beginning, ids in of[message.partition()]:
                        if value.startswith(beginning) and (key := message.key()) is not None:
                            ids.append((key.decode("utf-8", "replace"), message.timestamp()[1]))
        return {partition: list(ids) for partition, ids in found.items()}
