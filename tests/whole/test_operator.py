"""What somebody on duty is told: of Kafka and of the three topics, once, with the remedy."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.whole.stage import Stage

PATIENCE = 30.0


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
    assert len(connector.log.splitlines()) < 6


async def test_ready_is_said_once_readyz_says_it(stage: Stage) -> None:
    """The group is joined long before."""
    stage.create_topics()
    file = stage.folder / "paused"
    file.write_text("*")
    connector = stage.connector(hold={"paused_file": str(file)}, admin={"ready_during_hold": False})
    await connector.spawn()
    await connector.status_when(lambda status: len(status.get("partitions", {})) == 2, PATIENCE)
    await _beats(connector)
    assert not connector.lines("ready")

    file.write_text("")

    await connector.joins()
    await eventually(lambda: connector.lines("ready"), PATIENCE, "it is said")
    assert len(connector.lines("ready")) == 1
