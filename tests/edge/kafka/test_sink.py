"""What only the real producer does: nothing is acknowledged that the broker does not have, and it ends in time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from connector.core.record import Partition
from connector.core.signals import WriteFailed
from connector.edge.kafka.sink import KafkaSink
from tests.support.clusters import RealCluster
from tests.support.kafka_broker import Kafka
from tests.support.librdkafka import MockCluster

_PRODUCE = 0
"""API key of the protocol."""


@pytest.fixture
def cluster(kafka: Kafka) -> RealCluster:
    """The shared broker, with a group of the test's own."""
    return RealCluster(kafka)


async def test_a_topic_made_later_takes_the_next_try(cluster: RealCluster) -> None:
    sink = cluster.sink()
    name = "test-producer-made-later"
    assert await sink.write(name, None, b"early", ()) == WriteFailed("unknown_topic_or_part", too_large=False)
    cluster.kafka.create_topic(name)
    try:
        async with asyncio.timeout(60):
            while await sink.write(name, None, b"late", ()) is not None:
                pass
        assert [record.value for record in cluster.read(Partition(name, 0), 1)] == [b"late"]
    finally:
        await sink.close()
        cluster.kafka.delete_topic(name)


async def test_closing_waits_for_what_is_under_way(cluster: RealCluster) -> None:
    partition = Partition(cluster.create(), 0)
    sink = cluster.sink()
    writes = [asyncio.create_task(sink.write(partition.topic, None, b"%d" % n, ())) for n in range(100)]
    await asyncio.sleep(0)
    await sink.close()
    assert await asyncio.gather(*writes) == [None] * 100
    assert len(cluster.read(partition, 100)) == 100


async def test_the_topics_own_limit_decides_and_not_the_clients(cluster: RealCluster) -> None:
    value = Random(1).randbytes(2_000_000)  # compression must not make it fit
    sink = cluster.sink()
    refused = await sink.write(cluster.create(), None, value, ())
    taken = await sink.write(cluster.create(max_bytes=3_000_000), None, value, ())
    await sink.close()
    assert refused == WriteFailed("msg_size_too_large", too_large=True)
    assert taken is None


async def test_a_fatal_error_makes_a_new_producer_and_no_write_waits_for_ever() -> None:
    """Each write is answered, and what failed is written by the next try."""
    mock = MockCluster()
    mock.create_topic("copies")
    errors: list[str] = []
    sink = KafkaSink({"bootstrap.servers": mock.bootstrap_servers}, errors.append)
    try:
        assert await sink.write("copies", None, b"warm", ()) is None
        mock.refuse(_PRODUCE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
        async with asyncio.timeout(60):
            writes = (sink.write("copies", None, b"%d" % n, ()) for n in range(50))
            assert any(failed is not None for failed in await asyncio.gather(*writes))
            while await sink.write("copies", None, b"again", ()) is not None:
                pass
    finally:
        await sink.close()
    assert errors == ["out_of_order_sequence_number"]


async def test_a_write_waits_while_kafka_is_away() -> None:
    """It is written once, under the sequence number that it had."""
    mock = MockCluster()
    mock.create_topic("copies")
    sink = KafkaSink({"bootstrap.servers": mock.bootstrap_servers, "reconnect.backoff.max.ms": 200}, print)
    try:
        assert await sink.write("copies", None, b"warm", ()) is None
        mock.refuse(_PRODUCE, *[KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND] * 3)
        write = asyncio.create_task(sink.write("copies", None, b"late", ()))
        mock.go_down()
        assert await asyncio.wait({write}, timeout=1) == (set(), {write})
        mock.come_up()
        async with asyncio.timeout(60):
            assert await write is None
    finally:
        await sink.close()
    assert _values(mock, "copies", 2) == [b"warm", b"late"]


async def test_a_write_that_was_given_up_is_not_done_later() -> None:
    mock = MockCluster()
    mock.create_topic("copies")
    sink = KafkaSink({"bootstrap.servers": mock.bootstrap_servers, "reconnect.backoff.max.ms": 200}, print)
    try:
        assert await sink.write("copies", None, b"warm", ()) is None
        mock.go_down()
        given_up, other = (asyncio.create_task(sink.write("copies", None, value, ())) for value in (b"1", b"2"))
        await asyncio.sleep(0)
        given_up.cancel()
        other.cancel()
        await asyncio.wait({given_up, other})
        later = asyncio.create_task(sink.write("copies", None, b"later", ()))
        mock.come_up()
        async with asyncio.timeout(60):
            assert await later is None
    finally:
        await sink.close()
    assert _values(mock, "copies", 2) == [b"warm", b"later"]


def _values(mock: MockCluster, topic: str, count: int) -> list[bytes | None]:
    """All that is in partition 0, of which so many records are expected."""
    consumer = Consumer({"bootstrap.servers": mock.bootstrap_servers, "group.id": "reader"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)
    assert end == count
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = [message.value() for message in consumer.consume(end, 20)]
    consumer.close()
    return values
