"""A mirror of a topic that does as MirrorMaker does: records as they are, without what is no record, at new offsets."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from connector.core.record import Partition

_SECONDS = 30.0


class End(NamedTuple):
    """A cluster's address, and a partition there."""

    bootstrap_servers: str
    partition: Partition


def mirror(source: End, target: End, *, first: int = 0, most: int = 1_000_000, uncommitted: bool = False) -> None:
    """Copy up to `most` records from offset `first` on."""
    consumer = Consumer(
        {
            "bootstrap.servers": source.bootstrap_servers,
            "group.id": "mirror",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted" if uncommitted else "read_committed",
        }
    )
    producer = Producer({"bootstrap.servers": target.bootstrap_servers, "linger.ms": 1})
    consumer.assign([TopicPartition(source.partition.topic, source.partition.number, first)])
    deadline = time.monotonic() + _SECONDS
    while most:
        assert time.monotonic() < deadline, "the end of the source was not reached"
        message = consumer.poll(0.1)
        if message is None:
            continue
        if (error := message.error()) is not None:
            assert error.code() == KafkaError._PARTITION_EOF
            break
        producer.produce(
            target.partition.topic,
            message.value(),
            message.key(),
            partition=target.partition.number,
            timestamp=message.timestamp()[1],
            headers=message.headers(),
        )
        most -= 1
    assert producer.flush(_SECONDS) == 0
    consumer.close()
