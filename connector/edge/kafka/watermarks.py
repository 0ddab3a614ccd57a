"""Bounds of the partitions' logs and the topics' retention, asked for off the hot path.

librdkafka's own lag freezes while a partition is paused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    ConfigResource,
    ResourceType,
)

from connector.core.record import Partition
from connector.edge.daemon import in_daemon_thread
from connector.edge.kafka.bounds import Bounds, Look, asking_client, look
from connector.edge.kafka.round_trips import PROPERTIES, RoundTrips
from connector.edge.kafka.transactions import Behind, OpenTransactions

_log = logging.getLogger(__name__)

_EVERY, _AGAIN = 10.0, 2.0
"""Seconds between two looks: lag is watched over minutes; and after one that did not tell all or had nothing to ask."""

_RETENTION_EVERY = 600.0
"""Seconds between two looks at retention: it changes by hand."""

_ANSWER = 10.0


class Watermarks:
    """The bounds of the logs of `partitions()`, and the retention of their topics in seconds.

    A partition that the last look told nothing of has no bounds here. A topic that keeps its records for ever, or
    whose settings we may not see, has no retention here. `transactions` are those that keep records from being read.
    `round_trips` are those of the questions.
    """

    def __init__(
        self,
        properties: Mapping[str, str | int | float],
        partitions: Callable[[], Collection[Partition]],
        on_error: Callable[[str], None],
        on_old_transaction: Callable[[Partition, Behind, float], None],
    ) -> None:
        self.round_trips = RoundTrips()
        self._admin = asking_client({**properties, **PROPERTIES, "stats_cb": self.round_trips.told})
        self._partitions = partitions
        self._on_error = on_error
        self.bounds: dict[Partition, Bounds] = {}
        self.transactions = OpenTransactions(on_old_transaction)
        self.retention: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            is_complete = False
            try:
                is_complete = await self._look()
            except Exception:  # whatever it is, lag is worth another look and never the process
                _log.exception("watermarks_fault")
                self._on_error("watermarks_fault")
            await asyncio.sleep(_EVERY if is_complete else _AGAIN)

    async def _look(self) -> bool:
        partitions = list(self._partitions())
        told = await in_daemon_thread(lambda: self._ask(partitions))
        self.bounds = told.bounds
        self.transactions.see(told.bounds, asyncio.get_running_loop().time())
        for code in sorted(set(told.unknown.values())):
            self._on_error(code)
        for topic in {partition.topic for partition in told.bounds}:
            await self._look_at_retention(topic, asyncio.get_running_loop().time())
        return bool(partitions) and not told.unknown

    def _ask(self, partitions: list[Partition]) -> Look:
        told = look(self._admin, partitions, _ANSWER)
        self._admin.poll(0)  # the statistics
        return told

    async def _look_at_retention(self, topic: str, now: float) -> None:
        if now - self._looked_at.get(topic, -_RETENTION_EVERY) < _RETENTION_EVERY:
            return
        resource = ConfigResource(ResourceType.TOPIC, topic)
        try:
            asked = self._admin.describe_configs([resource], request_timeout=_ANSWER)[resource]
            kept = int((await asyncio.wrap_future(asked))["retention.ms"].value)
        except (KafkaException, KeyError):
            return
        self._looked_at[topic] = now
        self.retention.pop(topic, None)
        if kept > 0:
            self.retention[topic] = kept / 1000
