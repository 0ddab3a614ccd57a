"""A topic read once, from a beginning to its end as it was, several partitions at once: no group, nothing committed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.core.record import Partition, Record
from connector.edge.kafka.admin import SILENT, AdminError
from connector.edge.kafka.bounds import Bounds, asking_client, look
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.records import record_of
from connector.edge.kafka.tokens import let_go

_READING: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 1024,
    "fetch.message.max.bytes": 32_768,
    "queued.min.messages": 20_000,
    "fetch.queue.backoff.ms": 5,
    "group.id": "connector.scan",
}
"""The group is asked nothing, and no right to it is needed: partitions are assigned by hand. 1 MiB bounds what was
fetched and not yet read, small answers what ten times as much becomes when it is unpacked: a batch of each partition
comes whole all the same, so nobody waits."""

_BATCH = 100
"""Messages at a time: more do not stay in the processor's cache until they are looked at."""

_WAIT = 0.2
_ANSWER = 10.0
_SILENCE = 30.0
"""Seconds without a record or an end after which the brokers count as gone."""


class Scan:
    """Records of a topic's partitions, each up to where it could be read when the scan was made. Calls block.

    `bounds` are those of the partitions. A context manager.
    """

    def __init__(
        self, properties: Mapping[str, Any], topic: str, starts: Mapping[Partition, int] | None = None
    ) -> None:
        """`properties` are librdkafka's for the connection; `starts` the offsets to begin at instead of the log's
        first. Raises AdminError."""
        self._properties = dict(properties)
        try:
            client = asking_client(properties, SILENT)
            self.bounds = _bounds(client, topic)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        given = starts or {}
        self.starts = {
            each: min(max(bound.start, given.get(each, 0)), bound.readable) for each, bound in self.bounds.items()
        }
        self._open = {each.number: bound.readable for each, bound in self.bounds.items()}
        self._next: dict[int, int] = {}
        self._topic = topic
        self._consumer: Consumer | None = None

    @property
    def total(self) -> int:
        """Offsets to read; not all of them have a record."""
        return sum(self._open.get(each.number, start) - start for each, start in self.starts.items())

    @property
    def waiting(self) -> int:
        """Offsets behind transactions that are still open, which are not read."""
        return sum(bound.behind_transaction for bound in self.bounds.values())

    def since(self, since_ms: int) -> None:
        """Begin at the first record of each partition that is not older; the ones before all are. Raises AdminError."""
        asked = [TopicPartition(self._topic, each.number, since_ms) for each in self.starts]
        try:
            asking = self._new_consumer()
            try:
                found = asking.offsets_for_times(asked, timeout=_ANSWER)
            finally:
                let_go(asking, self._properties)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        for place in found:
            if place.error is not None:
                raise AdminError.of(place.error)
            partition = Partition(self._topic, place.partition)
            end = self.bounds[partition].readable
            first = end if place.offset < 0 else min(place.offset, end)
            self.starts[partition] = max(self.starts[partition], first)

    def newest(self, count: int) -> None:
        """Begin so that about `count` offsets are read: of each partition the newest, in proportion to what it has."""
        total = self.total
        for each, start in self.starts.items():
            have = self._open[each.number] - start
            wanted = have if total <= count else -(-have * count // total)
            self.starts[each] = start + have - wanted

    @property
    def ends(self) -> dict[Partition, int]:
        """The offset up to which each partition is read."""
        return {Partition(self._topic, number): end for number, end in self._open.items()}

    def only_before(self, ends: Mapping[Partition, int]) -> None:
        """Read these partitions only, each up to this offset."""
        self._open = {each.number: min(end, self.bounds[each].readable) for each, end in ends.items()}
        self.starts = {each: start for each, start in self.starts.items() if each in ends}

    def records(self) -> Iterator[Record]:
        """Each record, in offset order within its partition. Raises AdminError."""
        for messages in self.batches():
            for message in messages:
                yield record_of(message)

    def without_key(self) -> Iterator[tuple[int, list[Record]]]:
        """How many records each batch had, and those of them that have no key. Raises AdminError."""
        for messages in self.batches():
            yield len(messages), [record_of(message) for message in messages if message.key() is None]

    def holding(self, needles: Sequence[bytes] | None, *, keyless: bool) -> Iterator[tuple[int, list[Record]]]:
        """How many records each batch had, and those of them whose key or value holds one of these bytes, all without
        `needles`; where marks may be among them, those that have no key too. Raises AdminError."""
        for messages in self.batches():
            yield len(messages), [record_of(each) for each in _holding(messages, needles, keyless)]

    def batches(self) -> Iterator[list[Message]]:
        """The library's own messages, without errors, for readers of millions of them. Raises AdminError."""
        for each, start in self.starts.items():
            if start >= self._open[each.number]:
                del self._open[each.number]
        places = [
            TopicPartition(self._topic, number, self.starts[Partition(self._topic, number)]) for number in self._open
        ]
        try:
            # Made here: one that is assigned its partitions later than at once often keeps its first record back for a
            # second.
            self._consumer = self._new_consumer()
            self._consumer.assign(places)
            yield from self._read(self._consumer)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def _read(self, consumer: Consumer) -> Iterator[list[Message]]:
        self._next = {number: self.starts[Partition(self._topic, number)] for number in self._open}
        deadline = time.monotonic() + _SILENCE
        while self._open:
            left = sum(end - self._next[number] for number, end in self._open.items())
            # Asked for more than there are, it would wait for them.
            messages = consumer.consume(min(_BATCH, max(left, 1)), _WAIT)
            if not messages:
                if time.monotonic() > deadline:
                    raise AdminError("timed_out", "no broker answered in time")
                continue
            deadline = time.monotonic() + _SILENCE
            if self._are_wanted(messages):
                yield messages
                continue
            wanted, ended = self._wanted(messages)
            if ended and self._open:
                consumer.incremental_unassign(ended)
            yield wanted

    def _are_wanted(self, messages: list[Message]) -> bool:
        """Whether all of these are, and none is its partition's last: as most batches are, and cheap to tell, since a
        partition's offsets rise."""
        if [message for message in messages if message.error() is not None]:
            return False
        last: dict[int, int] = {
            message.partition(): message.offset()  # type: ignore[misc]  # typed as optional; a message has both
            for message in messages
        }
        if any(offset >= self._open.get(number, 0) - 1 for number, offset in last.items()):
            return False
        self._next.update((number, offset + 1) for number, offset in last.items())
        return True

    def _wanted(self, messages: list[Message]) -> tuple[list[Message], list[TopicPartition]]:
        """Those before the ends, and the partitions that have ended. What comes after an end was written meanwhile."""
        wanted = []
        ended = []
        ends = self._open
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                continue  # librdkafka looks for the group's coordinator all the same, and brokers may tell us of none
            number: int = message.partition()  # type: ignore[assignment]  # every message of a consumer has one
            end = ends.get(number)
            if end is None:
                continue
            offset: int = message.offset()  # type: ignore[assignment]  # typed as optional; a message has one
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise AdminError.of(error)
            elif offset < end:
                wanted.append(message)
            self._next[number] = offset + 1
            if offset >= end - 1:
                del ends[number]
                ended.append(TopicPartition(self._topic, number))
        return wanted, ended

    def _new_consumer(self) -> Consumer:
        return Consumer({**self._properties, **_READING}, logger=SILENT)

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        if self._consumer is not None:
            let_go(self._consumer, self._properties)


def delete_before(properties: Mapping[str, Any], ends: Mapping[Partition, int]) -> None:
    """Delete what lies before these offsets, for good. Raises AdminError."""
    places = [TopicPartition(each.topic, each.number, end) for each, end in ends.items()]
    if not places:
        return
    try:
        client = asking_client(properties, SILENT)  # kept: answers do not outlive their client
        for answer in client.delete_records(places, request_timeout=_ANSWER).values():
            answer.result(2 * _ANSWER)
    except KafkaException as raised:
        raise AdminError.of(raised.args[0]) from None
    except TimeoutError:
        raise AdminError("timed_out", "no answer") from None


def partitions_of(properties: Mapping[str, Any], topic: str) -> int:
    """How many partitions a topic has. Raises AdminError, also when there is none."""
    try:
        client = asking_client(properties, SILENT)
        found = client.list_topics(topic, timeout=_ANSWER).topics[topic]
    except KafkaException as raised:
        raise AdminError.of(raised.args[0]) from None
    if found.error is not None:
        raise AdminError(name_of(found.error), f"topic {topic}")
    return len(found.partitions)


def _holding(messages: list[Message], needles: Sequence[bytes] | None, keyless: bool) -> list[Message]:
    if needles is None:
        return messages
    if len(needles) > 1:
        return [each for each in messages if any(_holding([each], [needle], keyless) for needle in needles)]
    needle = needles[0]
    return [
        each
        for each in messages
        if needle in (each.value() or b"") or needle in (each.key() or b"") or (keyless and each.key() is None)
    ]


def _bounds(client: Any, topic: str) -> dict[Partition, Bounds]:
    found = client.list_topics(topic, timeout=_ANSWER).topics[topic]
    if found.error is not None:
        raise AdminError(name_of(found.error), f"topic {topic}")
    partitions: Collection[Partition] = [Partition(topic, number) for number in sorted(found.partitions)]
    told = look(client, partitions, _ANSWER)
    for partition, code in sorted(told.unknown.items()):
        raise AdminError(code, f"{partition} cannot be read now")
    if told.absent:
        raise AdminError("unknown_partition", f"there is no {min(told.absent)}")
    return told.bounds
