"""The offset tracker against a naive model, and its laws."""

from __future__ import annotations

import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.core.offsets import OffsetTracker
from connector.core.settled_map import LogIdentity, Run, decode, encode, read


class AgainstANaiveModel(RuleBasedStateMachine):
    """Whatever order records start and finish in, and however often the partition changes hands, the tracker says
    what a list of all records would say."""

    def __init__(self) -> None:
        super().__init__()
        self.log: dict[int, int] = {}
        self.end = 100
        self.epoch = 0
        self.settled: set[int] = set()
        self.left = (100, "")
        self.settled_when_left: set[int] = set()
        self._assign()

    def _assign(self) -> None:
        base, text = self.left
        known = decode(text, base, IDENTITY, self.end)
        assert isinstance(known, tuple)
        self.tracker = OffsetTracker(base, known)
        self.finished: dict[int, bool] = {}
        self.next = self.highest_committable = base

    @rule(gap=st.integers(0, 3), elected=st.booleans())
    def append(self, gap: int, elected: bool) -> None:
        """The log grows; now and then under a new leader."""
        self.epoch += elected
        self.log[self.end + gap] = self.epoch
        self.end += gap + 1

    @precondition(lambda self: self._unread())
    @rule()
    def take(self) -> None:
        """Started; and finished at once when it was settled before."""
        offset = self._unread()[0]
        skip = self.tracker.is_settled(offset, self.log[offset])
        # Offered again, it would be posted twice; skipped without having been settled, never.
        assert skip == (offset in self.settled_when_left)
        self.tracker.start(offset, self.log[offset])
        self.finished[offset] = skip
        if skip:
            self.tracker.finish(offset)
        self.next = offset + 1

    @precondition(lambda self: not self._unread())
    @rule(gap=st.integers(0, 3))
    def pass_over(self, gap: int) -> None:
        """The log's end is read, and there is no record between it and the last one."""
        self.end += gap
        self.tracker.pass_over(self.end)
        self.next = max(self.next, self.end)

    @precondition(lambda self: not all(self.finished.values()))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from([o for o, done in self.finished.items() if not done]))
        self.tracker.finish(offset)
        self.finished[offset] = True
        self.settled.add(offset)

    @rule()
    def commit(self) -> None:
        """Acknowledged."""
        progress = self.tracker.progress()
        text, _ = encode(progress.committable, progress.ahead, IDENTITY)
        self.left = (progress.committable, text)
        self.settled_when_left = set(self.settled)

    @rule()
    def crash(self) -> None:
        """The next owner has what the last acknowledged commit says, and nothing else."""
        self.settled = set(self.settled_when_left)
        self._assign()

    @precondition(lambda self: self.next < self.end)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        """An unclean election: the log's end is gone, and other records come under the same offsets."""
        end = data.draw(st.integers(self.next, self.end))
        gone = {offset for offset in self.log if offset >= end}
        self.log = {offset: epoch for offset, epoch in self.log.items() if offset < end}
        self.epoch += 1
        for offset in range(end, self.end):
            self.log[offset] = self.epoch
        self.settled -= gone
        self.settled_when_left -= gone

    def _unread(self) -> list[int]:
        return [offset for offset in self.log if offset >= self.next]

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
        for run, count in zip(progress.ahead, progress.counts, strict=True):
            inside = [offset for offset in self.finished if run.first <= offset <= run.last]
            assert len(inside) == count
            assert {self.log[offset] for offset in inside} <= {run.epoch}


IDENTITY = LogIdentity("cluster", "topic")
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
    assert tracker.progress() == (max(offsets) + 1, (), ())
    assert tracker.settled == len(offsets)


@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 40))), max_size=8))
def test_what_was_settled_stays_settled_over_any_number_of_owners(owners: list[tuple[int, set[int]]]) -> None:
    """Each owner takes some records, settles some of those and commits once; none is offered to two who settled it."""
    base, text = 0, ""
    settled: set[int] = set()
    for taken, wanted in owners:
        known = decode(text, base, IDENTITY, 1000)
        assert isinstance(known, tuple)
        tracker = OffsetTracker(base, known)
        for offset in range(base, base + taken):
            skip = tracker.is_settled(offset, 1)
            assert skip == (offset in settled)
            tracker.start(offset, 1)
            if skip or offset in wanted:
                tracker.finish(offset)
                settled.add(offset)
        base, ahead, _ = tracker.progress()
        text, _ = encode(base, ahead, IDENTITY)
    assert {offset for run in ahead_of(text) for offset in range(run.first, run.last + 1)} == {
        offset for offset in settled if offset >= base
    }


