"""`connector trace` on real Kafka."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from connector.core.record import Partition
from connector.core.signals import Commit
from connector.edge.kafka.groups import KafkaGroups
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, Letter, Topics, event, make
from tests.support.kafka_broker import Kafka


@pytest.fixture(scope="module")
def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """ev-0 is a dead letter, ev-1 is settled, and ev-2 waits in the main topic."""
    stage = make(kafka, tmp_path_factory.mktemp("trace"))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number in range(3):
        producer.produce(stage.main, ENCODE(event(f"ev-{number}")), PHONE.encode(), partition=0)
    assert producer.flush(60) == 0
    stage.write([Letter(ENCODE(event("ev-0")))])
    groups = KafkaGroups({"bootstrap.servers": kafka.bootstrap_servers})
    groups.set(f"{stage.main}-group", {Partition(stage.main, 0): Commit(2, "")})
    return stage


@pytest.mark.parametrize(
    ("asked", "now"),
    [
        (("ev-0",), {"a dead letter at 0:0"}),
        (("--request-id", "req-1"), {"a dead letter at 0:0"}),
        (("ev-2",), {"in the main topic, not settled yet: it waits, or is being posted"}),
    ],
)
def test_an_event_is_found_and_said_to_be_where_it_is(
    stage: Topics, connector: Command, asked: tuple[str, ...], now: set[str]
) -> None:
    run = connector("trace", *asked, "--config", stage.config, "--json")
    assert run.exit_code == 0, run.output
    (found,) = json.loads(run.output)["events"]
    assert set(found["now"]) == now
    assert PHONE not in run.output


def test_a_number_has_all_its_events(stage: Topics, connector: Command) -> None:
    """With what was searched, and what could not be seen; masked."""
    run = connector("trace", "--phone", f"+{PHONE}", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert [f"event ev-{number} to …12" in run.output for number in range(3)] == [True, True, True]
    assert f"there is no topic {stage.main}.retry" in run.output
    assert "X-Request-Id req-1" in run.output
    assert "not seen: accepted posts" in run.output
    assert PHONE not in run.output


def test_an_event_that_is_nowhere_is_exit_code_1(stage: Topics, connector: Command) -> None:
    assert connector("trace", "ev-9", "--config", stage.config).exit_code == 1
    assert connector("trace", "--request-id", "none", "--config", stage.config).exit_code == 1


def test_one_question_at_a_time(connector: Command, tmp_path: Path) -> None:
    assert connector("trace", "--config", tmp_path / "none").exit_code == 2
    assert connector("trace", "a", "--phone", "1", "--config", tmp_path / "none").exit_code == 2
