"""Which log is which, asked for when partitions are assigned: the cluster's id, the topics' ids, the logs' ends."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import TopicDescription  # type: ignore[attr-defined]  # the library does not say so

from connector.core.record import Partition
from connector.core.settled_map import LogIdentity
from connector.edge.kafka.bounds import asking_client, look
from connector.edge.kafka.topics import NO_TOPIC_ID

_T = TypeVar("_T")

_PATIENCE = 2.0
"""Seconds from `ask` on that an assignment waits for brokers that may not answer at all: librdkafka's mock does not."""

_ANSWER, _URGENT, _PAUSE = 10.0, 15.0, 0.5
"""Seconds for brokers that do answer; for all tries together when a map depends on it; and between two tries. `/livez`
allows 30 without a turn."""


class Log(NamedTuple):
    """What names a partition's log, its first offset, and the one after its last record."""

    identity: LogIdentity
    start: int
    end: int


class Logs(dict[Partition, Log]):
    """The logs that Kafka told of. `cluster_id`: of the cluster that was asked; None when nobody told it."""

    cluster_id: str | None = None


class _Greeting(NamedTuple):
    topic: str
    at: float
    answer: Future[TopicDescription]


class LogIdentities:
    """Asks by a client of its own, since it is asked inside consumers' callbacks, on their threads. Calls block.

    Everything is asked anew for each assignment: a topic that was created anew has a new id.
    """

    def __init__(self, properties: Mapping[str, str | int | float]) -> None:
        """`properties` are librdkafka's for the connection."""
        self.admin = asking_client(properties)

    def ask(self, topic: str) -> None:
        """See whether the brokers answer at all, without waiting; by asking for this topic, which need not exist."""
        answer = self.admin.describe_topics(TopicCollection([topic]), request_timeout=_ANSWER)[topic]
        self._greeting = _Greeting(topic, time.monotonic(), answer)

    def of(
        self, partitions: Collection[Partition], *, urgent: Collection[Partition], needs_cluster: bool = False
    ) -> Logs:
        """The logs of these partitions as far as Kafka tells; `urgent`: those that have a map, of no use without it.
        `needs_cluster`: the cluster's id is as urgent.

        At most 15 s; without anything urgent what is left of 2 s where nothing was answered yet, and no try after 2 s.
        Raises KafkaException when the client itself is of no use.
        """
        is_urgent = bool(urgent) or needs_cluster
        now = time.monotonic()
        deadline, patience = now + _URGENT, now + _PATIENCE
        found = Logs()
        if not partitions or not self._answers(_URGENT if is_urgent else self._greeting.at + _PATIENCE - now):
            return found
        while True:
            failed = self._look(set(partitions) - set(found), min(_ANSWER, deadline - time.monotonic()), found)
            waits = any(partition not in found for partition in urgent) or (needs_cluster and found.cluster_id is None)
            if not (failed or waits) or len(found) == len(partitions):
                return found
            if time.monotonic() + _PAUSE > (deadline if waits else patience):
                return found
            time.sleep(_PAUSE)

    def _answers(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while True:
            greeting = self._greeting
            try:
                greeting.answer.result(max(deadline - time.monotonic(), 0.0))
            except TimeoutError:
                return False
            except KafkaException as raised:
                if raised.args[0].code() > 0:  # a broker's, not the client's own
                    return True
                self.ask(greeting.topic)
                time.sleep(max(min(_PAUSE, deadline - time.monotonic()), 0.0))
            else:
                return True

    def _look(self, partitions: Collection[Partition], seconds: float, found: Logs) -> bool:
        """Add what is told of them; whether any question failed: of a topic that is new no leader may be known yet."""
        deadline = time.monotonic() + max(seconds, 0.0)
        names = TopicCollection(sorted({partition.topic for partition in partitions}))
        topics = self.admin.describe_topics(names, request_timeout=max(seconds, 0.0))
        told = look(self.admin, partitions, seconds)
        found.cluster_id = told.cluster_id or found.cluster_id
        failed = bool(told.unknown or told.absent)
        for partition, bounds in told.bounds.items():
            try:
                topic_id = str(_answer(topics[partition.topic], deadline).topic_id)
            except (KafkaException, TimeoutError):
                failed = True
                continue
            if told.cluster_id and topic_id != NO_TOPIC_ID:
                found[partition] = Log(LogIdentity(told.cluster_id, topic_id), bounds.start, bounds.end)
        return failed


def _answer(asked: Future[_T], deadline: float) -> _T:
    return asked.result(max(deadline - time.monotonic(), 0.0))
