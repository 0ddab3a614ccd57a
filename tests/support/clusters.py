"""Kafka in memory and Kafka itself behind one face, so that one suite can hold both to the same facts."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.cimpl import NewPartitions

from connector.core.record import Headers, Partition, Record
from connector.core.signals import (
    Asleep,
    Assigned,
    Committed,
    Counted,
    Failed,
    Gap,
    Lost,
    Revoking,
    Taken,
)
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.sink import KafkaSink
from connector.edge.kafka.source import KafkaSource
from connector.edge.kafka.starts import Subscription
from connector.engine.ports import Sink, Source
from tests.support.deadline import wait_until
from tests.support.kafka_broker import Kafka
from tests.support.memory import MemoryBroker, MemorySink, MemorySource

ROOM, SIZE = 10_000, 1 << 24
"""Credit in records and bytes that no test uses up by accident."""

_ANSWER_SECONDS, _POLL_SECONDS = 60.0, 0.1

_PASSES = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
}
"""What brokers say of a group while its topic is made."""

Protocols = Literal["classic", "eager", "consumer"]
"""The classic group protocol, cooperative or eager, and KIP-848."""


class Member:
    """A source, and everything it said so far, sorted."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.records: list[Record] = []
        self.batches: list[int] = []
        self.gaps: list[Gap] = []
        self.assigned: dict[Partition, Assigned] = {}
        self.revoking: list[Revoking] = []
        self.lost: list[Lost] = []
        self.committed: list[Committed] = []
        self.asleep: list[Partition] = []
        self.failed: list[Failed] = []
        self.counted: dict[str, int] = {}
        self._listening = asyncio.create_task(self._listen())

    def start(self, room: int = ROOM, size: int = SIZE) -> None:
        """Join the group, with room for so many records and bytes."""
        self.source.start()
        self.source.give_room(room, size)

    def of(self, partition: Partition) -> list[Record]:
        """What came of one partition."""
        return [record for record in self.records if record.partition == partition]

    async def stop_listening(self) -> None:
        """Ask the source for nothing more."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            match await self.source.next():
                case Taken(records):
                    self.records += records
                    self.batches.append(len(records))
                case Gap() as gap:
                    self.gaps.append(gap)
                case Assigned(partition) as assigned:
                    self.assigned[partition] = assigned
                case Revoking() as revoking:
                    self.revoking.append(revoking)
                case Lost() as lost:
                    self.lost.append(lost)
                case Committed() as committed:
                    self.committed.append(committed)
                case Asleep(partition):
                    self.asleep.append(partition)
                case Counted(partitions):
                    self.counted |= partitions
                case Failed() as failed:
                    self.failed.append(failed)


class Cluster(Protocol):
    """What the conformance suite needs of a Kafka, real or not. One cluster a test, with one group."""

    def create(self, partitions: int = 1, max_bytes: int | None = None) -> str:
        """Create a topic and return its name."""

    def create_anew(self, topic: str) -> None:
        """Delete a topic that nobody reads and create another one of its name, with one partition."""

    def append(
        self,
        partition: Partition,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Write one record to a partition."""

    def leave_gap(self, partition: Partition) -> None:
        """Use up at least one offset without a record."""

    def read(self, partition: Partition, count: int) -> list[Record]:
        """Read the first `count` records of a partition, beside any group."""

    def member(self, *topics: str) -> Member:
        """Make a member of the test's group; not started yet."""

    def sink(self) -> Sink:
        """Make a producer."""


class MemoryCluster:
    """`tests.support.memory` as a Cluster."""

    def __init__(self) -> None:
        self.broker = MemoryBroker({}, now_ms=lambda: 1_700_000_000_000)

    def create(self, partitions: int = 1, max_bytes: int | None = None) -> str:
        """Create a topic."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.broker.create_topic(name, partitions)
        if max_bytes is not None:
            self.broker.max_bytes[name] = max_bytes
        return name

    def create_anew(self, topic: str) -> None:
        """Delete and create."""
        self.broker.delete_topic(topic)
        self.broker.create_topic(topic)

    def append(
        self,
        partition: Partition,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Write one record."""
        self.broker.append(partition, value, key, headers, timestamp_ms=timestamp_ms)

    def leave_gap(self, partition: Partition) -> None:
        """Skip an offset."""
        self.broker.leave_gap(partition)

    def read(self, partition: Partition, count: int) -> list[Record]:
        """Look into the log."""
        return self.broker.logs[partition][:count]

    def member(self, *topics: str) -> Member:
        """Make a member."""
        return Member(MemorySource(self.broker, frozenset(topics)))

    def sink(self) -> Sink:
        """Make a producer."""
        return MemorySink(self.broker)