def ahead_of(text: str) -> tuple[Run, ...]:
    """The runs of a text of ours."""
    found = read(text) if text else None
    assert not isinstance(found, str)
    return () if found is None else found.runs


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
    """Offsets that do not exist are never offered, so a run may go over them, up to the next unfinished record."""
    tracker = OffsetTracker(0)
    for offset in (0, 1, 5, 9):
        tracker.start(offset, 3)
    for offset in (1, 5):
        tracker.finish(offset)
    assert tracker.progress().ahead == (Run(1, 8, 3),)
    assert tracker.progress().counts == (2,)


def test_what_was_known_and_is_not_reached_yet_stays_in_the_map() -> None:
    """Else the second crash in a row would repeat what the first one did not."""
    tracker = OffsetTracker(10, (Run(11, 20, 3), Run(30, 40, 3)))
    for offset in (10, 11, 12):
        tracker.start(offset, 3)
    for offset in (11, 12):
        tracker.finish(offset)
    assert tracker.progress() == (10, (Run(11, 20, 3), Run(30, 40, 3)), (2, 0))


def test_a_record_of_another_epoch_was_not_settled() -> None:
    """The log was cut and written anew: another record is at the same offset."""
    tracker = OffsetTracker(10, (Run(11, 20, 3),))
    assert not tracker.is_settled(11, 4)
    assert not tracker.is_settled(11, -1)
    assert tracker.is_settled(11, 3)


def test_a_new_leader_begins_a_new_run() -> None:
    """A run has one epoch; one that begins behind a gap begins where its first record is."""
    tracker = OffsetTracker(0)
    for offset, epoch in ((0, 1), (1, 1), (2, 2), (3, 2), (6, 3), (7, 3)):
        tracker.start(offset, epoch)
    for offset in (1, 2, 6, 7):
        tracker.finish(offset)
    assert tracker.progress().ahead == (Run(1, 1, 1), Run(2, 2, 2), Run(6, 7, 3))
    assert tracker.progress().counts == (1, 1, 2)


def test_nothing_beyond_the_last_known_run_was_known() -> None:
    """What fills a hole of the map makes it smaller; what comes behind it makes it longer."""
    tracker = OffsetTracker(10, (Run(12, 20, 3),))
    assert [tracker.is_beyond_known(offset) for offset in (11, 20, 21)] == [False, False, True]
    assert OffsetTracker(10).is_beyond_known(10)


def test_memory_does_not_grow_with_what_is_settled_ahead() -> None:
    """A record that takes an hour at the head must not cost a list of all that was posted meanwhile."""
    tracker = OffsetTracker(0)
    tracker.start(0, 1)
    for offset in range(1, 50_000):
        tracker.start(offset, 1)
        tracker.finish(offset)
    assert tracker.progress().ahead == (Run(1, 49_999, 1),)
    assert sys.getsizeof(tracker._open) + sys.getsizeof(tracker._ordinals) < 1000


def test_its_repr_tells_what_is_open() -> None:
    """A failing test and a debugger show counts, not memory addresses."""
    tracker = OffsetTracker(3)
    tracker.start(3)
    assert repr(tracker) == "OffsetTracker(committable=3, open=1, settled=0)"


def test_news_is_what_a_commit_would_say() -> None:
    tracker = OffsetTracker(5, (Run(7, 7, 1),))
    assert (tracker.has_news, tracker.knows_more) == (False, True)
    tracker.start(5, 1)
    tracker.finish(5)
    assert tracker.has_news
    assert not tracker.is_settled(8, 1)
    assert not tracker.knows_more, "nothing at 7 will come any more"


def test_an_epoch_is_forgotten_with_the_last_of_its_records() -> None:
    tracker = OffsetTracker(0)
    for offset, epoch in ((0, 1), (1, 2), (2, 2)):
        tracker.start(offset, epoch)
    tracker.finish(2)
    assert tracker.progress().ahead == (Run(2, 2, 2),)
    tracker.finish(0)
    assert tracker.progress() == (1, (Run(2, 2, 2),), (1,))
    assert [each.epoch for each in tracker._epochs] == [2]
