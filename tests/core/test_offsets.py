"""The offset tracker against a naive model, and its laws."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.core.offsets import OffsetTracker, Run


class AgainstANaiveModel(RuleBasedStateMachine):
    """Whatever order records start and finish in, the tracker says what a list of all of them would say."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = OffsetTracker(100)
        self.finished: dict[int, bool] = {}
        self.next = 100
        self.highest_committable = 100

    @rule(gap=st.integers(0, 3))
    def start(self, gap: int) -> None:
        offset = self.next + gap
        self.tracker.start(offset)
        self.finished[offset] = False
        self.next = offset + 1

    @precondition(lambda self: not all(self.finished.values()))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from([o for o, done in self.finished.items() if not done]))
        self.tracker.finish(offset)
        self.finished[offset] = True

    @invariant()
    def committable_is_the_lowest_unfinished_or_the_end(self) -> None:
        unfinished = [offset for offset, done in self.finished.items() if not done]
        assert self.tracker.committable == min(unfinished, default=self.next)

    @invariant()
    def committable_never_goes_down(self) -> None:
        assert self.tracker.committable >= self.highest_committable
        self.highest_committable = self.tracker.committable

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        assert self.tracker.settled == sum(self.finished.values())
        assert self.tracker.unfinished == len(self.finished) - sum(self.finished.values())
        prefix = [offset for offset in self.finished if offset < self.tracker.committable]
        assert self.tracker.settled_in_prefix == len(prefix)

    @invariant()
    def runs_cover_exactly_what_is_settled_ahead(self) -> None:
        progress = self.tracker.progress()
        covered = {o for o in self.finished if any(run.first <= o <= run.last for run in progress.ahead)}
        assert covered == {o for o, done in self.finished.items() if done and o >= progress.committable}


TestAgainstANaiveModel = AgainstANaiveModel.TestCase


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True), st.randoms())
def test_finishing_all_in_any_order_reaches_the_end(offsets: list[int], random: Random) -> None:
    """After every started record is finished, the offset after the last one may be committed."""
    tracker = OffsetTracker(0)
    for offset in sorted(offsets):
        tracker.start(offset)
    random.shuffle(offsets)
    for offset in offsets:
        tracker.finish(offset)
    assert tracker.progress() == (max(offsets) + 1, (), len(offsets))


def test_an_offset_cannot_start_twice() -> None:
    """A record that is offered twice is refused, or it could be posted twice."""
    tracker = OffsetTracker(5)
    tracker.start(5)
    with pytest.raises(ValueError, match="started already"):
        tracker.start(5)


@pytest.mark.parametrize("offset", [4, 5, 7, 8])
def test_only_an_open_offset_can_finish(offset: int) -> None:
    """Finishing what never started, or finished already, is refused."""
    tracker = OffsetTracker(5)
    for started in (5, 6, 7):
        tracker.start(started)
    tracker.finish(5)
    tracker.finish(7)
    with pytest.raises(ValueError, match="not open"):
        tracker.finish(offset)


def test_a_gap_of_the_log_does_not_end_a_run() -> None:
    """Offsets that do not exist are never offered, so a run may go over them."""
    tracker = OffsetTracker(0)
    for offset in (0, 1, 5, 9):
        tracker.start(offset)
    for offset in (1, 5):
        tracker.finish(offset)
    assert tracker.progress().ahead == (Run(1, 5),)


def test_its_repr_tells_what_is_open() -> None:
    """A failing test and a debugger show counts, not memory addresses."""
    tracker = OffsetTracker(3)
    tracker.start(3)
    assert repr(tracker) == "OffsetTracker(committable=3, open=1, ahead=0)"
