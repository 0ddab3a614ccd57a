"""Paused by a person: everything, a topic, a partition; by the file and by commands."""

from __future__ import annotations

import asyncio

from connector.core.pauses import EVERYTHING, Target
from connector.core.record import Partition
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    FORBIDDEN,
    MAIN,
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
async def test_everything_is_paused_and_goes_on_when_it_is_resumed(clock: VirtualClock) -> None:
    """Answers under way are settled; nothing new is posted; the group keeps its partitions."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1.0)
    for n in range(60):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(0.5)
        connector.driver.pause([EVERYTHING], "the gates moved")
        await asyncio.sleep(3600)
        assert connector.count("records_accepted") == len(vendor.posted) == BOUNDS.in_flight
        assert len(connector.engine.assignments) == 3
        (hold,) = connector.engine.holds.in_force
        assert (hold.kind, hold.reason.why) == ("manual", "everything is paused, by command: the gates moved")
        assert connector.driver.resume([EVERYTHING]) == ()
        await asyncio.sleep(60)
        assert connector.count("records_accepted") == len(vendor.posted) == 60
        said = [line["event"] for line in connector.log if line["event"] in ("paused", "resumed", "hold_left")]
        assert said == ["paused", "resumed", "hold_left"]


@run_virtual
async def test_a_paused_partition_posts_nothing_while_the_others_go_on(clock: VirtualClock) -> None:
    """Not even what was taken before and waits in its lane; afterwards all of it in order."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1.0)
    for n in range(40):
        feed(kafka, event(7, f"{n:02d}"))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(2.5)
        connector.driver.pause([Target(MAIN, 0)], "")
        await asyncio.sleep(1)
        posted = len(vendor.posted)
        for n in range(40, 60):
            feed(kafka, event(7, f"{n:02d}"))
            feed(kafka, event(n), 1)
        await asyncio.sleep(600)
        assert vendor.posted.count(number(7)) == posted
        assert len(vendor.posted) == posted + 20
        assert connector.engine.partitions_waiting()["paused"] == 1
        connector.driver.resume([Target(MAIN)])
        await asyncio.sleep(100)
        mine = [mark for mark in vendor.order if mark]
        assert mine == sorted(mine)
        assert len(mine) == 60
        assert connector.books_balance()


@run_virtual
async def test_what_a_pause_keeps_grows_old_although_it_is_not_in_memory(clock: VirtualClock) -> None:
    """Whoever compares it with the topic's retention must see it before Kafka deletes it."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1.0)
    for n in range(40):
        feed(kafka, event(n))
    fed_ms = clock.now_ms()
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(1.5)
        connector.driver.pause([Target(MAIN, 0), Target(MAIN, 1)], "")
        paused_ms = clock.now_ms()
        await asyncio.sleep(600)
        keeps, idle = (connector.engine.assignments[Partition(MAIN, number)] for number in range(2))
        assert not keeps.open
        assert not keeps.queue
        assert keeps.oldest_ms() == fed_ms
        assert idle.oldest_ms() == paused_ms
        connector.driver.resume([Target(MAIN)])
        await asyncio.sleep(60)
        assert keeps.oldest_ms() is None
        assert idle.oldest_ms() is None


@run_virtual
async def test_a_paused_topic_is_all_of_its_partitions(clock: VirtualClock) -> None:
    """The retry topic waits; the main topic does not."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda _who, before: ACCEPTED if before else TEMPORARY)
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        connector.driver.pause([Target(RETRY)], "")
        await asyncio.sleep(3600)
        assert len(values(kafka, RETRY)) == len(vendor.posted) == 1
        feed(kafka, event(1))
        await asyncio.sleep(10)
        assert vendor.posted[-1] == number(1)
        connector.driver.resume([Target(RETRY)])
        await asyncio.sleep(3600)
        assert connector.count("records_accepted") == 2


@run_virtual
async def test_a_command_does_not_end_what_the_file_pauses(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)) as connector:
        pauser = connector.driver
        pauser.follow_file(frozenset({EVERYTHING}))
        pauser.pause([EVERYTHING], "")
        (stays,) = pauser.resume([EVERYTHING])
        assert stays.source == "file"
        feed(kafka, event(0))
        await asyncio.sleep(60)
        assert vendor.posted == []
        pauser.follow_file(frozenset())
        await asyncio.sleep(60)
        assert vendor.posted == [number(0)]


@run_virtual
async def test_what_is_paused_before_the_first_assignment_starts_paused(clock: VirtualClock) -> None:
    """The file survives a restart."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    feed(kafka, event(0))
    feed(kafka, event(1), 1)
    connector = Connector(kafka, vendor, clock)
    connector.driver.follow_file(frozenset({Target(MAIN, 0)}))
    async with running(connector):
        await asyncio.sleep(60)
        assert vendor.posted == [number(1)]


@run_virtual
async def test_a_partition_that_is_paused_elsewhere_goes_on_with_its_next_owner(clock: VirtualClock) -> None:
    """A command is for one process, and what it kept goes on in its place elsewhere."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1.0)
    for n in range(30):
        feed(kafka, event(n % 3, f"{n:02d}"))
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(2.5)
    first.driver.pause([Target(MAIN)], "")
    await asyncio.sleep(60)
    assert await first.leave()
    assert first.books_balance()
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
        assert sorted(vendor.order) == [f"{n:02d}" for n in range(30)]


@run_virtual
async def test_no_canary_is_tried_while_everything_is_paused(clock: VirtualClock) -> None:
    """Holds nest: the pause keeps the canary back, and the other hold goes on being one afterwards."""
    kafka, vendor = broker(clock), ScriptedVendor(always(FORBIDDEN))
    for n in range(30):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        connector.driver.pause([EVERYTHING], "")
        posted = len(vendor.posted)
        await asyncio.sleep(7200)
        assert len(vendor.posted) == posted
        connector.driver.resume([EVERYTHING])
        await asyncio.sleep(10)
        assert len(vendor.posted) == posted + 1
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["deployment"]


@run_virtual
async def test_no_canary_is_a_record_of_a_paused_partition(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(FORBIDDEN))
    for n in range(30):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        connector.driver.pause([Target(MAIN, 0)], "")
        posted = len(vendor.posted)
        await asyncio.sleep(7200)
        assert len(vendor.posted) > posted
        assert {int(phone[-4:]) % 2 for phone in vendor.posted[posted:]} == {1}


@run_virtual
async def test_a_pause_is_no_reason_to_suspect_the_deployment(clock: VirtualClock) -> None:
    """A record that was refused alone waits for others to pass, and while everything is paused none can."""
    kafka = broker(clock, main=1)
    vendor = ScriptedVendor(lambda who, before: FORBIDDEN if who == number(1) and before < 2 else ACCEPTED)
    for n in range(10):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(1)
        assert connector.engine.judge.aside == 1
        holds = connector.count("holds")
        connector.driver.pause([EVERYTHING], "")
        await asyncio.sleep(3600)
        assert connector.count("holds") == holds + 1
        connector.driver.resume([EVERYTHING])
        feed(kafka, event(10))
        await asyncio.sleep(60)
        assert connector.count("holds") == holds + 1
        assert connector.count("records_accepted") == 11
