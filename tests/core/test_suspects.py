"""Who is refused alone: nobody is condemned unless others passed after each of its refusals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.suspects import WAITS, Judged, Suspects


def test_a_record_that_is_refused_while_others_pass_is_the_culprit_in_the_end() -> None:
    """Once for the hold, and once more after each wait."""
    suspects: Suspects[str] = Suspects()
    assert suspects.refused("a", 1.0)
    for turn, wait in enumerate(WAITS, 1):
        assert list(suspects.passed("b", began=10.0 * turn)) == [Judged("a", wait)]
        assert not suspects.refused("a", 10.0 * turn + 1)
    assert list(suspects.passed("b", began=100.0)) == [Judged("a", None)]
    assert suspects.refusals("a") == len(WAITS) + 1


def test_a_post_that_began_before_the_refusal_is_no_witness() -> None:
    """The credentials may have become wrong in between."""
    suspects: Suspects[str] = Suspects()
    suspects.refused("a", 5.0)
    assert list(suspects.passed("b", began=4.9)) == []
    assert suspects.refused("a", 6.0)


def test_nobody_is_its_own_witness() -> None:
    suspects: Suspects[str] = Suspects()
    suspects.refused("a", 1.0)
    assert list(suspects.passed("a", began=2.0)) == []
    assert not suspects


def test_one_that_was_answered_otherwise_is_no_suspect_any_more() -> None:
    suspects: Suspects[str] = Suspects()
    suspects.refused("a", 1.0)
    suspects.acquit("a")
    suspects.acquit("never")
    assert (len(suspects), suspects.refusals("a")) == (0, 0)


def test_those_that_left_are_forgotten() -> None:
    suspects: Suspects[str] = Suspects()
    suspects.refused("a", 1.0)
    suspects.refused("b", 1.0)
    suspects.forget(lambda one: one == "a")
    assert [suspects.refusals(one) for one in "ab"] == [0, 1]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.floats(0, 2)), max_size=80))
def test_nobody_is_condemned_without_a_witness_for_each_refusal(story: list[tuple[bool, str, float]]) -> None:
    """Refusals and passes in any order: a culprit was refused often enough, and others passed after each time."""
    suspects: Suspects[str] = Suspects()
    now = 0.0
    witnessed: dict[str, int] = {}
    open_refusal: dict[str, float] = {}
    for passes, who, pause in story:
        now += pause
        if not passes:
            suspects.refused(who, now)
            open_refusal[who] = now
            continue
        for other, at in list(open_refusal.items()):
            if other != who and at <= now:
                witnessed[other] = witnessed.get(other, 0) + 1
                del open_refusal[other]
        open_refusal.pop(who, None)
        witnessed.pop(who, None)
        for suspect, wait in suspects.passed(who, now):
            assert (wait is None) == (witnessed[suspect] > len(WAITS))
