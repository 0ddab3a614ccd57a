"""Where a newly assigned partition starts: at its commit, or where the group begins."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from connector.core.record import Partition
from connector.core.settled_map import (
    encode,
    is_deliverers,
    is_shadows,
    names_cluster,
    says_ahead,
    without_shadow,
)
from connector.core.signals import Assigned, Commit
from connector.edge.kafka.identity import Log, LogIdentities, Logs
from connector.edge.kafka.tokens import let_go
from connector.edge.kafka.verdicts import NO_COMMIT, OF_A_DELIVERY, OF_A_SHADOW, Row

_LOOK_UP, _LOOK_UP_PAUSE, _LOOK_UPS = 10.0, 0.5, 4
"""Seconds for a broker to answer what an assignment needs to know, seconds between tries, and how many there are."""


class Subscription(NamedTuple):
    """What to read. `start` is for a group without any commit on a topic of `main`; retry topics start at their
    beginning. `drain` is the seconds that partitions get before they are handed over. `is_shadow`: nothing is
    delivered, and commits say so."""

    main: str
    retry: frozenset[str]
    start: Literal["earliest", "latest", "error"]
    drain: float
    is_shadow: bool = False


class NoStartError(Exception):
    """A group without a commit, and a policy that wants one; or a commit that is not one to go on from."""

    def __init__(self, row: Row, topic: str) -> None:
        super().__init__(topic)
        self.row = row
        self.topic = topic


class Start(NamedTuple):
    """Where a partition starts: an offset, or one of Kafka's names for an end of the log.

    `is_new`: it is the log's end, which no commit holds yet.
    """

    native: TopicPartition
    is_new: bool
    assigned: Assigned


def first_commits(starts: Iterable[Start]) -> dict[Partition, Commit]:
    """Of the partitions that start where no commit holds their place yet."""
    new = [start.assigned for start in starts if start.is_new]
    return {each.partition: Commit(each.position, encode(each.position, (), each.identity)[0]) for each in new}


class Starts:
    """Asks on the consumer's thread, inside its callback. `on_asking` is told before each look-up, and of errors."""

    def __init__(
        self,
        properties: Mapping[str, object],
        subscription: Subscription,
        identities: LogIdentities,
        on_asking: Callable[[KafkaError | None], None],
    ) -> None:
        self._properties = dict(properties)
        self._subscription = subscription
        self._identities = identities
        self._on_asking = on_asking

    def of(self, consumer: Consumer, native: list[TopicPartition]) -> list[Start]:
        """Where each partition starts. Raises KafkaException and NoStartError. Blocks, with bounds."""
        committed = [self._ours(tp) for tp in self._committed(consumer, native)] if native else []
        offsets = [tp.offset if tp.offset >= 0 else self._first(consumer, tp) for tp in committed]
        # After the commits were read: of a topic that is created anew in between, the map names the old one.
        self._on_asking(None)
        logs = self._identities.of(
            [_partition(tp) for tp in committed],
            urgent=[_partition(tp) for tp in committed if says_ahead(tp.metadata or "")],
            needs_cluster=any(names_cluster(tp.metadata or "") for tp in committed),
        )
        return [
            Start(
                TopicPartition(tp.topic, tp.partition, _number(offset, logs.get(_partition(tp)))),
                is_new=tp.offset < 0 and offset >= 0,
                assigned=_assigned(tp, offset, logs),
            )
            for tp, offset in zip(committed, offsets, strict=True)
        ]

    def _ours(self, tp: TopicPartition) -> TopicPartition:
        """A commit of this mode, without its mark. Raises NoStartError for one of the other mode."""
        text = tp.metadata or ""
        if is_shadows(text) and not self._subscription.is_shadow:
            raise NoStartError(OF_A_SHADOW, tp.topic)
        if is_deliverers(text) and self._subscription.is_shadow:
            raise NoStartError(OF_A_DELIVERY, tp.topic)
        return TopicPartition(tp.topic, tp.partition, tp.offset, without_shadow(text)) if is_shadows(text) else tp

    def _first(self, consumer: Consumer, tp: TopicPartition) -> int:
        """Where a partition without a commit starts: a new partition of a known topic at its beginning."""
        policy = self._subscription.start if tp.topic == self._subscription.main else "earliest"
        if policy == "earliest" or self._is_known(consumer, tp.topic):
            return OFFSET_BEGINNING
        if policy == "error":
            raise NoStartError(NO_COMMIT, tp.topic)
        _, end = consumer.get_watermark_offsets(tp, timeout=_LOOK_UP)
        return int(end)

    def _is_known(self, consumer: Consumer, topic: str) -> bool:
        # A client of its own: librdkafka 2.16.0 does not bear this question on the client whose callback this is.
        asking = Consumer(self._properties, logger=logging.getLogger("librdkafka"))
        try:
            metadata = asking.list_topics(topic, timeout=_LOOK_UP)
        finally:
            let_go(asking, self._properties)
        partitions = [TopicPartition(topic, number) for number in metadata.topics[topic].partitions]
        return any(tp.offset >= 0 for tp in self._committed(consumer, partitions))

    def _committed(self, consumer: Consumer, native: list[TopicPartition]) -> list[TopicPartition]:
        """Ask a few times: a coordinator on the move must not cost the process its membership."""
        self._on_asking(None)
        for _ in range(_LOOK_UPS - 1):
            try:
                return consumer.committed(native, timeout=_LOOK_UP)
            except KafkaException as raised:
                self._on_asking(raised.args[0])
                time.sleep(_LOOK_UP_PAUSE)
        return consumer.committed(native, timeout=_LOOK_UP)


def _number(offset: int, log: Log | None) -> int:
    """The log's first offset in place of Kafka's name for it, where it is known and nothing was deleted yet.

    The client asks for that of each partition by itself, and what is told after the first fetch began has to wait until
    that one ends: for half a second while the others have no records. Where retention is at work, a number can be
    deleted before the first fetch, which would end the process.
    """
    return 0 if offset == OFFSET_BEGINNING and log is not None and log.start == 0 else offset


def _assigned(committed: TopicPartition, offset: int, logs: Logs) -> Assigned:
    partition, metadata = _partition(committed), committed.metadata or "" if committed.offset >= 0 else ""
    log = logs.get(partition)
    identity, end = (None, None) if log is None else (log.identity, log.end)
    return Assigned(partition, max(offset, 0), metadata, identity, end, logs.cluster_id)


def _partition(native: TopicPartition) -> Partition:
    return Partition(native.topic, native.partition)
