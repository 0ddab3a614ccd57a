"""The clocks that the other tests rest on."""

from __future__ import annotations

import asyncio

import pytest

from connector.engine.ports import Clock
from tests.support.clock import START_MS, HandClock, NothingWillHappenError, VirtualClock, run_virtual
from tests.support.deadline import eventually, wait_until

DAY = 86_400.0


def test_a_hand_moved_clock_stands_still_until_it_is_moved() -> None:
    clock = HandClock(now_ms=5_000)
    same: Clock = clock
    assert (same.now_ms(), same.monotonic()) == (5_000, 0.0)
    clock.advance(1.5)
    assert (same.now_ms(), same.monotonic()) == (6_500, 1.5)


@run_virtual
async def test_a_day_of_virtual_time_takes_no_time_and_both_clocks_show_it(clock: VirtualClock) -> None:
    same: Clock = clock
    await asyncio.sleep(DAY)
    assert same.monotonic() == pytest.approx(DAY)
    assert same.now_ms() == START_MS + round(DAY * 1000)


@run_virtual
async def test_virtual_timers_fire_in_order_of_due_time(clock: VirtualClock) -> None:
    fired = list[float]()

    async def fire(after: float) -> None:
        await asyncio.sleep(after)
        fired.append(after)

    await asyncio.gather(*(fire(after) for after in (3 * DAY, 1.0, 0.001, 2.0)))
    assert fired == [0.001, 1.0, 2.0, 3 * DAY]


@run_virtual
async def test_a_time_out_ends_in_virtual_time(clock: VirtualClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(900):
            await asyncio.Event().wait()
    assert clock.monotonic() == pytest.approx(900)


@run_virtual
async def test_timers_still_fire_after_ten_years(clock: VirtualClock) -> None:
    await asyncio.sleep(3_650 * DAY)
    before = clock.monotonic()
    await asyncio.sleep(0.1)
    assert clock.monotonic() == pytest.approx(before + 0.1, abs=1e-5)


@run_virtual
async def test_fixtures_stand_behind_the_clock(clock: VirtualClock, tmp_path: object) -> None:
    assert tmp_path is not clock


def test_a_wait_that_nothing_can_end_is_an_error_and_not_a_hang() -> None:
    @run_virtual
    async def hangs(clock: VirtualClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingWillHappenError):
        hangs()


@run_virtual
async def test_eventually_returns_the_first_true_answer(clock: VirtualClock) -> None:
    answers = iter(["", "", "there"])
    assert await eventually(lambda: next(answers), 5.0, "it comes") == "there"


@run_virtual
async def test_eventually_fails_with_its_reason_at_the_deadline(clock: VirtualClock) -> None:
    with pytest.raises(AssertionError, match=r"not within 5.0 s: the moon is full"):
        await eventually(lambda: False, 5.0, "the moon is full")
    assert clock.monotonic() == pytest.approx(5.0, abs=0.1)


def test_wait_until_returns_the_first_true_answer() -> None:
    answers = iter([0, 0, 7])
    assert wait_until(lambda: next(answers), 5.0, "it comes") == 7


def test_wait_until_fails_with_its_reason_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.02 s: never"):
        wait_until(lambda: None, 0.02, "never")
