"""A copy is written until it is acknowledged or given up: once at a time, and nothing is left behind."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connector.core.destination import ToDeadLetter, ToRetry
from connector.core.envelope import Cause, Names, fresh
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.record import Record
from connector.core.refusal import Stage
from connector.core.signals import WriteFailed
from connector.engine.copies import PATIENCE, Copies, Targets
from connector.engine.copy import LONGEST_BACKOFF, Copy
from connector.engine.messages import CancelWrite, Sleep, Wake, Write
from connector.engine.partition import Assignment, Block, Delivery
from tests.engine.stage import DEAD, RETRY
from tests.engine.surroundings import Surroundings, assigned

CAUSE = Cause(Stage.INVOKE, "vendor_temporary", "")
OUTCOME = Outcome(Fate.RETRY, "vendor_temporary", "", "", Delivered.NO)


class Topics:
    """Takes what is written, and knows which writes are not answered."""

    def __init__(self) -> None:
        self.around = Surroundings()
        self.copies = Copies(
            Targets(RETRY, DEAD, Names("c"), summarize=True),
            self.around.blocks,
            self.around.commits,
            self.around.context,
        )
        self.unanswered = list[Copy]()
        self.waits = set[Delivery]()

    def carry_out(self) -> None:
        """All that is in the outbox."""
        for effect in self.around.outbox:
            match effect:
                case Write(copy):
                    assert copy not in self.unanswered, "written again before it was answered"
                    assert copy.delivery in self.waits, "written though nobody waits for it"
                    self.unanswered.append(copy)
                case CancelWrite(copy):
                    self.unanswered.remove(copy)
                case Sleep() | Wake():
                    pass
                case _:
                    raise AssertionError(effect)
        self.around.outbox.clear()

    def start(self, assignment: Assignment, offset: int, *, is_retry: bool) -> None:
        """A record has to be copied."""
        record = Record(assignment.partition, offset, 0, None, b"x", (), 0)
        delivery = Delivery(assignment, record, fresh(record), ())
        delivery.outcome = OUTCOME
        self.waits.add(delivery)
        history = delivery.history._replace(attempts=1, due_ms=1)
        self.copies.start(delivery, ToRetry(history, CAUSE) if is_retry else ToDeadLetter(history, CAUSE))

    def answer(self, copy: Copy, failed: WriteFailed | None) -> None:
        """The broker's word on one."""
        self.unanswered.remove(copy)
        is_over = self.copies.answered(copy, failed)
        assert is_over or failed is not None
        if is_over:
            self.waits.remove(copy.delivery)

    def leave(self, assignment: Assignment) -> None:
        """The partition is lost."""
        assignment.go()
        for copy in self.copies.leave(assignment):
            self.waits.remove(copy.delivery)
        assert not any(delivery.assignment is assignment for delivery in self.waits)


@given(st.integers(0, 1 << 32))
def test_each_copy_is_written_until_it_is_acknowledged_or_its_partition_leaves(seed: int) -> None:
    """What is late counts as uncommitted and blocks its partition, until it is acknowledged or given up."""
    topics, chance = Topics(), Random(seed)
    ours = [assigned(number) for number in range(2)]
    for offset in range(150):
        number = chance.randrange(2)
        what = chance.choice(("start", "answer", "answer", "wait"))
        if chance.random() < 0.02:
            topics.leave(ours[number])
            ours[number] = assigned(number)
        elif what == "start":
            topics.start(ours[number], offset, is_retry=chance.random() < 0.5)
        elif what == "answer" and topics.unanswered:
            failed = chance.choice((None, None, WriteFailed("too_large", True), WriteFailed("not_allowed", False)))
            topics.answer(chance.choice(topics.unanswered), failed)
        elif what == "wait":
            topics.around.wait(chance.choice((0.1, PATIENCE, LONGEST_BACKOFF)))
        topics.carry_out()
        blocking = sum(assignment.blocks[Block.RETRY_WRITE] for assignment in ours)
        blocking += sum(assignment.blocks[Block.DEAD_LETTER_WRITE] for assignment in ours)
        assert topics.around.commits.waiting_copies == blocking <= len(topics.waits)
    topics.around.wait(LONGEST_BACKOFF)
    topics.carry_out()
    assert {copy.delivery for copy in topics.unanswered} == topics.waits, "one is forgotten"
    for copy in list(topics.unanswered):
        topics.answer(copy, None)
    topics.carry_out()
    assert not topics.waits
    assert topics.around.commits.waiting_copies == 0
    assert not any(assignment.blocks for assignment in ours)
