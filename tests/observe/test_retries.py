"""What waits for a retry, known from the copies that this process wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.observe.retries import Copies, Waiting

MINUTE = 60_000
TIMES = st.integers(min_value=0, max_value=90 * MINUTE)


@given(st.lists(st.tuples(TIMES, TIMES, st.integers(1, 96))), TIMES)
def test_the_oldest_and_the_most_attempts_of_what_is_not_due_yet(copies: list[tuple[int, int, int]], now: int) -> None:
    """To the minute: one that is due within this minute may still be told of."""
    kept = Copies()
    for due, first, attempts in copies:
        kept.written(due, first, attempts)
    left = [(first, attempts) for due, first, attempts in copies if due // MINUTE >= now // MINUTE]
    expected = Waiting(min(first for first, _ in left), max(attempts for _, attempts in left)) if left else None
    assert kept.waiting(now) == expected
