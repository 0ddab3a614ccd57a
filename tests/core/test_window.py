"""Counts of the last while."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connector.core.window import Counts, Streak, Window

SPAN = 10.0
happenings = st.lists(st.tuples(st.floats(0, 4), st.booleans()), max_size=60)


@given(happenings, st.floats(0, 30))
def test_it_counts_the_last_span_and_at_most_a_tenth_more(given_: list[tuple[float, bool]], later: float) -> None:
    """Against a naive model that keeps everything."""
    window, now, kept = Window(SPAN), 0.0, []
    for pause, marked in given_:
        now += pause
        window.add(now, marked)
        kept.append((now, marked))
    now += later
    counts = window.counts(now)
    young = [marked for at, marked in kept if at > now - SPAN]
    older = [marked for at, marked in kept if at > now - SPAN * 1.1 - 1e-9]
    assert len(young) <= counts.total <= len(older)
    assert sum(young) <= counts.marked <= sum(older)


def test_it_is_empty_after_a_clear() -> None:
    window = Window(SPAN)
    window.add(0.0, marked=True)
    window.clear()
    assert window.counts(0.0) == Counts(0, 0)


def test_the_share_of_nothing_is_nothing() -> None:
    assert Counts(0, 0).share == 0
    assert Counts(4, 3).share == 0.75


answers = st.lists(st.tuples(st.floats(0, 4), st.floats(0, 20), st.booleans()), max_size=60)
"""Seconds since the answer before, seconds that the post took, and whether it failed."""


@given(answers)
def test_a_streak_ends_only_by_who_began_after_its_first_failure(given_: list[tuple[float, float, bool]]) -> None:
    """Or by too much time in which none of its failures was under way; against a naive model that keeps all of them."""
    streak, now = Streak(SPAN), 0.0
    kept: list[tuple[float, float]] = []
    for pause, took, fails in given_:
        now += pause
        began = now - took
        if fails:
            kept.append((began, now))
            pauses = sum(max(0.0, later - ended) for (_, ended), (later, _) in pairwise(kept))
            kept = kept[-1:] if pauses >= SPAN else kept
            assert streak.failed(began, now) == len(kept)
        else:
            ends = began >= min((began for began, _ in kept), default=float("inf"))
            assert streak.passed(began) == ends
            kept = [] if ends else kept
        assert len(streak) == len(kept)


def test_failures_that_take_their_time_are_a_streak_and_those_that_lie_apart_are_none() -> None:
    """One after the other, each a time-out of 30 s; and one every 3 s, each answered at once."""
    slow, apart = Streak(SPAN), Streak(SPAN)
    assert [slow.failed(30.0 * n, 30.0 * n + 30) for n in range(20)] == list(range(1, 21))
    assert [apart.failed(3.0 * n, 3.0 * n) for n in range(8)] == [1, 2, 3, 4, 1, 2, 3, 4]
