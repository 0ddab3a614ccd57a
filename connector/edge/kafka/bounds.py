"""Where the logs of many partitions begin and end. What cannot be told of one partition hides none of the others."""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AdminClient,
    ClusterMetadata,
    ListOffsetsResultInfo,
)
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.core.record import Partition
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.tokens import keep

_TRY = 3.0
"""Seconds for one broker to answer for a topic's metadata; the next try may meet another broker."""

_LEAST = 0.1
"""Seconds that a question gets even when the time is up: librdkafka takes 0 for no bound."""

_AT_ONCE = 200
"""Partitions in a question: librdkafka searches its answer once for each of them from the beginning, and the library
makes three futures of 2 KB each."""

_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
_NO_LEADER = name_of(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
_TIMED_OUT = name_of(KafkaError(KafkaError._TIMED_OUT))

_ASKING: Mapping[str, Any] = {
    # With sparse connections librdkafka 2.16 takes a whole core while it waits for one broker that is down.
    "enable.sparse.connections": False,
    # A question about a topic that was just deleted must not create it again, which brokers do by default.
    "allow.auto.create.topics": False,
    # Topics are asked for at the broker that was named last for such questions; if it is gone, another one is named.
    "topic.metadata.refresh.interval.ms": 3000,
}


class Bounds(NamedTuple):
    """A log's first offset, and the one after its last. What lies from `readable` on waits for the end of a transaction
    that is still open, and is read by nobody before."""

    start: int
    end: int
    readable: int

    def lag(self, position: int) -> int:
        """Offsets that can be read from `position` on; what retention deleted cannot."""
        return max(0, self.readable - max(self.start, position))

    @property
    def behind_transaction(self) -> int:
        """Offsets that wait for the end of an open transaction."""
        return max(0, self.end - self.readable)


@dataclass(slots=True)
class Look:
    """What the brokers told: the bounds of each partition, or the name of the error for which they are `unknown`, or
    that there is no such partition."""

    bounds: dict[Partition, Bounds] = field(default_factory=dict)
    unknown: dict[Partition, str] = field(default_factory=dict)
    absent: set[Partition] = field(default_factory=set)
    cluster_id: str | None = None


_Answer = Future[ListOffsetsResultInfo]


class _Asked(NamedTuple):
    partition: Partition
    start: _Answer
    end: _Answer
    readable: _Answer


def asking_client(properties: Mapping[str, Any], logger: logging.Logger | None = None) -> AdminClient:
    """A client for questions that costs no core while a broker is down. Raises KafkaException for bad properties."""
    client = AdminClient({**properties, **_ASKING}, logger=logger or logging.getLogger("librdkafka"))
    keep(client, properties)
    return client


def look(client: AdminClient, partitions: Collection[Partition], seconds: float) -> Look:
    """Ask for the bounds of these partitions' logs; blocks for `seconds` at most, and raises nothing of Kafka's.

    Metadata comes first, every time: librdkafka asks for offsets by the leaders and leader epochs that it has cached,
    and keeps those for 15 minutes after they are out of date. Each leader is then asked on its own, so that one that
    does not answer takes only its own partitions along; and for some of its partitions at a time.
    """
    deadline = time.monotonic() + seconds
    told = Look()
    leaders: dict[int, list[Partition]] = defaultdict(list)
    for topic in sorted({partition.topic for partition in partitions}):
        wanted = [partition for partition in partitions if partition.topic == topic]
        try:
            metadata = _metadata(client, topic, deadline)
        except KafkaException as raised:
            told.unknown |= dict.fromkeys(wanted, name_of(raised.args[0]))
            continue
        told.cluster_id = metadata.cluster_id
        for partition in wanted:
            if (leader := _leader(metadata, partition, told)) is not None:
                leaders[leader].append(partition)
    _ask_leaders(client, leaders, deadline, told)
    return told


def _ask_leaders(client: AdminClient, leaders: Mapping[int, Sequence[Partition]], deadline: float, told: Look) -> None:
    """Ask each leader for its next partitions once it has told of those before."""
    waiting = {leader: deque(_in_parts(led)) for leader, led in leaders.items()}
    under_way: dict[_Answer, tuple[int, list[_Asked]]] = {}
    free = list(waiting)
    while free or under_way:
        for leader in free:
            if waiting[leader]:
                asked = list(_ask(client, waiting[leader].popleft(), deadline))
                under_way[asked[-1].readable] = leader, asked
        answered, _ = wait(under_way, max(deadline - time.monotonic(), 0.0) + _LEAST, FIRST_COMPLETED)
        free = []
        for last in answered or list(under_way):
            leader, asked = under_way.pop(last)
            for each in asked:
                _hear(each, deadline, told)
            if time.monotonic() < deadline:
                free.append(leader)
    for part in chain.from_iterable(waiting.values()):
        told.unknown |= dict.fromkeys(part, _TIMED_OUT)


def _in_parts(partitions: Sequence[Partition]) -> Iterator[Sequence[Partition]]:
    for start in range(0, len(partitions), _AT_ONCE):
        yield partitions[start : start + _AT_ONCE]


def _hear(asked: _Asked, deadline: float, told: Look) -> None:
    partition, *answers = asked
    try:
        told.bounds[partition] = Bounds(*(_offset(answer, deadline) for answer in answers))
    except KafkaException as raised:
        _say(raised.args[0], partition, told)
    except TimeoutError:
        told.unknown[partition] = _TIMED_OUT


def _metadata(client: AdminClient, topic: str, deadline: float) -> ClusterMetadata:
    while True:
        left = max(deadline - time.monotonic(), _LEAST)
        try:
            return client.list_topics(topic, timeout=min(left, _TRY))
        except KafkaException:
            if time.monotonic() + _LEAST > deadline:
                raise
            time.sleep(_LEAST)


def _leader(metadata: ClusterMetadata, partition: Partition, told: Look) -> int | None:
    topic = metadata.topics[partition.topic]
    if topic.error is not None:
        _say(topic.error, partition, told)
    elif partition.number not in topic.partitions:
        told.absent.add(partition)
    elif (leader := int(topic.partitions[partition.number].leader)) < 0:
        told.unknown[partition] = _NO_LEADER
    else:
        return leader
    return None


def _say(error: KafkaError, partition: Partition, told: Look) -> None:
    if error.code() in _ABSENT:
        told.absent.add(partition)
    else:
        told.unknown[partition] = name_of(error)


def _ask(client: AdminClient, partitions: Sequence[Partition], deadline: float) -> Iterator[_Asked]:
    left = max(deadline - time.monotonic(), _LEAST)
    native = {partition: TopicPartition(partition.topic, partition.number) for partition in partitions}
    earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]  # stubs lack the types
    starts, ends, readable = (
        client.list_offsets(dict.fromkeys(native.values(), spec), request_timeout=left, isolation_level=level)
        for spec, level in (
            (earliest, IsolationLevel.READ_UNCOMMITTED),
            (latest, IsolationLevel.READ_UNCOMMITTED),
            (latest, IsolationLevel.READ_COMMITTED),
        )
    )
    for partition, tp in native.items():
        yield _Asked(partition, starts[tp], ends[tp], readable[tp])


def _offset(answer: _Answer, deadline: float) -> int:
    offset = answer.result(max(deadline - time.monotonic(), 0.0) + _LEAST).offset
    if offset < 0:  # librdkafka 2.16's answer for a leader that was not reached in time: no offset, and no error
        raise TimeoutError
    return int(offset)
