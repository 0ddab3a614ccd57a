"""What somebody on duty is told: of Kafka and of the three topics, once, with the remedy."""

from __future__ import annotations

import asyncio
import hashlib
import json
from itertools import pairwise

import pytest
from confluent_kafka import Producer

from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.whole.stage import Stage, event

PATIENCE = 60.0
LARGE = bytes(3_000_000)
"""Fits any topic that stores it compressed."""
REFUSES = {
    "msg_size_too_large": ("compression.type", "uncompressed"),
    "invalid_record": ("max.decompressed.message.bytes", "100000"),
}
TAKES_IT = {
    "msg_size_too_large": ("compression.type", "producer"),
    "invalid_record": ("max.decompressed.message.bytes", "10000000"),
}


def _too_large(stage: Stage, take: str) -> None:
    """A record in the main topic that the dead-letter topic refuses with this error."""
    stage.create_topics(dead_letter=False)
    stage.cluster.kafka.create_topic(stage.dead_letter)
    stage.configure(stage.dead_letter, *REFUSES[take])
    compressing = {"compression.type": "zstd", "message.max.bytes": 10_000_000}
    producer = Producer({"bootstrap.servers": stage.cluster.kafka.bootstrap_servers} | compressing)
    producer.produce(stage.main, LARGE, b"key", headers=[("mine", b"x")])
    assert producer.flush(60) == 0


async def _beats(connector: ConnectorProcess) -> None:
    """Two heartbeats, each of which would say what is new."""
    ages: list[float] = []
    async with asyncio.timeout(PATIENCE):
        while sum(later < age for age, later in pairwise(ages)) < 2:
            ages.append((await connector.metrics())["loop_turn_age_seconds"])


async def test_kafka_that_is_not_reached_is_one_line_with_the_remedy(stage: Stage) -> None:
    """However many connections of however many clients fail meanwhile."""
    stage.create_topics()
    connector = stage.connector(kafka={"bootstrap_servers": "127.0.0.1:1"})
    await connector.spawn()
    await eventually(lambda: connector.lines("kafka_unreachable"), PATIENCE, "it is said")
    await connector.counts("kafka_errors_total", 100)
    (line,) = connector.lines("kafka_unreachable")
    assert line["bootstrap_servers"] == "127.0.0.1:1"
    assert "[number]" not in line["unreachable_since"]
    assert "kafka.bootstrap_servers" in line["remedy"]
    assert not connector.lines("kafka_error")
    assert len(connector.log.splitlines()) < 20, "a hundred errors are no hundred lines"


async def test_ready_is_said_once_readyz_says_it(stage: Stage) -> None:
    """The group is joined long before; a topic of the two is missing."""
    stage.main = stage.cluster.create(1)
    connector = stage.connector()
    await connector.spawn()
    await connector.status_when(lambda status: len(status.get("partitions", {})) == 1, PATIENCE)
    await _beats(connector)
    assert not connector.lines("ready")

    stage.cluster.kafka.create_topic(stage.retry)

    await connector.joins()
    await eventually(lambda: connector.lines("ready"), PATIENCE, "it is said")
    assert len(connector.lines("ready")) == 1


async def test_topics_that_will_bite_are_named_at_the_start_with_the_remedy(stage: Stage) -> None:
    """What `connector check --live` finds, without stopping anything; and once it is put right, that."""
    stage.create_topics(dead_letter=False)
    for name, value in (("cleanup.policy", "compact"), ("compression.type", "uncompressed")):
        stage.configure(stage.retry, name, value)
    connector = stage.connector(retry={"window": "8d"}, delivery={"max_event_age": "9d"})
    await connector.start()
    stage.produce_events([event("posted")])
    await connector.until(accepted=1)
    await eventually(lambda: connector.lines("topic_unfit"), PATIENCE, "it is said")
    found = {line["check"]: line for line in connector.lines("topic_unfit")}
    assert found.keys() >= {
        "dead letter topic",
        "retry topic cleanup.policy",
        "retry topic compression.type",
        "retry topic max.message.bytes",
        "retry topic retention",
    }
    assert all(line["remedy"] for line in found.values() if line["verdict"] == "failed")
    assert "connector topics create" in found["dead letter topic"]["remedy"]
    assert (await connector.metrics())["topic_findings"] == len(found)
    assert await connector.stop() == 0


@pytest.mark.parametrize("take", ["msg_size_too_large", "invalid_record"])
async def test_a_dead_letter_that_its_topic_can_never_take_is_an_error_at_once_and_waits(
    stage: Stage, take: str
) -> None:
    """Its partition stands until somebody changes the topic: with the topic and the remedy in the line."""
    _too_large(stage, take)
    connector = stage.connector()
    await connector.start()
    await eventually(lambda: connector.lines("write_failed"), PATIENCE, "it is said")
    line = connector.lines("write_failed")[0]
    assert (line["level"], line["topic"], line["code"]) == ("error", stage.dead_letter, take)
    assert "delivery.unstorable" in line["remedy"]
    assert (await connector.metrics())["records_dead_lettered_total"] == 0

    stage.configure(stage.dead_letter, *TAKES_IT[take])

    await connector.until(dead_lettered=1)
    assert stage.dead_letters(1)[0].value == LARGE
    assert await connector.stop() == 0


@pytest.mark.parametrize("take", ["msg_size_too_large", "invalid_record"])
async def test_a_dead_letter_that_its_topic_can_never_take_goes_as_a_summary_by_a_setting(
    stage: Stage, take: str
) -> None:
    """It names the original, which stays where it is."""
    _too_large(stage, take)
    connector = stage.connector(delivery={"unstorable": "summary"})
    await connector.start()
    await connector.until(dead_lettered=1)
    (letter,) = stage.dead_letters(1)
    found = json.loads(letter.value or b"")
    assert found.pop("note")
    assert found == {
        "topic": stage.main,
        "partition": 0,
        "offset": 0,
        "value_bytes": len(LARGE),
        "value_sha256": hashlib.sha256(LARGE).hexdigest(),
    }
    headers = dict(letter.headers)
    assert headers["invoke.value-replaced"] == b"summary"
    assert headers["invoke.class"] == b"value_too_large"
    assert headers["invoke.headers-dropped"] == b"original"
    assert "mine" not in headers
    assert connector.lines("dead_lettered")[0]["summary"] is True
    assert await connector.stop() == 0
