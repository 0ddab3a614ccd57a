"""The broker that the other tests rest on."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.support.kafka_broker import Kafka, KafkaBroker


def _high_watermark(servers: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "watermarks"})
    _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.close()
    return int(high)


def _produce(servers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": servers, "acks": "all"})
    producer.produce(topic, b"value")
    assert producer.flush(30) == 0


def test_a_topic_of_the_shared_broker_takes_records(kafka: Kafka, topic: str) -> None:
    _produce(kafka.bootstrap_servers, topic)

    assert _high_watermark(kafka.bootstrap_servers, topic) == 1


def test_topics_have_names_of_their_own(topics: Callable[..., str]) -> None:
    assert topics() != topics()


def test_a_killed_broker_comes_back_with_its_records_at_the_same_address(private_kafka: KafkaBroker) -> None:
    private_kafka.create_topic("kept")
    _produce(private_kafka.bootstrap_servers, "kept")

    private_kafka.kill()
    private_kafka.start()

    assert _high_watermark(private_kafka.bootstrap_servers, "kept") == 1


def test_a_frozen_broker_answers_again_after_the_thaw(private_kafka: KafkaBroker) -> None:
    private_kafka.create_topic("waits")
    private_kafka.freeze()
    producer = Producer({"bootstrap.servers": private_kafka.bootstrap_servers, "acks": "all"})
    producer.produce("waits", b"value")
    assert producer.flush(0.5) == 1

    private_kafka.thaw()

    assert producer.flush(30) == 0
