"""Bounds of the partitions' logs and the topics' retention, asked for off the hot path.

librdkafka's own lag freezes while a partition is paused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AdminClient,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.core.record import Partition
from connector.edge.kafka_errors import name_of

_log = logging.getLogger(__name__)

_EVERY = 10.0
"""Seconds between two looks: lag is watched over minutes."""

_RETENTION_EVERY = 600.0
"""Seconds between two looks at retention: it changes by hand."""

_ANSWER = 10.0


class Bounds(NamedTuple):
    """A log's first offset, and the one after its last."""

    start: int
    end: int

    def lag(self, position: int) -> int:
        """Offsets still to be read from `position` on; what retention deleted is not to be read."""
        return max(0, self.end - max(self.start, position))


class Watermarks:
    """The last known bounds of the log of each of `partitions()`, and the retention of their topics in seconds.

    A topic that keeps its records for ever, or whose settings we may not see, has no retention here.
    """

    def __init__(
        self,
        properties: Mapping[str, str | int | float],
        partitions: Callable[[], Collection[Partition]],
        on_error: Callable[[str], None],
    ) -> None:
        self._admin = AdminClient(dict(properties), logger=logging.getLogger("librdkafka"))
        self._partitions = partitions
        self._on_error = on_error
        self.bounds: dict[Partition, Bounds] = {}
        self.retention: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self._look()
            except Exception:  # whatever it is, lag is worth another look and never the process
                _log.exception("watermarks_fault")
                self._on_error("watermarks_fault")
            await asyncio.sleep(_EVERY)

    async def _look(self) -> None:
        partitions = list(self._partitions())
        ends = await self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # its stub lacks it
        starts = await self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # likewise
        self.bounds = {p: Bounds(starts[p], ends[p]) for p in partitions if p in starts and p in ends}

        for topic in {partition.topic for partition in partitions}:
            await self._look_at_retention(topic, asyncio.get_running_loop().time())

    async def _look_at_retention(self, topic: str, now: float) -> None:
        if now - self._looked_at.get(topic, -_RETENTION_EVERY) < _RETENTION_EVERY:
            return
        self._looked_at[topic] = now
        resource = ConfigResource(ResourceType.TOPIC, topic)
        try:
            asked = self._admin.describe_configs([resource], request_timeout=_ANSWER)[resource]
            kept = int((await asyncio.wrap_future(asked))["retention.ms"].value)
        except (KafkaException, KeyError):
            return
        self.retention.pop(topic, None)
        if kept > 0:
            self.retention[topic] = kept / 1000

    async def _offsets(self, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        if not partitions:
            return {}
        wanted = {TopicPartition(partition.topic, partition.number): spec for partition in partitions}
        found = {}
        try:
            for tp, answer in self._admin.list_offsets(wanted, request_timeout=_ANSWER).items():
                found[Partition(tp.topic, tp.partition)] = (await asyncio.wrap_future(answer)).offset
        except KafkaException as raised:
            self._on_error(name_of(raised.args[0]))
        return found
