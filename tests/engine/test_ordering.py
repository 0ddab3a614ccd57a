"""Order where it matters: lanes of one end user, of a partition, or none."""

from __future__ import annotations

import asyncio

import pytest

from connector.engine.schedule import Ordering
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    TEMPORARY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
)
from tests.support.clock import VirtualClock, run_virtual


class SlowThenFast(ScriptedVendor):
    """The first post takes ten seconds, all others a tenth."""

    @property
    def latency(self) -> float:
        return 10 if len(self.posted) == 1 else 0.1

    @latency.setter
    def latency(self, value: float) -> None: ...


@pytest.mark.parametrize(
    ("ordering", "after_five_seconds"),
    [("end_user", ["a1", "b1", "b2"]), ("partition", ["a1"]), ("none", ["a1", "a2", "b1", "b2"])],
)
def test_what_waits_behind_a_slow_post(ordering: Ordering, after_five_seconds: list[str]) -> None:
    """The same end user's next event, the whole partition, or nothing at all."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), SlowThenFast(always(ACCEPTED))
        for n, mark in ((0, "a1"), (0, "a2"), (1, "b1"), (1, "b2")):
            feed(kafka, event(n, mark))
        async with running(Connector(kafka, vendor, clock, ordering=ordering)):
            await asyncio.sleep(5)
            assert sorted(vendor.order) == after_five_seconds
            await asyncio.sleep(20)
            assert sorted(vendor.order) == ["a1", "a2", "b1", "b2"]

    scene()


@run_virtual
async def test_events_of_one_end_user_keep_their_order_under_load(clock: VirtualClock) -> None:
    """Fifty events for each of five people: each person's arrive in the order they were written."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED), latency=0.01)
    for n in range(250):
        feed(kafka, event(n % 5, f"{n % 5}-{n:03d}"))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
        for person in range(5):
            seen = [mark for mark in vendor.order if mark.startswith(f"{person}-")]
            assert seen == sorted(seen)
            assert len(seen) == 50


@run_virtual
async def test_a_plus_does_not_make_another_person(clock: VirtualClock) -> None:
    """The number with and without its plus is one lane."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1)
    feed(kafka, event(0, "first"))
    feed(kafka, event(0, "second", phoneNumber="+" + number(0)))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(0.5)
        assert vendor.order == ["first"]


@run_virtual
async def test_a_record_that_goes_to_the_retry_topic_gives_up_its_place(clock: VirtualClock) -> None:
    """The later event of the same person overtakes it: what the docs say of gate changes."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda _number, before: TEMPORARY if before == 0 else ACCEPTED)
    feed(kafka, event(0, "old"))
    feed(kafka, event(0, "new"))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(3600)
        assert vendor.order == ["old", "new", "old"]


@run_virtual
async def test_one_busy_end_user_does_not_stop_the_others_of_the_partition(clock: VirtualClock) -> None:
    """Five hundred events of one person in front, and another person's event is posted at once."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED), latency=1)
    for n in range(500):
        feed(kafka, event(0, f"{n:03d}"))
    feed(kafka, event(1, "other"))
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS)):
        await asyncio.sleep(3)
        assert "other" in vendor.order
        assert vendor.under_way[number(0)] == 1


@run_virtual
async def test_partitions_take_turns(clock: VirtualClock) -> None:
    """A long backlog in one partition does not keep another one waiting for it."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1)
    for n in range(300):
        feed(kafka, event(n))
    feed(kafka, event(900, "other"), 1)
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(in_flight=2))):
        await asyncio.sleep(3)
        assert "other" in vendor.order
