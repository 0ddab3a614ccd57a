"""What counts as uncommitted: answered, and neither below an acknowledged commit's offset nor in its map."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping

import structlog

from connector.core.record import Partition, Record
from connector.core.settled_map import LogIdentity, Run, encode
from connector.core.signals import Commit, Committed
from connector.flow.assignment import Assignment
from connector.flow.commits import CADENCE, ENOUGH, FIRST_BACKOFF, SLOW, Committer
from connector.flow.ports import Clock
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from tests.support.clock import VirtualClock, run_virtual
from tests.support.memory import MemoryBroker, MemorySource

PLACE = Partition("invocations", 0)
BOUND = 500
IDENTITY = LogIdentity("cluster", "topic")


class SlowToAnswer(MemorySource):
    """A source that keeps commits to itself until the test answers them."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker({}, lambda: 0), frozenset())
        self.commits: list[Mapping[Partition, Commit]] = []

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Keep it."""
        self.commits.append(offsets)


async def a_turn() -> None:
    """Let the loop do what is due, without time passing."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class Desk:
    """A committer and one partition, from offset 0 on with `known` settled before."""

    def __init__(self, clock: Clock, *known: Run) -> None:
        self.source = SlowToAnswer()
        logger = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()))
        events = Events(Metrics(), logger, log_accepted=False, monotonic=clock.monotonic)
        self.committer = Committer(
            self.source, clock, events, bound=BOUND, on_room=lambda: None, on_map_room=lambda _assignment: None
        )
        committed = Commit(0, encode(0, known, IDENTITY)[0])
        self.assignment = Assignment(PLACE, committed, delayed=False, identity=IDENTITY, known=known)

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
        offsets = {partition: commit.offset for partition, commit in self.source.commits[-1].items()}
        self.committer.answered(Committed(offsets, error))


@run_virtual
async def test_what_an_acknowledged_map_covers_is_committed(clock: VirtualClock) -> None:
    """And what was settled after it was sent is not."""
    desk = Desk(clock)
    for offset in range(5):
        desk.take(offset)
    desk.settle(2, 3)
    await asyncio.sleep(CADENCE * 2)
    desk.settle(4)
    assert desk.committer.uncommitted == 3
    desk.answer()
    assert desk.committer.uncommitted == 1
    assert desk.assignment.uncovered == 1


