"""When one record is tried, and which one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Partition
from connector.core.tries import Intervals, Tried, Tries

INTERVALS = Intervals(30.0, 900.0)
chances = st.floats(0, 1, exclude_max=True)
A, B, C = (Partition("invocations", number) for number in range(3))


def waits(chance: float, count: int) -> list[float]:
    tries, now, seen = Tries(INTERVALS, 0.0, chance), 0.0, []
    for _ in range(count):
        seen.append(tries.due - now)
        now = tries.due
        tries.failed(now, now, chance)
    return seen


def test_waits_double_from_the_first_to_the_longest() -> None:
    assert waits(0.5, 8) == pytest.approx([30, 60, 120, 240, 480, 900, 900, 900])


@given(chances)
def test_waits_scatter_by_a_fifth_so_that_pods_do_not_try_together(chance: float) -> None:
    for wait, middle in zip(waits(chance, 6), waits(0.5, 6), strict=True):
        assert 0.8 * middle - 1e-6 <= wait <= 1.2 * middle + 1e-6


def test_what_changed_makes_the_next_try_due_now_and_never_later() -> None:
    tries = Tries(INTERVALS, 0.0, 0.5)
    tries.at_once(10.0)
    assert tries.due == 10.0
    tries.at_once(20.0)
    assert tries.due == 10.0


def test_a_try_from_before_a_change_does_not_put_off_the_next_one() -> None:
    """Its answer is to the old password."""
    tries = Tries(INTERVALS, 0.0, 0.5)
    tries.at_once(31.0)
    tries.failed(30.0, 32.0, 0.5)
    assert tries.due <= 31.0
    tries.failed(33.0, 34.0, 0.5)
    assert tries.due == 94.0


def test_a_first_try_of_others_at_once_is_followed_by_the_usual_waits() -> None:
    """Whoever was refused waits for as long as ever."""
    tries = Tries(INTERVALS, 5.0, 0.5, others_at_once=True)
    assert (tries.due_for_others, tries.due) == (5.0, 35.0)
    tries.failed(5.0, 6.0, 0.5)
    assert (tries.due_for_others, tries.due, tries.made) == (36.0, 36.0, 1)


@given(st.booleans(), st.lists(st.tuples(st.floats(0, 1000), st.booleans(), chances)))
def test_others_never_wait_longer_than_who_was_refused(at_once: bool, steps: list[tuple[float, bool, float]]) -> None:
    now, tries = 0.0, Tries(INTERVALS, 0.0, 0.5, others_at_once=at_once)
    for wait, changed, chance in steps:
        now += wait
        if changed:
            tries.at_once(now)
        else:
            tries.failed(now, now, chance)
        assert tries.due_for_others <= tries.due


def test_what_was_never_tried_comes_before_what_was_tried_long_ago() -> None:
    tried = Tried()
    tried.note(A, "0A")
    tried.note(B, "0B")
    candidates = [(B, "0B"), (A, "0A"), (B, "0C"), (C, "0C")]
    assert sorted(candidates, key=lambda one: tried.rank(*one)) == [(C, "0C"), (B, "0C"), (A, "0A"), (B, "0B")]


def test_a_trickle_tries_three_at_a_time_at_waits_that_do_not_grow_until_it_is_in_vain() -> None:
    """Then it goes on one by one at growing waits, as for an endpoint where nothing passes."""
    tries = Tries(Intervals(2.0, 30.0), 0.0, 0.5, trickle=6)
    now, seen = 0.0, []
    for _ in range(9):
        seen.append(tries.due - now)
        now = tries.due
        tries.failed(now, now, 0.5)
    assert seen == [2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 4.0, 8.0]
