"""What counts as uncommitted: answered, and neither below an acknowledged commit's offset nor in its map."""

from __future__ import annotations

import io
from collections.abc import Mapping
from random import Random

import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Partition, Record
from connector.core.schedule import RetryPlan
from connector.core.settled_map import LogIdentity, Run, SettledMap, encode, read
from connector.core.signals import Commit, Committed
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import A_RUN, AT_MOST_OF_THE_TIME, CADENCE, ENOUGH, FIRST_BACKOFF, SLOW, Commits
from connector.engine.context import Context
from connector.engine.messages import Effect, SendCommit
from connector.engine.partition import Assignment
from connector.engine.timers import Now, Timers
from connector.engine.turns import Turns
from connector.observe.events import Events
from connector.observe.metrics import Metrics

PLACE = Partition("invocations", 0)
BOUND = 500
IDENTITY = LogIdentity("cluster", "topic")


def plain(offset: int) -> Commit:
    """A commit with nothing settled ahead of it: it names its log."""
    return Commit(offset, encode(offset, (), IDENTITY)[0])


class Desk:
    """The commits of one partition, from offset 0 on with `known` settled before."""

    def __init__(self, *known: Run) -> None:
        now = Now()
        self.now, self.timers, self.outbox = now, Timers(now), list[Effect]()
        logger = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()))
        events = Events(Metrics(), logger, log_accepted=False)
        budget = Budget(1000, 1 << 20, 8)
        context = Context(now, self.timers, self.outbox, events)
        self.committer = Commits(BOUND, Blocks(Turns(), budget, RetryPlan(1, 1), context), context)
        committed = Commit(0, encode(0, known, IDENTITY)[0])
        self.assignment = Assignment(PLACE, committed, delayed=False, identity=IDENTITY, known=known)

    @property
    def commits(self) -> list[Mapping[Partition, Commit]]:
        """What was to be committed."""
        return [effect.offsets for effect in self.outbox if isinstance(effect, SendCommit)]

    def wait(self, seconds: float) -> None:
        """Let time pass, from one deadline to the next."""
        end = self.now.seconds + seconds
        self.timers.ring()
        while self.timers.first <= end:
            self.now.seconds = self.timers.first
            self.timers.ring()
        self.now.seconds = end

    def take(self, offset: int) -> None:
        """Start a record."""
        self.assignment.tracker.start(offset, 1)

    def settle(self, *offsets: int) -> None:
        """Finish records."""
        for offset in offsets:
            self.assignment.tracker.finish(offset)
            self.committer.settled(self.assignment)

    def work(self, records: int) -> None:
        """Take the next records and settle them."""
        first = self.assignment.tracker.committable
        for offset in range(first, first + records):
            self.take(offset)
            self.settle(offset)

    def skip(self, offset: int) -> None:
        """A record that was settled before."""
        self.take(offset)
        self.assignment.tracker.finish(offset)
        self.committer.skipped(self.assignment, Record(PLACE, offset, None, None, None, (), 1))

    def full(self) -> bool:
        """Whether posting has to wait."""
        return self.committer.full

    def answer(self, error: str | None = None) -> None:
        """The broker's word on the last commit."""
        offsets = {partition: commit.offset for partition, commit in self.commits[-1].items()}
        self.committer.answered(Committed(offsets, error))


def covered_by(commit: Commit) -> set[int]:
    """The offsets that whoever gets this commit does not post."""
    found = read(commit.metadata) if commit.metadata else None
    runs = found.runs if isinstance(found, SettledMap) else ()
    return set(range(commit.offset)).union(*(range(run.first, run.last + 1) for run in runs))


