"""Partitions come and go: drained and committed first, fenced afterwards, nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter

from connector.core.record import Partition
from connector.engine.limits import PaceRules
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    FORBIDDEN,
    MAIN,
    PERMANENT,
    RETRY,
    TEMPORARY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
    values,
)
from tests.support.clock import VirtualClock, run_virtual

HEAD = Partition(MAIN, 0)


@run_virtual
async def test_a_rebalance_between_two_processes_repeats_nothing(clock: VirtualClock) -> None:
    """A second process joins under load and later leaves: every record is posted exactly once."""
    kafka, vendor = broker(clock, main=6), ScriptedVendor(always(ACCEPTED), latency=0.3)
    for n in range(600):
        feed(kafka, event(n), n % 6)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(3)
    second = Connector(kafka, vendor, clock)
    await asyncio.sleep(3)
    assert second.engine.assignments
    assert await second.leave()
    await asyncio.sleep(60)
    assert await first.leave()
    assert Counter(vendor.posted) == Counter(number(n) for n in range(600))
    assert first.books_balance()
    assert second.books_balance()


@run_virtual
async def test_a_stop_waits_for_answers_and_commits_them(clock: VirtualClock) -> None:
    """What is in flight is drained; what was not posted is left for the next process."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=5)
    for n in range(20):
        feed(kafka, event(n))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    assert await connector.leave()
    assert len(vendor.posted) == BOUNDS.in_flight
    assert kafka.committed[HEAD].offset == BOUNDS.in_flight
    assert connector.books_balance()


@run_virtual
async def test_a_stop_leaves_what_waits_before_an_answered_record_to_the_next_process(clock: VirtualClock) -> None:
    """The map says what was answered behind it, so that a stop need not post all that waits for one slow person."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED), latency=5)
    for n in (0, 0, 1, 2):
        feed(kafka, event(n))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    assert await connector.leave()
    assert sorted(vendor.posted) == [number(0), number(1), number(2)]
    assert kafka.committed[HEAD].offset == 1
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(30)
        assert Counter(vendor.posted) == {number(0): 2, number(1): 1, number(2): 1}
        assert kafka.committed[HEAD].offset == 4


@run_virtual
async def test_a_stop_posts_what_waits_before_an_answered_record_when_no_map_tells_of_it(clock: VirtualClock) -> None:
    """Left in its place, a record behind a slow one of its person would keep later ones from being committed."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED), latency=5)
    kafka.cluster_id = None
    for n in (0, 0, 1, 2):
        feed(kafka, event(n))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    assert await connector.leave()
    assert Counter(vendor.posted) == {number(0): 2, number(1): 1, number(2): 1}
    assert kafka.committed[HEAD].offset == 4


