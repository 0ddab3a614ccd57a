"""The broker that the other tests rest on."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from tests.support.deadline import wait_until
from tests.support.jars import UnavailableError
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


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path, {"num.network.threads": "many"})
    with pytest.raises(UnavailableError, match=r"num\.network\.threads"):
        broker.start()
    broker.stop()


def test_a_broker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = "import sys, os, pathlib, tests.support.kafka_broker as k; b = k.KafkaBroker(pathlib.Path(sys.argv[1]));"
    end = "b.start(); print(b.bootstrap_servers, flush=True); os.kill(os.getpid(), 9)"
    started = subprocess.run([sys.executable, "-c", script + end, tmp_path], capture_output=True, text=True)
    host, port = started.stdout.strip().split(":")

    wait_until(lambda: not _listens(host, int(port)), 10.0, "the broker is gone")


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_a_broker_that_does_not_run_cannot_be_frozen(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not running"):
        KafkaBroker(tmp_path).freeze()


def test_one_topic_can_refuse_writes_and_take_them_again(kafka: Kafka, topics: Callable[..., str]) -> None:
    """What the tests of dead letters that cannot be written rest on."""
    closed, other = topics(), topics()
    kafka.refuse_writes(closed)
    assert _error(kafka, closed) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert _error(kafka, other) is None

    kafka.accept_writes(closed)
    assert _error(kafka, closed) is None


def _error(kafka: Kafka, topic: str) -> int | None:
    errors = list[KafkaError | None]()
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.timeout.ms": 20_000})
    producer.produce(topic, b"value", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    error = errors[0]
    return None if error is None else int(error.code())