class RealCluster:
    """Apache Kafka as a Cluster. `errors` are the bounded names that its clients reported."""

    def __init__(self, kafka: Kafka, protocol: Protocols = "classic") -> None:
        self.kafka = kafka
        self.group = f"group-{uuid.uuid4().hex[:12]}"
        self.errors: list[str] = []
        self._protocol = protocol
        self._producer = self._new_producer()

    def create(self, partitions: int = 1, max_bytes: int | None = None) -> str:
        """Create a topic."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.kafka.create_topic(
            name, partitions, **({} if max_bytes is None else {"max_message_bytes": str(max_bytes)})
        )
        return name

    def create_anew(self, topic: str) -> None:
        """Delete and create, once the broker has let go of the name."""
        self.kafka.delete_topic(topic)
        self.kafka.create_topic(topic)

    def append(
        self,
        partition: Partition,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Write one record and wait for the broker's word."""
        self.append_all(partition, [value], key, headers, timestamp_ms)

    def append_all(
        self,
        partition: Partition,
        values: list[bytes | None],
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Write many records and wait once."""
        for value in values:
            self._producer.produce(
                partition.topic,
                value,
                key,
                partition.number,
                timestamp=0 if timestamp_ms is None else timestamp_ms,
                headers=list(headers),
            )
        assert self._producer.flush(_ANSWER_SECONDS) == 0

    def grow(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions."""
        self.kafka.admin().create_partitions([NewPartitions(topic, partitions)])[topic].result(_ANSWER_SECONDS)
        # A producer that knows the topic would not notice for minutes.
        self._producer = self._new_producer()

    def end(self, partition: Partition) -> int:
        """The offset after the last one that is in use."""
        consumer = self._plain_consumer()
        _, end = consumer.get_watermark_offsets(TopicPartition(*partition), timeout=_ANSWER_SECONDS)
        consumer.close()
        return int(end)

    def leave_gap(self, partition: Partition) -> None:
        """Abort a transaction: its record is never read, and its marker, which comes later, is no record."""
        before = self.end(partition)
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "transactional.id": uuid.uuid4().hex})
        producer.init_transactions(_ANSWER_SECONDS)
        producer.begin_transaction()
        producer.produce(partition.topic, b"aborted", partition=partition.number)
        producer.flush(_ANSWER_SECONDS)
        producer.abort_transaction(_ANSWER_SECONDS)
        wait_until(lambda: self.end(partition) > before + 1, _ANSWER_SECONDS, "the marker is there")

    def read(self, partition: Partition, count: int) -> list[Record]:
        """Read with a plain consumer."""
        consumer = self._plain_consumer()
        consumer.assign([TopicPartition(partition.topic, partition.number, 0)])
        messages = consumer.consume(count, _ANSWER_SECONDS)
        consumer.close()
        assert len(messages) == count
        return [_plain_record(partition, message) for message in messages]

    def commit(self, partition: Partition, offset: int, metadata: str = "") -> None:
        """Commit for the test's group from outside, while it has no member."""
        consumer = self._plain_consumer()
        native = TopicPartition(partition.topic, partition.number, offset, metadata=metadata)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            try:
                consumer.commit(offsets=[native], asynchronous=False)
                break
            except KafkaException as refused:
                if refused.args[0].code() not in _PASSES or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
        consumer.close()

    def committed(self, partition: Partition) -> int:
        """The group's committed offset; -1001 for none."""
        return self.committed_with_metadata(partition)[0]

    def committed_with_metadata(self, partition: Partition) -> tuple[int, str]:
        """The group's committed offset and what travels with it."""
        consumer = self._plain_consumer()
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            try:
                (found,) = consumer.committed(
                    [TopicPartition(partition.topic, partition.number)], timeout=_ANSWER_SECONDS
                )
            except KafkaException as refused:
                if refused.args[0].code() not in _PASSES or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                consumer.close()
                return int(found.offset), found.metadata or ""

    def members(self) -> list[str]:
        """Whom the brokers count as members of the test's group."""
        asked = self.kafka.admin().describe_consumer_groups([self.group])[self.group]
        return [member.member_id for member in asked.result(_ANSWER_SECONDS).members]

    def member(
        self,
        *topics: str,
        start: Literal["earliest", "latest", "error"] = "earliest",
        drain: float = 10.0,
        properties: Mapping[str, str | int] | None = None,
        identities: LogIdentities | None = None,
        is_shadow: bool = False,
    ) -> Member:
        """Make a member that reads `topics[0]` as the main topic and the rest as retry topics."""
        source = KafkaSource(
            self._member_properties() | dict(properties or {}),
            Subscription(topics[0], frozenset(topics[1:]), start, drain, is_shadow),
            identities or LogIdentities({"bootstrap.servers": self.kafka.bootstrap_servers}),
            self.errors.append,
            lambda statistics: None,
        )
        return Member(source)

    def sink(self, properties: Mapping[str, str | int] | None = None) -> Sink:
        """Make a producer that learns soon of a topic that is not there."""
        given = {"bootstrap.servers": self.kafka.bootstrap_servers, "topic.metadata.propagation.max.ms": 100}
        return KafkaSink({**given, "partitioner": "murmur2_random", **(properties or {})}, self.errors.append)

    def _member_properties(self) -> dict[str, object]:
        strategy = "range" if self._protocol == "eager" else "cooperative-sticky"
        classic = {"partition.assignment.strategy": strategy, "heartbeat.interval.ms": 200}
        return {
            "bootstrap.servers": self.kafka.bootstrap_servers,
            "group.id": self.group,
            "group.protocol": "consumer" if self._protocol == "consumer" else "classic",
            "isolation.level": "read_committed",
            # New topics and partitions are noticed within the tests' patience.
            "topic.metadata.refresh.interval.ms": 300,
            **(classic if self._protocol != "consumer" else {}),
        }

    def _new_producer(self) -> Producer:
        return Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "linger.ms": 0})

    def _plain_consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": self.group})


@asynccontextmanager
async def joined(member: Member, room: int = ROOM, size: int = SIZE) -> AsyncIterator[Member]:
    """Start a member, and close it at the end without a commit, whatever happens."""
    member.start(room, size)
    try:
        yield member
    finally:
        await member.source.close({})
        await member.stop_listening()


def _plain_record(partition: Partition, message: Message) -> Record:
    headers = message.headers() or []
    return Record(
        partition,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(headers),  # type: ignore[arg-type]  # the stub allows text values, which only producers give
    )
