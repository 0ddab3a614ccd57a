"""Due times: they scatter a little, rise, and end with the window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.schedule import JITTER, RetryPlan, due_on_reading, next_due

MINUTE = 60_000
PLAN = RetryPlan(delay_ms=15 * MINUTE, window_ms=24 * 60 * MINUTE)
chances = st.floats(0, 1, exclude_max=True)
times = st.integers(0, 2**42)


@given(times, chances)
def test_a_due_time_scatters_by_the_jitter_and_no_more(now: int, chance: float) -> None:
    """The next attempt comes after the delay, give or take three per cent."""
    due = next_due(PLAN, now, now, chance)
    assert due is not None
    assert abs(due - now - PLAN.delay_ms) <= PLAN.delay_ms * JITTER + 1


@given(st.lists(chances, min_size=200, max_size=200))
def test_attempts_rise_and_end_within_the_window(draws: list[float]) -> None:
    """A record that fails at once every time has 93 to 99 attempts in 24 hours, and then it is exhausted."""
    dues = [0]
    for chance in draws:
        due = next_due(PLAN, 0, dues[-1], chance)
        if due is None:
            break
        dues.append(due)
    assert dues == sorted(set(dues))
    assert dues[-1] <= PLAN.window_ms
    assert 92 <= len(dues) <= 100


@given(st.none() | st.integers(0, 2**63), st.none() | times, times)
def test_no_header_puts_a_record_off_beyond_the_delay(due: int | None, written: int | None, read: int) -> None:
    """Whatever the header says, a record is due within the delay of its reading."""
    assert due_on_reading(PLAN, due, written, read) <= read + PLAN.delay_ms * (1 + JITTER) + 1


def test_a_shortened_delay_works_on_what_already_waits() -> None:
    """A record written under a longer delay is due by the shorter one."""
    shorter = RetryPlan(delay_ms=MINUTE, window_ms=PLAN.window_ms)
    assert due_on_reading(shorter, 15 * MINUTE, written_ms=0, read_ms=30_000) == round(MINUTE * (1 + JITTER))


def test_a_due_header_counts_when_it_is_sooner() -> None:
    """An intact header is kept to the millisecond."""
    assert due_on_reading(PLAN, 14 * MINUTE, written_ms=0, read_ms=0) == 14 * MINUTE
