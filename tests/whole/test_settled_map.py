"""The map in the commit's metadata, on real Kafka: a process is killed, and the next one knows what it had done."""

from __future__ import annotations

import asyncio
from typing import Any

from connector.core.record import Partition
from connector.core.settled_map import LogIdentity, encode, read
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
    base, metadata = stage.cluster.committed_with_metadata(Partition(stage.main, 0))
    last = read(metadata)
    assert base == 800
    assert not isinstance(last, str)
    assert last.runs == ()


async def test_a_commit_that_a_mirror_translated_ends_the_process_and_nothing_is_posted(stage: Stage) -> None:
    """MirrorMaker carries the metadata over, beside an offset of its own."""
    stage.create_topics()
    stage.produce_events(event(f"e-{n}", n) for n in range(3))
    elsewhere, _ = encode(2, (), LogIdentity("another-cluster", "another-topic"))
    stage.cluster.commit(Partition(stage.main, 0), 1, elsewhere)
    process = stage.connector()
    await process.spawn()
    assert await process.ended() == 1
    (failed,) = process.lines("source_failed")
    assert failed["code"] == "commit_translated"
    assert "connector offsets translate" in failed["remedy"]
    assert stage.simulator.ledger.accepted == 0
    assert stage.cluster.committed_with_metadata(Partition(stage.main, 0)) == (1, elsewhere)


async def _committed(connector: ConnectorProcess) -> None:
    status: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while status.get("uncommitted") != 0:
            status = await connector.status()
