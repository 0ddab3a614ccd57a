"""When a failed record is due again, or that its time is up. Times are ms since the epoch, durations ms."""

from __future__ import annotations

from typing import NamedTuple

JITTER = 0.03
"""Share of the delay by which due times scatter, so that an outage's backlog does not come back in one moment."""


class RetryPlan(NamedTuple):
    """The vendor's advice is every 15 minutes for up to 24 hours; both are settings."""

    delay_ms: int
    window_ms: int


def next_due(plan: RetryPlan, first_failure_ms: int, now_ms: int, chance: float, late_ms: int = 0) -> int | None:
    """Return when a record that failed now is due again, or None when that would lie past its window.

    `chance` in [0, 1) places the due time within ± 3 % of the delay. `late_ms` is by how much its attempts came after
    their due times, in all: a hold, or a backlog, takes nothing off the window.
    """
    due = now_ms + round(plan.delay_ms * (1 + JITTER * (2 * chance - 1)))
    return due if due <= first_failure_ms + plan.window_ms + late_ms else None


def due_on_reading(plan: RetryPlan, due_ms: int | None, written_ms: int | None, read_ms: int) -> int:
    """Return when a record read from the retry topic is due, whatever its headers say.

    Never later than the delay after it was written or read: a delay that was made shorter works on what already
    waits, and a damaged header cannot put a partition to sleep for ever.
    """
    longest = round(plan.delay_ms * (1 + JITTER))
    due = read_ms + longest
    if written_ms is not None:
        due = min(due, written_ms + longest)
    return due if due_ms is None else min(due, due_ms)
