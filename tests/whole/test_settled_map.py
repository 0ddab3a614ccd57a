"""The map in the commit's metadata, on real Kafka: a process is killed, and the next one knows what it had done."""

from __future__ import annotations

import asyncio
from typing import Any

from connector.core.record import Partition
from connector.core.settled_map import read
from tests.support.connector_process import ConnectorProcess
from tests.whole.stage import Stage, books_balance, event, number

PATIENCE = 60.0


async def test_after_a_kill_behind_a_slow_record_nothing_that_was_committed_is_posted_again(stage: Stage) -> None:
    stage.create_topics()
    stage.scenario(rules=[{"when": {"phone_numbers": [number(0)]}, "do": {"kind": "hang"}}])
    events = [event(f"e-{n}", n) for n in range(800)]
    stage.produce_events(events)
    first = stage.connector()
    await first.start()
    await first.until(accepted=799)
    await _committed(first)
    await first.kill()
    base, metadata = stage.cluster.committed_with_metadata(Partition(stage.main, 0))
    left = read(metadata)
    assert base == 0
    assert not isinstance(left, str)
    assert [run[:2] for run in left.runs] == [(1, 799)]

    stage.scenario()
    second = stage.connector()
    await second.start()
    metrics = await second.until(accepted=1, skipped=799)

    assert books_balance(metrics)
    assert await second.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)
    assert stage.cluster.committed_with_metadata(Partition(stage.main, 0)) == (800, "")


async def _committed(connector: ConnectorProcess) -> None:
    status: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while status.get("uncommitted") != 0:
            status = await connector.status()
