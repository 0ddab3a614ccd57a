"""Stretches of logs, read one after the other: no group, nothing committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connector.core.record import Partition, Record
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.records import record_of
from connector.edge.kafka.tokens import let_go

_READING: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "queued.max.messages.kbytes": 8192,
    "fetch.message.max.bytes": 131_072,
    "fetch.queue.backoff.ms": 20,
    "group.id": "connector.stretches",
}
"""The group is asked nothing, and no right to it is needed: partitions are assigned by hand."""

_BATCH = 499
_WAIT = 0.2
_ANSWER = 10.0
_SILENCE = 30.0
"""Seconds without a record or an end after which the brokers count as gone."""


class Stretches:
    """Calls block, and raise AdminError when the brokers do not answer or refuse. A context manager."""

    def __init__(self, properties: Mapping[str, Any], *, uncommitted: bool = False) -> None:
        """`properties` are librdkafka's for the connection. `uncommitted`: also what a transaction aborted."""
        self._properties = dict(properties)
        isolation = "read_uncommitted" if uncommitted else "read_committed"
        try:
            reading = {**properties, **_READING, "isolation.level": isolation}
            self._consumer = Consumer(reading, logger=logging.getLogger("librdkafka.admin"))
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def first_since(self, partition: Partition, since_ms: int) -> int | None:
        """The offset of the first record that is not older; None: all are."""
        try:
            (found,) = self._consumer.offsets_for_times(
                [TopicPartition(partition.topic, partition.number, since_ms)], timeout=_ANSWER
            )
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        if found.error is not None:
            raise AdminError.of(found.error)
        return None if found.offset < 0 else int(found.offset)

    def read(self, partition: Partition, first: int, end: int) -> Iterator[Record]:
        """The records from `first` up to `end`, in offset order; leave off whenever enough was seen."""
        if first >= end:
            return
        place = TopicPartition(partition.topic, partition.number, first)
        try:
            self._consumer.assign([place])
            try:
                yield from self._read(end)
            finally:
                self._consumer.unassign()
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def _read(self, end: int) -> Iterator[Record]:
        deadline = time.monotonic() + _SILENCE
        while True:
            first = self._consumer.poll(_WAIT)
            if first is None:
                if time.monotonic() > deadline:
                    raise AdminError("timed_out", "no broker answered in time")
                continue
            deadline = time.monotonic() + _SILENCE
            # poll and then take the rest: consume(500, 0.2) would sit out its time-out unless 500 come (pitfalls).
            for message in [first, *self._consumer.consume(_BATCH, 0)]:
                offset: int = message.offset()  # type: ignore[assignment]  # typed as optional; a message has one
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return
                    if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                        continue  # librdkafka looks for the group's coordinator all the same
                    raise AdminError.of(error)
                if offset < end:
                    yield record_of(message)
                if offset >= end - 1:
                    return

    def __enter__(self) -> Stretches:
        return self

    def __exit__(self, *_: object) -> None:
        let_go(self._consumer, self._properties)
