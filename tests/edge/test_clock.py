"""The machine's time."""

from __future__ import annotations

import time

from connector.edge.clock import SystemClock


def test_the_wall_clock_is_in_ms_since_the_epoch() -> None:
    before = time.time_ns()
    now_ms = SystemClock().now_ms()
    assert before // 1_000_000 <= now_ms <= time.time_ns() // 1_000_000


def test_the_monotonic_clock_counts_in_the_event_loops_seconds() -> None:
    """Both are the machine's: what one waits for, the other measures."""
    before = time.monotonic()
    assert before <= SystemClock().monotonic() <= time.monotonic()
