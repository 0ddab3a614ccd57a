"""Counts of the last while."""

from __future__ import annotations

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
    """Or by failures that are too old; against a naive model that keeps all of them."""
    streak, now = Streak(SPAN), 0.0
    kept: list[tuple[float, float]] = []
    for pause, took, fails in given_:
        now += pause
        began = now - took
        first = min((began for began, _ in kept), default=float("inf"))
        if fails:
            kept = kept if kept and now - kept[0][1] < SPAN else []
            kept.append((began, now))
            assert streak.failed(began, now) == len(kept)
        else:
            assert streak.passed(began) == (began >= first)
            kept = [] if began >= first else kept
        assert len(streak) == len(kept)
