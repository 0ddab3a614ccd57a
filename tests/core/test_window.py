"""Counts of the last while."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.window import Asks, Counts, Streak, Window

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


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.01, 1))
def test_what_is_surely_above_a_share_is_above_it_and_stays_so_with_more_of_the_same(
    marked: int, others: int, share: float
) -> None:
    counts = Counts(marked + others, marked)
    if counts.surely_above(share):
        assert counts.share >= share
        assert Counts(2 * counts.total, 2 * counts.marked).surely_above(share)


def test_of_few_happenings_hardly_anything_is_sure() -> None:
    assert not Counts(20, 18).surely_above(0.9)
    assert not Counts(100, 90).surely_above(0.9)
    assert Counts(600, 570).surely_above(0.9)
    assert not Counts(0, 0).surely_above(0.01)


def test_a_run_is_explained_by_others_of_which_so_many_are_marked_too() -> None:
    """Twenty failures in a row are nothing special where six of ten fail, and sixty are."""
    assert Counts(320, 200).explains(20)
    assert not Counts(360, 240).explains(60)
    assert not Counts(320, 20).explains(20)
    assert not Counts(30, 28).explains(20)  # too few others to tell
    assert not Counts(20, 18).explains(30)  # some of the run are older than what is counted


def test_one_who_is_asked_to_wait_is_not_everybody_and_two_in_a_row_are() -> None:
    asks = Asks(SPAN)
    assert not asks.asked(0.0, posts=1)
    asks.accepted()
    assert not asks.asked(1.0, posts=3)
    assert asks.asked(2.0, posts=4)


@pytest.mark.parametrize(("every", "all_are_meant"), [(100, False), (40, False), (8, True), (3, True)])
def test_a_share_that_is_asked_to_wait_is_everybody(every: int, all_are_meant: bool) -> None:
    """One or two and a half per cent are not, an eighth is."""
    asks = Asks(SPAN)
    said = []
    for n in range(1, 1001):
        if n % every:
            asks.accepted()
        else:
            said.append(asks.asked(n / 100, posts=n))
    assert any(said) == all_are_meant