@run_virtual
async def test_a_stop_posts_what_waits_for_its_service_before_an_answered_record_when_no_map_tells_of_it(
    clock: VirtualClock,
) -> None:
    """Also when it has to wait for the rate once its service has room again."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED), latency=0.6)
    kafka.cluster_id = None
    for n in range(4):
        feed(kafka, event(n, serviceId="0510" if n < 3 else "0A"))
    connector = Connector(kafka, vendor, clock, pace=PaceRules(rate=4, service_share=0.25))
    await asyncio.sleep(0.55)
    assert sorted(vendor.posted) == [number(0), number(1), number(3)]
    assert await connector.leave()
    assert vendor.posted[3:] == [number(2)]
    assert kafka.committed[HEAD].offset == 4


@run_virtual
async def test_a_stop_in_the_middle_of_a_hand_over_counts_each_record_once(clock: VirtualClock) -> None:
    """Both drain the same partition; what waits there is released once."""
    kafka, vendor = broker(clock, main=4), ScriptedVendor(lambda _number, _before: None)
    for n in range(20):
        feed(kafka, event(), n % 4)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    second = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    assert not await first.leave()
    assert first.books_balance()
    await second.leave()


@run_virtual
async def test_a_stop_ends_with_its_budget(clock: VirtualClock) -> None:
    """An answer that never comes cannot keep the process; its record is left uncommitted, and the stop says so."""
    kafka, vendor = broker(clock), ScriptedVendor(lambda _number, _before: None)
    feed(kafka, event())
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    before = clock.monotonic()
    assert not await connector.leave(budget=40)
    assert 40 <= clock.monotonic() - before < 41
    assert HEAD not in kafka.committed
    assert connector.books_balance()
    assert connector.metrics.counter("maybe_delivered").at("left_behind").value == 1
    assert [line["offset"] for line in connector.log if line["event"] == "left_behind"] == [0]


@run_virtual
async def test_an_answer_after_the_hand_over_settles_nothing(clock: VirtualClock) -> None:
    """The fence: the assignment is gone, and the late answer neither commits nor writes a copy."""
    kafka, vendor = broker(clock), ScriptedVendor(always(PERMANENT), latency=100)
    kafka.drain = 5
    feed(kafka, event(), 1)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    second_vendor = ScriptedVendor(always(ACCEPTED))
    others = [Connector(kafka, second_vendor, clock) for _ in range(3)]
    await asyncio.sleep(200)
    moved = Partition(MAIN, 1)
    assert moved not in first.engine.assignments
    assert first.count("late_answers") == 1
    assert second_vendor.posted == [number(0)]
    assert kafka.committed[moved].offset == 1
    assert values(kafka, DEAD) == []
    for connector in (first, *others):
        await connector.leave()


@run_virtual
async def test_a_lost_partition_commits_nothing_and_fences_its_answers(clock: VirtualClock) -> None:
    """A member that the group gave up on must not settle anything any more."""
    kafka, vendor = broker(clock), ScriptedVendor(always(PERMANENT), latency=10)
    feed(kafka, event())
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    kafka.expel(connector.source)
    await asyncio.sleep(60)
    assert HEAD not in kafka.committed
    assert values(kafka, DEAD) == []
    assert connector.count("late_answers") == 1
    assert connector.books_balance()
    await connector.leave()


@run_virtual
async def test_a_crash_repeats_only_what_was_not_committed(clock: VirtualClock) -> None:
    """The next process goes on from the last commit."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    for n in range(500):
        feed(kafka, event(n))
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    first.crash()
    posted_by_first = len(vendor.posted)
    second = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert set(vendor.posted) == {number(n) for n in range(500)}
    assert 0 < posted_by_first < 500
    assert len(vendor.posted) - 500 <= BOUNDS.in_flight * 2
    await second.leave()


@run_virtual
async def test_a_retry_partition_that_was_asleep_wakes_with_its_next_owner(clock: VirtualClock) -> None:
    """A paused partition that is revoked and comes back is resumed when due."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda _number, before: ACCEPTED if before else TEMPORARY)
    feed(kafka, event())
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    await first.leave()
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(16 * 60)
        assert len(vendor.posted) == 2
        assert kafka.committed[Partition(RETRY, 0)].offset == 1


@run_virtual
async def test_a_hold_keeps_every_record_in_its_place(clock: VirtualClock) -> None:
    """A wrong credential empties nothing: no dead letter, no retry copy, one post now and then, no commit past it."""
    kafka, vendor = broker(clock), ScriptedVendor(always(FORBIDDEN))
    for n in range(100):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(3600)
        canaries = 7  # after 0.5, 1.5, 3.5, 7.5, 15.5, 30.5 and 45.5 minutes
        assert len(vendor.posted) == BOUNDS.in_flight + canaries
        assert values(kafka, DEAD) == values(kafka, RETRY) == []
        assert HEAD not in kafka.committed
        assert connector.engine.holds.active
        assert [line["level"] for line in connector.log if line["event"] == "hold_entered"] == ["error"]


@run_virtual
async def test_a_restart_ends_a_hold_and_posts_in_order(clock: VirtualClock) -> None:
    """What was held is posted by the next process, each person's events in their order."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(FORBIDDEN))
    for n in range(30):
        feed(kafka, event(n % 3, f"{n:02d}"))
    held = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    await held.leave()
    vendor = ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
        assert sorted(vendor.order) == [f"{n:02d}" for n in range(30)]
        for person in range(3):
            seen = [mark for mark in vendor.order if int(mark) % 3 == person]
            assert seen == sorted(seen)


@run_virtual
async def test_answers_that_arrive_during_a_hold_are_settled_and_committed(clock: VirtualClock) -> None:
    """The hold stops what is new, not what is under way."""
    kafka = broker(clock, main=1)
    vendor = ScriptedVendor(lambda who, _before: FORBIDDEN if who == number(1) else ACCEPTED)
    feed(kafka, event(0))
    feed(kafka, event(1))
    feed(kafka, event(2))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(5)
        assert connector.count("records_accepted") == 2
        assert kafka.committed[HEAD].offset == 1