@given(st.integers(0, 1 << 32))
def test_what_counts_as_uncommitted_is_what_the_last_acknowledged_commit_does_not_cover(seed: int) -> None:
    """Also when a shorter map took a longer one's place. One commit is under way at a time, and none passes a record
    that is not settled."""
    desk, chance = Desk(), Random(seed)
    taken, settled, covered, answered = 0, set[int](), set[int](), 0
    for _ in range(400):
        what = chance.choice(("take", "take", "settle", "settle", "wait", "answer"))
        if what == "take":
            desk.take(taken)
            taken += 1
        elif what == "settle" and (unsettled := sorted(set(range(taken)) - settled)):
            offset = chance.choice(unsettled)
            settled.add(offset)
            desk.settle(offset)
        elif what == "wait":
            desk.wait(chance.choice((0.001, CADENCE, 10.0)))
        elif what == "answer" and len(desk.commits) > answered:
            answered += 1
            commit = desk.commits[-1][PLACE]
            error = chance.choice((None, None, None, "offset_metadata_too_large", "coordinator_not_available"))
            if error is None:
                covered = covered_by(commit)
            desk.answer(error)
        assert len(desk.commits) - answered <= 1
        assert all(covered_by(sent[PLACE]) <= settled for sent in desk.commits[answered:])
        assert desk.committer.uncommitted == len(settled - covered)


def test_what_an_acknowledged_map_covers_is_committed() -> None:
    """And what was settled after it was sent is not."""
    desk = Desk()
    for offset in range(5):
        desk.take(offset)
    desk.settle(2, 3)
    desk.wait(CADENCE * 2)
    desk.settle(4)
    assert desk.committer.uncommitted == 3
    desk.answer()
    assert desk.committer.uncommitted == 1
    assert desk.assignment.uncovered == 1


