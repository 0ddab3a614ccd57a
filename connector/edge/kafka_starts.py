"""Where a partition starts that was just assigned: at its commit, or where the group begins."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

_LOOK_UP, _LOOK_UP_PAUSE, _LOOK_UPS = 10.0, 0.5, 4
"""Seconds for a broker to answer what an assignment needs to know, seconds between tries, and how many there are."""


class Subscription(NamedTuple):
    """What to read. `start` is for a group without any commit on a topic of `main`; retry topics start at their
    beginning. `drain` is the seconds that partitions get before they are handed over."""

    main: str
    retry: frozenset[str]
    start: Literal["earliest", "latest", "error"]
    drain: float

    @property
    def topics(self) -> list[str]:
        """All topics to subscribe to."""
        return [self.main, *sorted(self.retry)]


class NoStartError(Exception):
    """A group without a commit, and a policy that wants one."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


class Starts:
    """Asks on the consumer's thread, inside its callback. `on_asking` is told before each look-up, and of errors."""

    def __init__(
        self,
        consumer: Consumer,
        properties: Mapping[str, object],
        subscription: Subscription,
        on_asking: Callable[[KafkaError | None], None],
    ) -> None:
        self._consumer = consumer
        self._properties = dict(properties)
        self._subscription = subscription
        self._on_asking = on_asking
        self._new: set[tuple[str, int]] = set()

    def of(self, native: list[TopicPartition]) -> list[tuple[TopicPartition, str]]:
        """Where each partition starts, and the metadata of its commit. Raises KafkaException and NoStartError."""
        self._new.clear()
        if not native:
            return []
        return [
            (TopicPartition(tp.topic, tp.partition, tp.offset), tp.metadata or "")
            if tp.offset >= 0
            else (TopicPartition(tp.topic, tp.partition, self._first(tp)), "")
            for tp in self._committed(native)
        ]

    def is_new(self, native: TopicPartition) -> bool:
        """Whether a partition of the last answer starts at an end of its log that no commit holds yet."""
        return (native.topic, native.partition) in self._new

    def _first(self, tp: TopicPartition) -> int:
        """Where a partition without a commit starts: a new partition of a known topic at its beginning."""
        policy = self._subscription.start if tp.topic == self._subscription.main else "earliest"
        if policy == "earliest" or self._is_known(tp.topic):
            return OFFSET_BEGINNING
        if policy == "error":
            raise NoStartError(tp.topic)
        _, end = self._consumer.get_watermark_offsets(tp, timeout=_LOOK_UP)
        self._new.add((tp.topic, tp.partition))
        return int(end)

    def _is_known(self, topic: str) -> bool:
        # A client of its own: list_topics on the client whose callback this is ends the process (SIGABRT) as soon as
        # the next callback is served.
        asking = Consumer(self._properties, logger=logging.getLogger("librdkafka"))
        try:
            metadata = asking.list_topics(topic, timeout=_LOOK_UP)
        finally:
            asking.close()
        partitions = [TopicPartition(topic, number) for number in metadata.topics[topic].partitions]
        return any(tp.offset >= 0 for tp in self._committed(partitions))

    def _committed(self, native: list[TopicPartition]) -> list[TopicPartition]:
        """Ask a few times: a coordinator on the move must not cost the process its membership."""
        self._on_asking(None)
        for _ in range(_LOOK_UPS - 1):
            try:
                return self._consumer.committed(native, timeout=_LOOK_UP)
            except KafkaException as raised:
                self._on_asking(raised.args[0])
                time.sleep(_LOOK_UP_PAUSE)
        return self._consumer.committed(native, timeout=_LOOK_UP)