@run_virtual
async def test_after_a_refusal_a_tenth_of_the_bound_may_be_uncommitted_until_a_commit_is_taken(
    clock: VirtualClock,
) -> None:
    """Whoever is refused may have lost its place, and then all that it posts is posted again by somebody else."""
    desk = Desk(clock)
    desk.take(0)
    desk.settle(0)
    await asyncio.sleep(CADENCE * 2)
    assert not desk.full()
    desk.answer("rebalance_in_progress")
    assert not desk.full()
    for offset in range(1, BOUND // 10):
        desk.take(offset)
        desk.settle(offset)
    assert desk.full()
    await asyncio.sleep(1)
    desk.answer()
    assert not desk.full()


@run_virtual
async def test_a_commit_that_is_not_answered_within_a_second_is_in_doubt(clock: VirtualClock) -> None:
    desk = Desk(clock)
    for offset in range(BOUND // 10):
        desk.take(offset)
        desk.settle(offset)
    await asyncio.sleep(SLOW - CADENCE)
    assert not desk.full()
    await asyncio.sleep(CADENCE * 2)
    assert desk.full()
    desk.answer()
    assert not desk.full()


@run_virtual
async def test_a_refused_commit_covers_nothing(clock: VirtualClock) -> None:
    """It is tried again with what is settled by then."""
    desk = Desk(clock)
    desk.take(0)
    desk.settle(0)
    await asyncio.sleep(CADENCE * 2)
    desk.answer("coordinator_not_available")
    assert desk.committer.uncommitted == 1
    await asyncio.sleep(1)
    assert len(desk.source.commits) == 2
    desk.answer()
    assert desk.committer.uncommitted == 0


@run_virtual
async def test_an_answer_that_comes_after_its_partition_went_counts_for_nothing(clock: VirtualClock) -> None:
    """What was uncommitted left with the partition; it must not be taken off twice."""
    desk = Desk(clock)
    desk.take(0)
    desk.take(1)
    desk.settle(1)
    await asyncio.sleep(CADENCE * 2)
    desk.settle(0)
    desk.committer.forget(desk.assignment)
    desk.assignment.over.set()
    assert desk.committer.uncommitted == 0
    desk.answer()
    assert desk.committer.uncommitted == 0


@run_virtual
async def test_a_partition_that_was_handed_over_has_no_last_commit(clock: VirtualClock) -> None:
    """It went while the others of a stop drained; its next owner's commits must not be taken back."""
    desk = Desk(clock)
    desk.take(0)
    desk.settle(0)
    assert desk.committer.final([desk.assignment]) == {PLACE: Commit(1, "")}
    desk.assignment.over.set()
    assert desk.committer.final([desk.assignment]) == {}


@run_virtual
async def test_a_skipped_record_is_covered_by_the_map_it_was_found_in(clock: VirtualClock) -> None:
    """It is no new answer: a crash repeats it no more than before."""
    desk = Desk(clock, Run(1, 9, 1))
    desk.take(0)
    desk.skip(1)
    assert desk.committer.uncommitted == 0


@run_virtual
async def test_a_skipped_record_that_a_shorter_map_left_out_is_uncommitted(clock: VirtualClock) -> None:
    """The broker takes no maps any more: from the next commit on nothing covers what was known."""
    desk = Desk(clock, Run(2, 9, 1))
    desk.take(0)
    desk.take(1)
    desk.settle(1)
    await asyncio.sleep(CADENCE * 2)
    desk.answer("offset_metadata_too_large")
    await asyncio.sleep(1)
    desk.answer()
    assert desk.source.commits[-1] == {PLACE: Commit(0, "")}
    assert desk.committer.uncommitted == 1
    desk.skip(2)
    assert desk.committer.uncommitted == 2
    desk.settle(0)
    await asyncio.sleep(CADENCE * 2)
    desk.answer()
    assert desk.source.commits[-1] == {PLACE: Commit(3, "")}
    assert desk.committer.uncommitted == 0


@run_virtual
async def test_while_enough_is_settled_commits_follow_each_other_without_a_pause(clock: VirtualClock) -> None:
    """What is answered between two of them is posted twice by a crash."""
    desk = Desk(clock)
    began = clock.monotonic()
    desk.work(ENOUGH)
    await a_turn()
    for count in range(1, 10):
        assert desk.source.commits[-1] == {PLACE: Commit(count * ENOUGH, "")}
        desk.work(ENOUGH)
        desk.answer()
    assert clock.monotonic() == began


@run_virtual
async def test_while_little_is_settled_a_commit_waits_for_more(clock: VirtualClock) -> None:
    """A broker is spared a write for every record of a quiet topic."""
    desk = Desk(clock)
    desk.work(ENOUGH - 1)
    await asyncio.sleep(CADENCE * 0.9)
    assert desk.source.commits == []
    await asyncio.sleep(CADENCE * 0.2)
    desk.work(1)
    desk.answer()
    assert desk.source.commits == [{PLACE: Commit(ENOUGH - 1, "")}]
    desk.work(ENOUGH - 1)
    await a_turn()
    assert desk.source.commits[1:] == [{PLACE: Commit(2 * ENOUGH - 1, "")}]


@run_virtual
async def test_after_a_refusal_nothing_is_committed_before_its_backoff_however_much_is_settled(
    clock: VirtualClock,
) -> None:
    """Also when a broker says only that it does not know why."""
    for code in ("coordinator_not_available", "unknown"):
        desk = Desk(clock)
        desk.work(ENOUGH)
        await a_turn()
        desk.answer(code)
        desk.work(BOUND)
        await asyncio.sleep(FIRST_BACKOFF)
        assert len(desk.source.commits) == 1, code
        await asyncio.sleep(FIRST_BACKOFF * 1.1)
        assert len(desk.source.commits) == 2, code


class Sluggish:
    """A clock by which whatever is done takes a while."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._behind = 0.0

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic(self) -> float:
        self._behind += 0.0005
        return self._clock.monotonic() + self._behind


@run_virtual
async def test_commits_that_are_long_to_make_take_no_more_than_their_share_of_the_time(clock: VirtualClock) -> None:
    """A map of thousands of records takes milliseconds to write, and nothing is posted meanwhile."""
    desk = Desk(Sluggish(clock))
    desk.work(ENOUGH)
    await a_turn()
    desk.work(ENOUGH)
    desk.answer()
    assert len(desk.source.commits) == 1
    await asyncio.sleep(CADENCE / 4)
    assert len(desk.source.commits) == 1
    await asyncio.sleep(CADENCE / 4)
    assert len(desk.source.commits) == 2
