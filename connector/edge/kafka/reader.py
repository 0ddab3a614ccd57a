"""One record from its place, without joining a group or committing anything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from connector.core.record import Partition, Record
from connector.edge.kafka.admin import SILENT, AdminError
from connector.edge.kafka.bounds import asking_client
from connector.edge.kafka.records import record_of
from connector.edge.kafka.tokens import let_go

_READING: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 64,
    "fetch.message.max.bytes": 16_384,
}
"""By default 64 MB would be fetched behind the one record."""

_POLL = 0.2
_ENDED = frozenset({KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


def read_one(properties: Mapping[str, Any], partition: Partition, offset: int, within: float = 10.0) -> Record | None:
    """The record at `offset`, or the next one where compaction left a gap; None when there is none.

    `properties` are librdkafka's, with a `group.id` that nothing is asked of. Raises AdminError; `within` in seconds.
    """
    try:
        _expect(asking_client(properties, SILENT), partition, within)
        consumer = Consumer({**properties, **_READING}, logger=SILENT)
    except KafkaException as raised:
        raise AdminError.of(raised.args[0]) from None
    try:
        consumer.assign([TopicPartition(partition.topic, partition.number, offset)])
        message = _first(consumer, time.monotonic() + within)
    finally:
        let_go(consumer, properties)
    if message is None:
        return None
    return record_of(message)


def _expect(client: AdminClient, partition: Partition, within: float) -> None:
    """Raise AdminError when there is no such partition: reading it would only say that time ran out.

    Not asked of the consumer, which is made when it is assigned its partition: one that is assigned later than at once
    often keeps its first record back for a second.
    """
    topic = client.list_topics(partition.topic, timeout=within).topics[partition.topic]
    if topic.error is not None:
        raise AdminError.of(topic.error)
    if partition.number not in topic.partitions:
        raise AdminError("unknown_partition", f"{partition.topic} has {len(topic.partitions)} partitions")
    if topic.partitions[partition.number].leader < 0:
        raise AdminError("leader_not_available", f"no broker serves {partition} now")


def _first(consumer: Consumer, deadline: float) -> Message | None:
    while time.monotonic() < deadline:
        message = consumer.poll(_POLL)
        if message is None:
            continue
        error = message.error()
        if error is None:
            return message
        if error.code() in _ENDED:
            return None
        raise AdminError.of(error)
    raise AdminError("timed_out", "no broker answered in time")
