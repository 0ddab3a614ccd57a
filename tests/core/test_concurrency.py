"""The limit on posts under way: it stays within its bounds, and finds where more of them only wait."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.concurrency.scenarios import SCENARIOS, Scenario, phases
from benchmarks.concurrency.simulation import Load, Process, Simulation, Vendor
from connector.core.concurrency import Adaptive, Fixed
from connector.simulator.scenario import Latency, Lognormal, Uniform

FLOOR, CEILING = 2, 50
seconds = st.floats(0, 60)
steps = st.tuples(st.sampled_from(["answered", "refused", "failed"]), st.floats(0, 5), seconds, st.integers(1, 60))


def tell(limit: Adaptive, what: str, now: float, took: float, under_way: int) -> None:
    if what == "answered":
        limit.answered(now, took, under_way)
    elif what == "refused":
        limit.refused(now, took)
    else:
        limit.failed(now, took)


@given(st.lists(steps, max_size=400))
def test_whatever_is_answered_the_limit_stays_within_its_bounds(story: list[tuple[str, float, float, int]]) -> None:
    """And a refusal or a failure never raises it."""
    limit, now = Adaptive(FLOOR, CEILING), 0.0
    for what, pause, took, under_way in story:
        now += pause
        before = limit.limit
        tell(limit, what, now, took, under_way)
        assert FLOOR <= limit.limit <= CEILING
        assert what == "answered" or limit.limit <= before


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 0.1), st.floats(0.001, 0.05)), min_size=100, max_size=300))
def test_posts_that_do_not_use_the_limit_do_not_raise_it(story: list[tuple[float, float]]) -> None:
    """Nothing is known of what more of them would do."""
    limit, now = Adaptive(1, 64), 0.0
    first = limit.limit
    for pause, took in story:
        now += pause
        limit.answered(now, took, under_way=first // 2)
    assert limit.limit <= first


def test_posts_that_are_kept_back_by_a_part_of_the_limit_raise_it() -> None:
    """As those do that use all of it: one service alone never has more than its part."""
    limit, now = Adaptive(1, 64), 0.0
    for _ in range(2000):
        now += 0.01
        limit.answered(now, 0.02, under_way=limit.limit // 2, kept_back=True)
    assert limit.limit == 64


def test_a_fixed_limit_learns_nothing() -> None:
    limit = Fixed(7)
    limit.answered(1.0, 0.1, 7)
    limit.refused(1.0, 0.1)
    limit.failed(1.0, 0.1)
    assert limit.limit == 7


def test_refusals_of_one_round_trip_count_once() -> None:
    """A burst of 429s is one message."""
    limit = Adaptive(1, 64)
    for _ in range(8):
        limit.refused(1.0, 0.02)
    assert limit.limit == 7
    for _ in range(8):
        limit.refused(1.1, 0.02)
    assert limit.limit == 4


def test_a_refusal_now_and_then_changes_nothing() -> None:
    """One end user may get too many texts; one in a hundred, and it is the posts."""
    rare, often, now = Adaptive(1, 64), Adaptive(1, 64), 0.0
    for number in range(1, 20_000):
        now += 0.001
        for limit, share in ((rare, 500), (often, 25)):
            if number % share:
                limit.answered(now, 0.02, limit.limit)
            else:
                limit.refused(now, 0.02)
    assert rare.limit == 64
    assert often.limit < 20


def test_some_failures_are_made_by_every_day() -> None:
    """A twentieth of the answers: nobody posts less for them."""
    limit, now = Adaptive(1, 64), 0.0
    for number in range(4000):
        now += 0.001
        if number % 20:
            limit.answered(now, 0.02, limit.limit)
        else:
            limit.failed(now, 0.02)
    assert limit.limit == 64


def test_a_vendor_that_hangs_is_posted_to_by_few() -> None:
    """Each time-out says so, as long as they are many."""
    limit = Adaptive(1, 64)
    for _ in range(40):
        limit.failed(30.0, 30.0)
    assert limit.limit < 10


def test_what_our_own_loop_takes_is_no_queue_at_the_vendor() -> None:
    """Five milliseconds with many under way are as good as one with few."""
    limit, now = Adaptive(1, 64), 0.0
    for _ in range(4000):
        now += 0.0001
        limit.answered(now, limit.limit * 0.0001, limit.limit)
    assert limit.limit == 64


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scenario", SCENARIOS[:3], ids=lambda scenario: scenario.name)
def test_it_finds_the_knee_of_a_vendor_whose_capacity_changes(scenario: Scenario, seed: int) -> None:
    """500 requests a second, then 50, then 500: from 10 s after each step 90 % of it, and failures below 1 %."""
    for phase in phases(scenario, lambda: Adaptive(1, 64), seed):
        assert phase.used >= 0.9
        assert phase.failed < 0.01


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("ceiling", [64, 1000])
@pytest.mark.parametrize("times", [Uniform(low=0.01, high=0.2), Lognormal(p50=0.1, p99=0.6)], ids=["even", "long tail"])
def test_times_that_scatter_are_not_taken_for_a_queue(times: Latency, ceiling: int, seed: int) -> None:
    """However many are under way: the quickest of them answer first, and a few answers have a mean of their own."""
    vendor = Vendor(((0.0, 2 * ceiling),), ((0.0, times),))
    processes = [Process(Adaptive(1, ceiling), 0.0, slow_start=True)]
    answers = Simulation(vendor, processes, Load(), seed).run(40.0)
    used = sum(answer.at >= 30.0 for answer in answers) / (10 * vendor.capacity_at(0.0, ceiling))
    assert used >= 0.8


@pytest.mark.parametrize("scenario", SCENARIOS[5:9], ids=lambda scenario: scenario.name)
def test_it_is_near_what_the_vendor_can_do_on_every_other_day(scenario: Scenario) -> None:
    """Slower answers, three processes, a bound, failures."""
    for phase in phases(scenario, lambda: Adaptive(1, 64), seed=1):
        assert phase.used >= 0.75
        assert phase.failed < 0.06


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("times", [Lognormal(p50=0.5, p99=1.0), Lognormal(p50=0.5, p99=3.0)], ids=["some", "long tail"])
def test_a_vendor_that_becomes_ten_times_slower_is_not_taken_for_a_queue(times: Lognormal, seed: int) -> None:
    """From 30 s on as many are under way as before: with half of them each took as long."""
    quick = Lognormal(p50=times.p50 / 10, p99=times.p99 / 10)
    vendor = Vendor(((0.0, 200),), ((0.0, quick), (60.0, times)))
    answers = Simulation(vendor, [Process(Adaptive(1, 64), 0.0, slow_start=True)], Load(), seed).run(150.0)
    used = sum(answer.work for answer in answers if answer.at >= 90.0) / (60 * vendor.capacity_at(90.0, 64))
    assert used >= 0.85


@pytest.mark.parametrize("seed", range(3))
def test_at_its_ceiling_a_window_counts_slow_answers_too(seed: int) -> None:
    """If it counted only what was posted since it began, it would see the quickest, and then a queue where none is."""
    vendor = Vendor(((0.0, 200),), ((0.0, Lognormal(p50=0.05, p99=0.3)),))
    simulation = Simulation(vendor, [Process(Adaptive(1, 64), 0.0, slow_start=True)], Load(), seed)
    simulation.run(150.0)
    assert min(limit for at, _, limit in simulation.limits if at >= 30.0) >= 32, "no less than a look"
