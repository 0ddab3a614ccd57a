"""`connector retry expedite` killed in the middle, and the connector that goes on afterwards."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

from connector.core.record import Partition
from connector.edge.kafka.groups import KafkaGroups
from tests.whole.stage import Stage, books_balance, event, number

COUNT, EACH, PARTITIONS = 360, 3, 3

KILLED = """
import os, signal, sys, time
from pathlib import Path
from connector.cli.today import Judge
from connector.cli.loading import load_without_password
from connector.cli.retry.moving import Wanted, move
from connector.config.client import kafka_properties
from connector.core.letters.chosen import Filters
from connector.core.record import Partition
from connector.edge.kafka.groups import KafkaGroups

settings = load_without_password(Path(sys.argv[1]), {})
topic = settings.kafka.topics.retry
partitions = [Partition(topic, number) for number in range(int(sys.argv[2]))]
transactions = 0

def written(count):
    # In the second partition's transaction, after the brokers have some of it.
    global transactions
    transactions += count == 1
    if transactions == 2 and count > 5:
        groups = KafkaGroups(kafka_properties(settings.kafka))
        while not any(bounds.behind_transaction for bounds in groups.look(partitions).bounds.values()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

with Judge(settings) as judge:
    move(settings, judge, Wanted(topic, Filters(), True), written)
"""


async def test_a_kill_while_expediting_loses_nothing_and_posts_nothing_twice(stage: Stage) -> None:
    """One partition was done, one was in the middle, one was not begun. The same command again does the rest, and then
    everybody is texted once."""
    stage.create_topics(retry=PARTITIONS)
    busy = [number(n) for n in range(0, COUNT, EACH)]
    rule = {"when": {"phone_numbers": busy}, "do": {"kind": "reject", "cause": "temporary"}}
    stage.scenario(rules=[rule])  # with others in between, or it would be an outage, and held
    events = [event(f"e-{n}", n) for n in range(COUNT)]
    stage.produce_events(events)
    connector = stage.connector(retry={"delay": "2h", "window": "24h"})
    await connector.start()
    await connector.until(accepted=COUNT - len(busy), retried=len(busy))
    assert await connector.stop() == 0
    stage.scenario()

    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(connector.config), str(PARTITIONS))
    assert await killed.wait() == -signal.SIGKILL
    groups = KafkaGroups({"bootstrap.servers": stage.cluster.kafka.bootstrap_servers})
    places = [Partition(stage.retry, n) for n in range(PARTITIONS)]
    assert len(await asyncio.to_thread(groups.committed, stage.cluster.group, places)) == 1
    await _expedited(connector.config)

    await connector.start()
    metrics = await connector.until(accepted=len(busy))
    assert books_balance(metrics)
    assert await connector.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)


async def _expedited(config: object) -> None:
    """As soon as the killed command counts as a member no more."""
    command = [sys.executable, "-m", "connector", "retry", "expedite", "--yes", "--config", str(config)]
    deadline = time.monotonic() + 60
    while True:
        run = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await run.communicate()
        if run.returncode == 0:
            return
        assert b"members: stop them all first" in err, (out, err)
        assert time.monotonic() < deadline
