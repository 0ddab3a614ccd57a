"""Ends of the partitions' logs, asked for off the hot path: librdkafka's own lag freezes during a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.core.record import Partition
from connector.edge.kafka_errors import name_of

_EVERY = 10.0
"""Seconds between two looks: lag is watched over minutes."""

_ANSWER = 10.0


class Watermarks:
    """The last known end offset of each of `partitions()`."""

    def __init__(
        self,
        properties: Mapping[str, str | int | float],
        partitions: Callable[[], Collection[Partition]],
        on_error: Callable[[str], None],
    ) -> None:
        self._admin = AdminClient(dict(properties), logger=logging.getLogger("librdkafka"))
        self._partitions = partitions
        self._on_error = on_error
        self.ends: dict[Partition, int] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(_EVERY)

    async def _look(self) -> None:
        partitions = list(self._partitions())
        if not partitions:
            self.ends = {}
            return
        wanted = {TopicPartition(p.topic, p.number): OffsetSpec.latest() for p in partitions}  # type: ignore[no-untyped-call]  # its stub lacks the return type
        try:
            answers = self._admin.list_offsets(wanted, request_timeout=_ANSWER)
        except KafkaException as raised:
            self._on_error(name_of(raised.args[0]))
            return
        ends = {}
        for tp, answer in answers.items():
            try:
                ends[Partition(tp.topic, tp.partition)] = (await asyncio.wrap_future(answer)).offset
            except KafkaException as raised:
                self._on_error(name_of(raised.args[0]))
        self.ends = ends
