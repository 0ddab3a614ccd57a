"""The next record of a partition: what was settled before is skipped, and whatever keeps the head back is said."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from connector.core.mapping.errors import NotOurs
from connector.core.record import Record
from connector.core.signals import SchemaNeeded
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.partition import Assignment, Block, Delivery
from connector.engine.pipeline import Pipeline
from connector.engine.stops import Blocked, Faulty, NeedsSchema, NotDue, Stop


class Heads:
    """Takes the heads of partitions, `turns_left` of them at most: records that wait for each other, however many, must
    not take all the time of one input."""

    def __init__(self, blocks: Blocks, budget: Budget, commits: Commits, pipeline: Pipeline, context: Context) -> None:
        self._blocks = blocks
        self._budget = budget
        self._commits = commits
        self._pipeline = pipeline
        self._events = context.events
        self.fresh, self.delayed = blocks.turns.fresh, blocks.turns.delayed
        self.turns_left = 0

    def offer(self, assignment: Assignment, records: Sequence[Record]) -> None:
        """Queue records of one partition; what it has already, or does not want while asleep, is dropped."""
        wanted = not (assignment.asleep or assignment.leaving)
        queue, expected = assignment.queue, assignment.expected
        for record in records:
            if wanted and record.offset >= expected:
                queue.append(record)
                expected = record.offset + 1
            else:
                self._budget.free((record,))
        assignment.expected = expected
        self._blocks.turns.add(assignment)

    def pass_over(self, assignment: Assignment, first: int, end: int) -> bool:
        """The log has no record between these; whether nothing is left to be taken before them.

        Records that were dropped before them, as of a partition that falls asleep or leaves, are still to come.
        """
        if not first <= assignment.expected < end:
            return False
        assignment.expected = end
        return assignment.see_end()

    def first_of(self, turns: deque[Assignment]) -> Delivery | Stop | None:
        """Take a record of the partition whose turn it is; a partition that has none loses its turn."""
        assignment = turns[0]
        while isinstance(taken := self._take(assignment), NotOurs):
            self.turns_left -= 1
            if self.turns_left <= 0:
                return None  # it keeps its turn
        if isinstance(taken, Delivery):
            self.turns_left -= 1
            if len(turns) > 1:
                turns.rotate(-1)
        else:
            turns.popleft()
            assignment.ready = False
        return taken

    def _take(self, assignment: Assignment) -> Delivery | Stop | NotOurs | None:
        queue = assignment.queue
        if assignment.blocks or assignment.leaving:
            return None
        if assignment.tracker.knows_more and not self._skip_settled(assignment):
            return None
        if not queue:
            return None
        record = queue[0]
        if assignment.crowded and assignment.tracker.is_beyond_known(record.offset):
            return Blocked(assignment, Block.MAP)
        if self._budget.has_much(assignment):
            return Blocked(assignment, Block.MEMORY)
        if assignment.delayed and (wait_ms := self._blocks.due_in_ms(assignment, record)) > 0:
            return NotDue(assignment, record.offset, wait_ms)
        try:
            prepared = self._pipeline.prepare(record, assignment)
        except Exception as error:  # a bug of ours: the partition stops with the record in its place
            return Faulty(assignment, error)
        if isinstance(prepared, SchemaNeeded):
            return NeedsSchema(assignment, prepared)
        if isinstance(prepared, NotOurs):
            self._pass(assignment, record, prepared)
            return prepared
        queue.popleft()
        assignment.tracker.start(record.offset, record.leader_epoch)
        if not queue:
            assignment.see_end()
        assignment.open[record.offset] = prepared
        self._budget.take(assignment, prepared.size)
        self._events.taken(1)
        return prepared

    def _pass(self, assignment: Assignment, record: Record, not_ours: NotOurs) -> None:
        """Settle a record that the mapping passes over. Read again after a crash it is passed over again, so that it is
        nothing that a commit has to hurry for."""
        assignment.queue.popleft()
        assignment.tracker.start(record.offset, record.leader_epoch)
        assignment.tracker.finish(record.offset)
        self._events.taken(1)
        self._events.not_ours(not_ours.reason)
        self._budget.free((record,))
        self._commits.passed_over(assignment)
        if not assignment.queue:
            assignment.see_end()

    def _skip_settled(self, assignment: Assignment) -> bool:
        """Skip what was settled before the partition came here; whether any record is left to take."""
        queue, tracker = assignment.queue, assignment.tracker
        while queue and tracker.is_settled(queue[0].offset, queue[0].leader_epoch):
            record = queue.popleft()
            tracker.start(record.offset, record.leader_epoch)
            tracker.finish(record.offset)
            self._events.taken(1)
            self._events.skipped(1)
            self._budget.free((record,))
            self._commits.skipped(assignment, record)
        return not assignment.see_end()