def test_after_a_refusal_a_tenth_of_the_bound_may_be_uncommitted_until_a_commit_is_taken() -> None:
    """Whoever is refused may have lost its place, and then all that it posts is posted again by somebody else."""
    desk = Desk()
    desk.take(0)
    desk.settle(0)
    desk.wait(CADENCE * 2)
    assert not desk.full()
    desk.answer("rebalance_in_progress")
    assert not desk.full()
    for offset in range(1, BOUND // 10):
        desk.take(offset)
        desk.settle(offset)
    assert desk.full()
    desk.wait(1)
    desk.answer()
    assert not desk.full()


def test_a_commit_that_is_not_answered_within_a_second_is_in_doubt() -> None:
    desk = Desk()
    for offset in range(BOUND // 10):
        desk.take(offset)
        desk.settle(offset)
    desk.wait(SLOW - CADENCE)
    assert not desk.full()
    desk.wait(CADENCE * 2)
    assert desk.full()
    desk.answer()
    assert not desk.full()


def test_a_refused_commit_covers_nothing() -> None:
    """It is tried again with what is settled by then."""
    desk = Desk()
    desk.take(0)
    desk.settle(0)
    desk.wait(CADENCE * 2)
    desk.answer("coordinator_not_available")
    assert desk.committer.uncommitted == 1
    desk.wait(1)
    assert len(desk.commits) == 2
    desk.answer()
    assert desk.committer.uncommitted == 0


def test_an_answer_that_comes_after_its_partition_went_counts_for_nothing() -> None:
    """What was uncommitted left with the partition; it must not be taken off twice."""
    desk = Desk()
    desk.take(0)
    desk.take(1)
    desk.settle(1)
    desk.wait(CADENCE * 2)
    desk.settle(0)
    desk.committer.forget(desk.assignment)
    desk.assignment.go()
    assert desk.committer.uncommitted == 0
    desk.answer()
    assert desk.committer.uncommitted == 0


def test_a_partition_that_was_handed_over_has_no_last_commit() -> None:
    """It went while the others of a stop drained; its next owner's commits must not be taken back."""
    desk = Desk()
    desk.take(0)
    desk.settle(0)
    assert desk.committer.final([desk.assignment]) == {PLACE: plain(1)}
    desk.assignment.go()
    assert desk.committer.final([desk.assignment]) == {}


def test_a_skipped_record_is_covered_by_the_map_it_was_found_in() -> None:
    """It is no new answer: a crash repeats it no more than before."""
    desk = Desk(Run(1, 9, 1))
    desk.take(0)
    desk.skip(1)
    assert desk.committer.uncommitted == 0


def test_a_skipped_record_that_a_shorter_map_left_out_is_uncommitted() -> None:
    """The broker takes no maps any more: from the next commit on nothing covers what was known."""
    desk = Desk(Run(2, 9, 1))
    desk.take(0)
    desk.take(1)
    desk.settle(1)
    desk.wait(CADENCE * 2)
    desk.answer("offset_metadata_too_large")
    desk.wait(1)
    desk.answer()
    assert desk.commits[-1] == {PLACE: Commit(0, "")}
    assert desk.committer.uncommitted == 1
    desk.skip(2)
    assert desk.committer.uncommitted == 2
    desk.settle(0)
    desk.wait(CADENCE * 2)
    desk.answer()
    assert desk.commits[-1] == {PLACE: Commit(3, "")}
    assert desk.committer.uncommitted == 0


def test_a_commit_that_names_its_log_and_nothing_ahead_is_no_reason_for_shorter_maps() -> None:
    """An error that may mean anything means something else then: maps are as long as before."""
    desk = Desk()
    desk.work(1)
    desk.wait(CADENCE * 2)
    desk.answer("unknown")
    desk.take(1)
    desk.take(2)
    desk.settle(2)
    desk.wait(FIRST_BACKOFF * 3)
    assert desk.commits[-1] == {PLACE: Commit(1, encode(1, [Run(2, 2, 1)], IDENTITY)[0])}


def test_a_partition_without_anything_ahead_is_not_crowded_however_short_maps_are() -> None:
    """The name of the log takes more than half of what this broker takes."""
    desk = Desk()
    for offset in range(60):
        desk.take(offset)
    desk.settle(*range(1, 60, 2))
    desk.committer._map_bound = 40
    desk.wait(CADENCE * 2)
    desk.answer()
    assert desk.assignment.crowded
    desk.settle(*range(0, 60, 2))
    desk.wait(CADENCE * 2)
    assert not desk.assignment.crowded


def test_while_enough_is_settled_commits_follow_each_other_without_a_pause() -> None:
    """What is answered between two of them is posted twice by a crash."""
    desk = Desk()
    for count in range(1, 10):
        desk.work(ENOUGH)
        desk.wait(CADENCE / 20)
        assert desk.commits[-1] == {PLACE: plain(count * ENOUGH)}
        desk.answer()


def test_while_little_is_settled_a_commit_waits_for_more() -> None:
    """A broker is spared a write for every record of a quiet topic."""
    desk = Desk()
    desk.work(ENOUGH - 1)
    desk.wait(CADENCE * 0.9)
    assert desk.commits == []
    desk.wait(CADENCE * 0.2)
    desk.work(1)
    desk.answer()
    assert desk.commits == [{PLACE: plain(ENOUGH - 1)}]
    desk.work(ENOUGH - 1)
    desk.wait(0)
    assert desk.commits[1:] == [{PLACE: plain(2 * ENOUGH - 1)}]


def test_after_a_refusal_nothing_is_committed_before_its_backoff_however_much_is_settled() -> None:
    """Also when a broker says only that it does not know why."""
    for code in ("coordinator_not_available", "unknown"):
        desk = Desk()
        desk.work(ENOUGH)
        desk.wait(0)
        desk.answer(code)
        desk.work(BOUND)
        desk.wait(FIRST_BACKOFF)
        assert len(desk.commits) == 1, code
        desk.wait(FIRST_BACKOFF * 1.1)
        assert len(desk.commits) == 2, code


def test_commits_that_are_long_to_make_take_no_more_than_their_share_of_the_time() -> None:
    """A map of hundreds of runs takes a millisecond to write, and nothing is posted meanwhile."""
    desk, runs = Desk(), 100
    for offset in range(2 * runs):
        desk.take(offset)
    desk.settle(*range(1, 2 * runs - 2 * ENOUGH, 2))
    desk.wait(0)
    assert len(desk.commits) == 1
    desk.settle(*range(2 * runs - 2 * ENOUGH + 1, 2 * runs, 2))
    desk.answer()
    assert len(desk.commits) == 1
    pause = A_RUN * runs / AT_MOST_OF_THE_TIME / 2
    desk.wait(pause)
    assert len(desk.commits) == 1
    desk.wait(pause)
    assert len(desk.commits) == 2
