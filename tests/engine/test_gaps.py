"""Offsets at a log's end that hold no record: the commit follows past them, and past nothing else."""

from __future__ import annotations

import asyncio

from connector.core.record import Partition
from tests.engine.stage import ACCEPTED, MAIN, RETRY, TEMPORARY, Connector, ScriptedVendor, always, broker, event, feed
from tests.support.clock import VirtualClock, run_virtual

HEAD, WAITING = Partition(MAIN, 0), Partition(RETRY, 0)


@run_virtual
async def test_when_all_is_settled_the_commit_is_the_end_of_the_log(clock: VirtualClock) -> None:
    """Also where nothing but the gap was ever written, and when more of it comes later."""
    kafka = broker(clock, main=2)
    feed(kafka, event(0), partition=0)
    kafka.leave_gap(HEAD, 5)
    kafka.leave_gap(Partition(MAIN, 1), 3)
    connector = Connector(kafka, ScriptedVendor(always(ACCEPTED)), clock)
    await asyncio.sleep(1)
    assert {p.number: commit.offset for p, commit in kafka.committed.items()} == {0: 6, 1: 3}
    kafka.leave_gap(HEAD, 2)
    await asyncio.sleep(1)
    assert kafka.committed[HEAD].offset == 8
    await connector.leave()


@run_virtual
async def test_a_commit_waits_for_the_records_before_a_gap(clock: VirtualClock) -> None:
    kafka = broker(clock, main=1)
    feed(kafka, event(0))
    kafka.leave_gap(HEAD, 5)
    vendor = ScriptedVendor(always(ACCEPTED), latency=5)
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(4)
    assert HEAD not in kafka.committed
    await asyncio.sleep(2)
    assert kafka.committed[HEAD].offset == 6
    await connector.leave()


@run_virtual
async def test_a_gap_behind_a_record_that_is_not_due_is_passed_once_that_is_settled(clock: VirtualClock) -> None:
    """Its partition sleeps, and forgot the gap: it is read anew with the record."""
    kafka = broker(clock, main=1)
    feed(kafka, event(0))
    connector = Connector(kafka, ScriptedVendor(lambda _, before: ACCEPTED if before else TEMPORARY), clock)
    await asyncio.sleep(1)
    kafka.leave_gap(WAITING, 4)
    await asyncio.sleep(600)
    assert WAITING not in kafka.committed
    await asyncio.sleep(600)
    assert kafka.committed[WAITING].offset == 5
    await connector.leave()


@run_virtual
async def test_a_gap_that_only_the_next_owner_reads_is_passed_by_it(clock: VirtualClock) -> None:
    kafka = broker(clock, main=1)
    feed(kafka, event(0))
    first = Connector(kafka, ScriptedVendor(always(ACCEPTED)), clock)
    await asyncio.sleep(1)
    await first.leave()
    kafka.leave_gap(HEAD, 4)
    second = Connector(kafka, ScriptedVendor(always(ACCEPTED)), clock)
    await asyncio.sleep(1)
    assert kafka.committed[HEAD].offset == 5
    assert second.engine.commits.uncommitted == 0
    await second.leave()
