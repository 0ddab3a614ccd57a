"""The rate: never more than it allows in any while, and waiting what it says is enough."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.pace import LATENESS, Bucket, Part, share_of

rates = st.floats(0.01, 5_000)
pauses = st.lists(st.floats(0, 3), min_size=1, max_size=60)


@given(rates, pauses)
def test_no_window_has_more_than_the_rate(rate: float, idle: list[float]) -> None:
    """Who waits what it says, and rests now and then, keeps the rate in every window between two requests."""
    bucket, now, sent = Bucket(rate), 0.0, []
    for pause in idle:
        now += pause
        now += bucket.wait(now)
        bucket.take(now)
        sent.append(now)
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = 1 + rate * (sent[last] - start + LATENESS)
            assert last - first + 1 <= allowed + 1e-6 * (1 + allowed)


@given(rates, st.floats(0, 1e6))
def test_waiting_what_it_says_is_enough(rate: float, now: float) -> None:
    """And a bucket that was never used lets one go at once."""
    bucket = Bucket(rate)
    assert bucket.wait(now) == 0
    for _ in range(5):
        wait = bucket.wait(now)
        assert bucket.wait(now + wait) <= 1e-9 * max(1.0, now)
        now += wait
        bucket.take(now)


def test_requests_are_spaced_evenly() -> None:
    """Within what a timer may be late."""
    bucket, now, sent = Bucket(10), 0.0, []
    for _ in range(5):
        now += bucket.wait(now)
        bucket.take(now)
        sent.append(now)
    assert [later - earlier for earlier, later in pairwise(sent[1:])] == pytest.approx([0.1] * 3)


def test_a_timer_that_rings_late_costs_nothing_of_a_high_rate() -> None:
    """5000 a second, asked every millisecond: all of them go."""
    bucket, sent = Bucket(5000), 0
    for tick in range(1000):
        while bucket.wait(tick / 1000) == 0:
            bucket.take(tick / 1000)
            sent += 1
    assert sent == pytest.approx(5000, rel=0.01)


def test_another_rate_counts_from_the_next_request_on() -> None:
    """What went before is not forgotten: a change of the share is no fresh burst."""
    bucket = Bucket(1)
    bucket.take(0.0)
    bucket.set(100)
    assert bucket.wait(0.0) == pytest.approx(1 - LATENESS)


deals = st.integers(1, 8).flatmap(
    lambda processes: st.tuples(
        st.just(processes),
        st.lists(st.integers(0, processes), min_size=1, max_size=20),
        st.lists(st.integers(0, processes), max_size=20),
    )
)
"""Processes, and who has each partition of the main and of the retry topics: number 0 is nobody."""


@given(deals)
def test_the_shares_of_all_processes_are_never_more_than_the_whole(deal: tuple[int, list[int], list[int]]) -> None:
    """However the partitions lie, also while some of them move."""
    assert sum(_shares(*deal)) <= 1 + 1e-9


@given(deals)
def test_whoever_has_the_main_topic_reaches_95_percent(deal: tuple[int, list[int], list[int]]) -> None:
    """Though those who have retries only leave their part unused."""
    processes, main, retry = deal
    main = [max(owner, 1) for owner in main]
    shares = _shares(processes, main, retry)
    assert sum(share for process, share in enumerate(shares, 1) if process in main) >= 0.95


def _shares(processes: int, main: list[int], retry: list[int]) -> list[float]:
    return [
        share_of(Part(main.count(process), len(main)), Part(retry.count(process), len(retry)))
        for process in range(1, processes + 1)
    ]
