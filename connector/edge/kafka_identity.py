"""Which log is which, asked for when partitions are assigned: the cluster's id, the topics' ids, the logs' ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.core.record import Partition
from connector.core.settled_map import LogIdentity

_PATIENCE = 2.0
"""Seconds from `ask` on that an assignment waits for brokers that may not answer at all: librdkafka's mock does not."""

_ANSWER, _TRIES, _PAUSE = 10.0, 3, 0.5
"""Seconds for brokers that do answer, how often they are asked when a map depends on it, and seconds between."""

_NO_TOPIC_ID = "A" * 22
"""A topic id of zeros: the broker is too old to have any."""


class Log(NamedTuple):
    """What names a partition's log, and the offset after its last record."""

    identity: LogIdentity
    end: int


class LogIdentities:
    """Asks by a client of its own, since it is asked inside the consumer's callbacks. Calls block.

    Everything is asked anew for each assignment: a topic that was created anew has a new id.
    """

    def __init__(self, properties: Mapping[str, str | int | float]) -> None:
        """`properties` are librdkafka's for the connection."""
        self._admin = AdminClient(dict(properties), logger=logging.getLogger("librdkafka"))

    def ask(self) -> None:
        """See whether the brokers answer at all, without waiting."""
        self._asked_at = time.monotonic()
        self._greeting = self._admin.describe_cluster(request_timeout=_ANSWER)

    def of(self, partitions: Collection[Partition], *, urgent: bool) -> Mapping[Partition, Log]:
        """The logs of these partitions as far as Kafka tells; `urgent`: a map that is there can be used with it only.

        At most 32 s; without `urgent`, 10 s, or what is left of 2 s where nothing was answered yet.
        Raises KafkaException when the client itself is of no use.
        """
        if not partitions or not self._answers(_ANSWER if urgent else self._asked_at + _PATIENCE - time.monotonic()):
            return {}
        found: dict[Partition, Log] = {}
        for attempt in range(_TRIES if urgent else 1):
            if attempt:
                time.sleep(_PAUSE)
            found |= self._look(set(partitions) - set(found))
            if len(found) == len(partitions):
                break
        return found

    def _answers(self, patience: float) -> bool:
        try:
            self._greeting.result(max(patience, 0.0))
        except TimeoutError:
            return False
        except KafkaException:
            self.ask()
            return False
        return True

    def _look(self, partitions: Collection[Partition]) -> dict[Partition, Log]:
        latest = {TopicPartition(p.topic, p.number): OffsetSpec.latest() for p in partitions}  # type: ignore[no-untyped-call]  # its stub lacks the return type
        names = TopicCollection(sorted({partition.topic for partition in partitions}))
        found: dict[Partition, Log] = {}
        try:
            cluster = self._admin.describe_cluster(request_timeout=_ANSWER)
            topics = self._admin.describe_topics(names, request_timeout=_ANSWER)
            ends = self._admin.list_offsets(latest, request_timeout=_ANSWER)
            cluster_id = cluster.result(_ANSWER).cluster_id
        except (KafkaException, TimeoutError):
            return found
        for tp, end in ends.items():
            try:
                topic_id = str(topics[tp.topic].result(_ANSWER).topic_id)
                if cluster_id and topic_id != _NO_TOPIC_ID:
                    log = Log(LogIdentity(cluster_id, topic_id), end.result(_ANSWER).offset)
                    found[Partition(tp.topic, tp.partition)] = log
            except (KafkaException, TimeoutError):
                continue
        return found
