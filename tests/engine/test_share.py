"""A process's part of the rate: the parts of all are never more than the whole, whatever each of them has heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Partition
from connector.engine.limits import PaceRules
from connector.engine.shares import Shares
from connector.engine.timers import Now, Timers
from tests.engine.stage import MAIN, RETRY, Connector, broker, event, feed
from tests.engine.test_pace import Vendor, most_within
from tests.support.clock import VirtualClock, run_virtual

SHORTLY = 1e-3


def _of(topic: str, *numbers: int) -> list[Partition]:
    return [Partition(topic, number) for number in numbers]


class Teller:
    """The shares of one process, and the time that they are told."""

    def __init__(self) -> None:
        self._now = Now()
        self._timers = Timers(self._now)
        self.shares = Shares({RETRY}, self._now, self._timers)
        self.counted, self.of = self.shares.counted, self.shares.of

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._now.seconds += seconds
        self._timers.ring()


def test_the_main_topic_carries_the_rate_and_the_retry_topic_a_little() -> None:
    shares = Teller()
    shares.counted({MAIN: 4, RETRY: 4})
    assert shares.of(_of(MAIN, 0, 1, 2, 3)) == pytest.approx(0.96)
    assert shares.of(_of(RETRY, 0, 1, 2, 3)) == pytest.approx(0.04)
    assert shares.of(_of(MAIN, 0, 1) + _of(RETRY, 0, 1)) == pytest.approx(0.5)
    assert shares.of([]) == 0


def test_nothing_is_taken_for_a_part_before_its_topic_was_counted() -> None:
    """After ten seconds nobody will tell, and what is ours is all there is."""
    shares = Teller()
    shares.counted({RETRY: 1})
    assert shares.of(_of(MAIN, 0, 1)) == 0
    shares.wait(10)
    assert shares.of(_of(MAIN, 0, 1)) == pytest.approx(0.96)


def test_new_partitions_count_when_everybody_has_heard_of_them() -> None:
    """Who has not takes the old number for all: it would still post at the whole rate."""
    knows, knows_not = Teller(), Teller()
    for shares in (knows, knows_not):
        shares.counted({MAIN: 4, RETRY: 0})
    knows.counted({MAIN: 8})
    assert knows.of(_of(MAIN, 4, 5, 6, 7)) + knows_not.of(_of(MAIN, 0, 1, 2, 3)) == pytest.approx(0.96)
    knows.wait(30 + SHORTLY)
    assert knows.of(_of(MAIN, 4, 5, 6, 7)) == pytest.approx(0.48)


@st.composite
def growths(draw: st.DrawFn) -> tuple[int, int, list[int], list[bool]]:
    """Partitions before and after, who of three has each (3: nobody), and which of the three have heard."""
    before = draw(st.integers(1, 8))
    after = draw(st.integers(before, 16))
    owners = draw(st.lists(st.integers(0, 3), min_size=after, max_size=after))
    return before, after, owners, draw(st.lists(st.booleans(), min_size=3, max_size=3))


@given(growths(), st.floats(0, 29))
def test_a_growing_topic_never_makes_the_parts_more_than_the_whole(
    growth: tuple[int, int, list[int], list[bool]], passed: float
) -> None:
    before, after, owners, heard = growth
    processes = [Teller() for _ in heard]
    for shares in processes:
        shares.counted({MAIN: before, RETRY: 0})
    for shares, knows in zip(processes, heard, strict=True):
        if knows:
            shares.counted({MAIN: after})
        shares.wait(passed)
    parts = [shares.of(_owned(owners, process)) for process, shares in enumerate(processes)]
    assert sum(parts) <= 1 + 1e-9


def _owned(owners: Iterable[int], process: int) -> list[Partition]:
    return [Partition(MAIN, number) for number, owner in enumerate(owners) if owner == process]


@run_virtual
async def test_two_processes_reach_the_rate_and_never_exceed_it(clock: VirtualClock) -> None:
    """While nothing is retried, and while one comes."""
    kafka, vendor = broker(clock, main=4), Vendor(clock)
    for n in range(1200):
        feed(kafka, event(n), n % 4)
    members = [Connector(kafka, vendor, clock, pace=PaceRules(rate=20.0)) for _ in range(2)]
    await asyncio.sleep(30)
    assert most_within(vendor.at, 10.0) <= 200 + 2 * 2
    assert len(vendor.at) >= 0.95 * 20 * 30
    for member in members:
        await member.leave()
