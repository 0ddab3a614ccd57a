"""Who is refused alone: a record is not poison unless others passed after each of its refusals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.poison import WAITS, PoisonIsolation, Verdict


def test_a_record_that_is_refused_while_others_pass_is_poison_in_the_end() -> None:
    """Once for the hold, and once more after each wait."""
    poison: PoisonIsolation[str] = PoisonIsolation()
    assert poison.refused("a", 1.0)
    for turn, wait in enumerate(WAITS, 1):
        assert list(poison.passed("b", began=10.0 * turn)) == [Verdict("a", wait)]
        assert not poison.refused("a", 10.0 * turn + 1)
    assert list(poison.passed("b", began=100.0)) == [Verdict("a", None)]
    assert poison.refusals("a") == len(WAITS) + 1


def test_a_post_that_began_before_the_refusal_proves_nothing() -> None:
    """The credentials may have become wrong in between."""
    poison: PoisonIsolation[str] = PoisonIsolation()
    poison.refused("a", 5.0)
    assert list(poison.passed("b", began=4.9)) == []
    assert poison.refused("a", 6.0)


def test_no_record_proves_itself_refused_alone() -> None:
    poison: PoisonIsolation[str] = PoisonIsolation()
    poison.refused("a", 1.0)
    assert list(poison.passed("a", began=2.0)) == []
    assert not poison


def test_one_that_was_answered_otherwise_is_refused_no_more() -> None:
    poison: PoisonIsolation[str] = PoisonIsolation()
    poison.refused("a", 1.0)
    poison.clear("a")
    poison.clear("never")
    assert (len(poison), poison.refusals("a")) == (0, 0)


def test_those_that_left_are_forgotten() -> None:
    poison: PoisonIsolation[str] = PoisonIsolation()
    poison.refused("a", 1.0)
    poison.refused("b", 1.0)
    poison.forget(lambda one: one == "a")
    assert [poison.refusals(one) for one in "ab"] == [0, 1]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.floats(0, 2)), max_size=80))
def test_no_record_is_poison_unless_others_passed_after_each_refusal(story: list[tuple[bool, str, float]]) -> None:
    """Refusals and passes in any order: poison was refused often enough, and others passed after each time."""
    poison: PoisonIsolation[str] = PoisonIsolation()
    now = 0.0
    others_passed: dict[str, int] = {}
    open_refusal: dict[str, float] = {}
    for passes, who, pause in story:
        now += pause
        if not passes:
            poison.refused(who, now)
            open_refusal[who] = now
            continue
        for other, at in list(open_refusal.items()):
            if other != who and at <= now:
                others_passed[other] = others_passed.get(other, 0) + 1
                del open_refusal[other]
        open_refusal.pop(who, None)
        others_passed.pop(who, None)
        for refused, wait in poison.passed(who, now):
            assert (wait is None) == (others_passed[refused] > len(WAITS))
