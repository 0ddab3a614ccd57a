"""One partition that no broker serves, among others that are well: what cannot be told of it hides nothing of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector.config.load import load
from connector.core.record import Partition
from connector.edge.kafka.admin import AdminError, KafkaAdmin
from connector.edge.kafka.bounds import Bounds, Look, asking_client, look
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.reader import read_one
from connector.edge.kafka.watermarks import Watermarks
from connector.runtime.checks.finding import Verdict
from connector.runtime.checks.live import topics as check_topics
from tests.cli.conftest import Run
from tests.conftest import missing
from tests.support.clusters import RealCluster, joined
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually, wait_until
from tests.support.jars import UnavailableError
from tests.support.kafka_broker import KafkaBroker

TOPIC, RETRY, DEAD_LETTER = "events", "events.retry", "events.dlq"
LED, LEADERLESS, LED_TOO = (Partition(TOPIC, number) for number in range(3))
KNOWN = {LED: Bounds(0, 5, 5), LED_TOO: Bounds(0, 5, 5)}
NO_LEADER = "leader_not_available"
WITHIN = 5.0

pytestmark = pytest.mark.kafka


class Measured(NamedTuple):
    """A look, with the seconds that it took and those of a core that it cost this process."""

    look: Look
    seconds: float
    cpu_seconds: float


class Stage(NamedTuple):
    """A broker that is well and creates topics on request, another one that had the only replica of `LEADERLESS` and is
    gone, and a look at the moment when the first one still named it as the leader."""

    broker: KafkaBroker
    while_named: Measured

    @property
    def properties(self) -> dict[str, str | int | float]:
        """For a client."""
        return {"bootstrap.servers": self.broker.bootstrap_servers}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("leaderless")
    broker = KafkaBroker(folder / "first", {"auto.create.topics.enable": "true"})
    try:
        broker.start()
    except UnavailableError as why:
        missing(why)
    gone = broker.second(folder / "second")
    try:
        cluster = RealCluster(broker)
        # The topic that holds all groups' commits is made now, on the broker that stays.
        assert cluster.committed(Partition(cluster.create(), 0)) < 0
        gone.start()
        broker.create_led_by(TOPIC, 1, 2, 1)
        for copies in (RETRY, DEAD_LETTER):
            broker.create_led_by(copies, 1)
        for partition in (LED, LEADERLESS, LED_TOO):
            cluster.append_all(partition, [b"record"] * 5)
        client = asking_client({"bootstrap.servers": broker.bootstrap_servers})
        assert look(client, [LED, LEADERLESS, LED_TOO], 20).bounds == KNOWN | {LEADERLESS: Bounds(0, 5, 5)}
        gone.kill()
        began, cpu_began = time.monotonic(), time.process_time()
        told = look(client, [LED, LEADERLESS, LED_TOO], WITHIN)
        measured = Measured(told, time.monotonic() - began, time.process_time() - cpu_began)
        admin = KafkaAdmin({"bootstrap.servers": broker.bootstrap_servers})
        wait_until(lambda: _leaderless(admin) == (1,), 60, "the cluster knows that the broker is gone")
        yield Stage(broker, measured)
    finally:
        gone.stop()
        broker.stop()


def _leaderless(admin: KafkaAdmin) -> tuple[int, ...]:
    topic = admin.topic(TOPIC)
    assert topic is not None
    return topic.leaderless


@pytest.fixture
def settings_file(stage: Stage, config_file: Callable[..., Path]) -> Path:
    return config_file(kafka=_kafka(stage, "leaderless"))


def _kafka(stage: Stage, group: str) -> dict[str, Any]:
    names = {"main": TOPIC, "retry": RETRY, "dead_letter": DEAD_LETTER}
    return {"bootstrap_servers": stage.broker.bootstrap_servers, "group_id": group, "topics": names}


def test_a_leader_that_is_not_reached_keeps_only_its_own_partition_unknown_and_costs_no_core(stage: Stage) -> None:
    told, seconds, cpu_seconds = stage.while_named
    assert told.bounds == KNOWN
    assert set(told.unknown) == {LEADERLESS}
    assert seconds < 2 * WITHIN
    assert cpu_seconds < seconds / 4


async def test_a_partition_without_a_leader_has_no_lag_and_the_others_have_theirs(stage: Stage) -> None:
    errors: list[str] = []
    watermarks = Watermarks(stage.properties, lambda: [LED, LEADERLESS, LED_TOO], errors.append, lambda *_: None)
    looking = asyncio.create_task(watermarks.run())
    await eventually(lambda: watermarks.bounds, 60, "bounds are known")
    looking.cancel()
    assert watermarks.bounds == KNOWN
    assert set(errors) == {NO_LEADER}


def test_a_question_about_a_topic_that_is_not_there_does_not_create_it(stage: Stage) -> None:
    """Else a topic that was just deleted would come back empty."""
    client, absent = asking_client(stage.properties), Partition("absent", 0)
    for _ in range(2):
        assert look(client, [absent], 20).absent == {absent}
    assert absent.topic not in client.list_topics(timeout=60).topics


def test_the_logs_that_have_leaders_are_identified(stage: Stage) -> None:
    """A map in their commits is of use at once, and nobody waits for the one that has none."""
    identities = LogIdentities(stage.properties)
    identities.ask(TOPIC)
    found = identities.of([LED, LEADERLESS, LED_TOO], urgent=[LED])
    assert {partition: log.end for partition, log in found.items()} == {LED: 5, LED_TOO: 5}
    alone = identities.of([LEADERLESS], urgent=[], needs_cluster=True)
    assert alone == {}
    assert alone.cluster_id == found.cluster_id == found[LED].identity.cluster_id


async def test_a_member_reads_the_partitions_that_have_leaders(stage: Stage) -> None:
    async with joined(RealCluster(stage.broker).member(TOPIC)) as member:
        await eventually(lambda: len(member.records) == 10, 60, "the records of two partitions come")
        assert set(member.assigned) == {LED, LEADERLESS, LED_TOO}
        assert not member.failed


async def test_a_process_has_no_lag_of_it_in_its_metrics_and_null_on_its_page(
    stage: Stage, config_file: Callable[..., Path], tmp_path: Path
) -> None:
    settings = json.loads(config_file(kafka=_kafka(stage, "process"), log={"format": "json"}).read_text())
    connector = ConnectorProcess(tmp_path / "process", settings)
    await connector.start()
    try:
        status = await connector.status_when(lambda status: _lag(status, LED) is not None)
        assert _lag(status, LED_TOO) is not None
        assert str(LEADERLESS) in status["partitions"]
        assert _lag(status, LEADERLESS) is None
        lags = [line for line in (await connector.metrics_text()).splitlines() if "connector_lag{" in line]
        assert [line.partition("} ")[0] for line in lags if f'"{TOPIC}"' in line] == [
            f'invoke_connector_lag{{topic="{TOPIC}",partition="{partition.number}"' for partition in (LED, LED_TOO)
        ]
    finally:
        await connector.kill()


def _lag(status: Mapping[str, Any], partition: Partition) -> int | None:
    lag: int | None = status.get("partitions", {}).get(str(partition), {}).get("lag")
    return lag


def test_status_shows_what_is_known_and_a_question_mark_for_what_is_not(
    stage: Stage, settings_file: Path, connector: Run
) -> None:
    run = connector("status", "--config", settings_file)
    assert run.exit_code == 0
    shown = " ".join(run.output.replace("│", " ").split())
    assert f"{LED} none 0 to 5 5 nothing" in shown
    assert f"{LEADERLESS} none ? ? nothing" in shown
    assert f"{LED_TOO} none 0 to 5 5 nothing" in shown
    assert f"{LEADERLESS}: not known now ({NO_LEADER})" in run.output


def test_offsets_set_says_of_which_partition_it_is_not_known_what_it_means(
    stage: Stage, settings_file: Path, connector: Run, tmp_path: Path
) -> None:
    places = [{"topic": TOPIC, "partition": partition.number, "offset": 2} for partition in (LED, LEADERLESS)]
    file = tmp_path / "offsets.json"
    file.write_text(json.dumps({"group": "any", "offsets": places}))
    run = connector("offsets", "set", file, "--config", settings_file)
    assert run.exit_code == 0
    assert f"{LED}: 0 → 2: up to 2 records are never posted" in run.output
    assert f"{LEADERLESS}: ? → 2: what it means is not known now ({NO_LEADER})" in run.output


def test_check_names_the_partition_that_no_broker_serves(stage: Stage, settings_file: Path) -> None:
    settings = load(settings_file, {})
    (found,) = [each for each in check_topics(KafkaAdmin(stage.properties).topic, settings) if "leaders" in each.name]
    assert (found.verdict, found.name) == (Verdict.WARNING, "main topic leaders")
    assert "partition 1 of" in found.why


def test_a_record_of_a_partition_without_a_leader_is_not_waited_for(stage: Stage) -> None:
    with pytest.raises(AdminError, match=NO_LEADER):
        read_one({**stage.properties, "group.id": "render"}, LEADERLESS, 0, within=30)
