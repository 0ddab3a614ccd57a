"""A topic from its beginning, as it grows: without joining a group or committing anything. Calls block."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.cimpl import OFFSET_BEGINNING

from connector.core.record import Record
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.records import record_of

_BATCH = 500
_ANSWER_SECONDS = 10.0


class Tail:
    """Reads every partition that the topic has now. Each method raises AdminError when the brokers refuse."""

    def __init__(self, properties: Mapping[str, Any], topic: str) -> None:
        """`properties` are librdkafka's for the connection."""
        reading = {"group.id": f"{topic}.tail", "enable.auto.commit": False, "enable.partition.eof": True}
        self._consumer = Consumer(dict(properties) | reading, logger=logging.getLogger("librdkafka"))
        self._next: dict[int, int] = {}
        # A caller that was cancelled leaves its read running on a thread, and `close` has to wait for it.
        self._in_use = threading.Lock()
        try:
            numbers = self._numbers(topic, time.monotonic() + _ANSWER_SECONDS)
            self._partitions = [TopicPartition(topic, number) for number in numbers]
            self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def read(self, within: float) -> list[Record]:
        """What is new. Waits up to `within` seconds for it."""
        records = []
        with self._in_use:
            messages = self._consumer.consume(_BATCH, within)
        for message in messages:
            error = message.error()
            if error is None:
                records.append(record := record_of(message))
                self._next[record.partition.number] = record.offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # the last offsets may hold no record
                self._next[message.partition() or 0] = message.offset() or 0
        return records

    def rest(self, within: float = _ANSWER_SECONDS) -> list[Record]:
        """Everything up to the end as it is now, `within` seconds."""
        try:
            ends = {p.partition: self._consumer.get_watermark_offsets(p, _ANSWER_SECONDS) for p in self._partitions}
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        records: list[Record] = []
        deadline = time.monotonic() + within
        while any(self._next.get(number, low) < high for number, (low, high) in ends.items()):
            if time.monotonic() > deadline:
                raise AdminError("timed_out", "the end of the topic was not reached in time")
            records += self.read(0.1)
        return records

    def _numbers(self, topic: str, deadline: float) -> list[int]:
        """A topic that was just created is not known to every broker at once."""
        while time.monotonic() < deadline:
            found = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
            if found.error is None and found.partitions:
                return sorted(found.partitions)
            time.sleep(0.05)
        raise AdminError("unknown_topic", f"there is no topic {topic}")

    def close(self) -> None:
        """Let go of the connections."""
        with self._in_use:
            self._consumer.close()
