"""The machine's time."""

from __future__ import annotations

import time

from connector.edge.clock import SystemClock


def test_the_wall_clock_is_in_ms_since_the_epoch() -> None:
    before = time.time_ns()
    now_ms = SystemClock().now_ms()
    assert before // 1_000_000 <= now_ms <= time.time_ns() // 1_000_000


async def test_a_wait_takes_its_time_on_the_monotonic_clock() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.02)
    assert clock.monotonic() > before
