"""Records from their turn to their end: posted or refused, copied, noted, settled, or back to wait for another turn."""

from __future__ import annotations

from typing import assert_never

from connector.core.destination import Again, Destination, Keep, Settled, ToDeadLetter, ToRetry
from connector.core.ledger import Fate
from connector.core.made import made
from connector.core.reply import Answer
from connector.core.signals import WriteFailed
from connector.engine.copy import Copy
from connector.engine.ledger import ACCEPTED
from connector.engine.messages import Fetch, Noted, Post, Write
from connector.engine.partition import Block, Delivery
from connector.engine.parts import Parts
from connector.engine.pipeline import Pipeline


class Deliveries:
    """`at_work`: what was begun and is not put down yet. A bug of ours on a record's way stops its partition, with the
    record in its place."""

    def __init__(self, parts: Parts, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._now, _, self._outbox, self._events = parts.context
        self._budget, self._blocks, self._commits, self._limits = (
            parts.budget,
            parts.blocks,
            parts.commits,
            parts.limits,
        )
        self._schedule, self._judge, self._copies = parts.schedule, parts.judge, parts.copies
        self._ledger, self._recent = parts.ledger, parts.recent
        self.at_work: set[Delivery] = set()

    def begin(self, delivery: Delivery) -> None:
        """Its turn has come: post it, or see to what was decided about it already."""
        delivery.assignment.begin(delivery.record.offset)
        self.at_work.add(delivery)
        if self._recent is not None and delivery.request is not None and self._recent.has(delivery):
            self._pass_duplicate(delivery)
        elif delivery.request is not None:
            self._limits.begin(delivery)
            self._pipeline.begin(delivery)
            self._outbox.append(made(Post, (delivery,)))
        else:
            self.answered(delivery, None)

    def answered(self, delivery: Delivery, answer: Answer | None) -> None:
        """It was posted, and this came back; None: it was refused, and goes to the dead letters without a post."""
        probed = answer is not None and self._limits.end(delivery)
        try:
            destination = delivery.refused if answer is None else self._pipeline.answered(delivery, answer)
            assert destination is not None
            found = self._judge.answered(delivery, destination, probed=probed)
            is_over = found is None or self._carry_out(delivery, found)
        except Exception as error:  # a bug of ours must stop one partition, not lose a record or all the others
            if probed:
                self._judge.tried(delivery)
            self._break_off(delivery, error)
        else:
            if is_over:
                self.put_down(delivery)

    def copied(self, copy: Copy, failed: WriteFailed | None) -> None:
        """Its copy was acknowledged, or is not to be had now."""
        delivery = copy.delivery
        try:
            is_over = self._copies.answered(copy, failed)
            if is_over and failed is None and not delivery.assignment.gone:
                fate = Fate.RETRY if isinstance(copy.destination, ToRetry) else Fate.DEAD_LETTER
                if self._ledger is not None and self._ledger.keeps(delivery, fate, copy.destination):
                    return
                self._settle(delivery)
        except Exception as error:  # as above
            self._copies.drop(copy)
            self._break_off(delivery, error)
        else:
            if is_over:
                self.put_down(delivery)

    def noted(self, noted: Noted) -> None:
        """Its entry in the ledger was acknowledged, or is not to be had now."""
        assert self._ledger is not None
        for delivery in self._ledger.answered(noted):
            self._settle(delivery)
            self.put_down(delivery)

    def put_down(self, delivery: Delivery) -> None:
        """It is settled, or waits for its turn again, or its partition has left."""
        assignment = delivery.assignment
        self.at_work.discard(delivery)
        assignment.at_work -= 1
        if assignment.blocks and Block.MEMORY in assignment.blocks:
            self._blocks.see_memory(assignment)

    def broke(self, effect: Post | Write | Fetch, error: Exception) -> None:
        """A bug of ours kept this from being carried out."""
        match effect:
            case Post(delivery):
                if self._limits.end(delivery):
                    self._judge.tried(delivery)
                delivery.posting = False
                self._break_off(delivery, error)
            case Write(copy):
                self._copies.drop(copy)
                self._break_off(copy.delivery, error)
            case Fetch(assignment):
                self._blocks.stop(assignment, error)

    def _carry_out(self, delivery: Delivery, destination: Destination) -> bool:
        """Whether nothing more is to be done until its turn comes again: False while its copy or entry is written."""
        if self._recent is not None and isinstance(destination, Settled):
            self._recent.accepted(delivery)
        if delivery.assignment.gone:
            self._events.late_answer(delivery.record, delivery.event_id, delivery.outcome)
            return True
        match destination:
            case Settled():
                self._report_accepted(delivery)
                if self._ledger is not None and self._ledger.keeps(delivery, ACCEPTED):
                    return False
                self._settle(delivery)
            case ToRetry() | ToDeadLetter():
                self._copies.start(delivery, destination)
                return False
            case Keep():
                self._schedule.requeue(delivery)
            case Again(wait):
                self._schedule.requeue_after(delivery, wait)
            case _:
                assert_never(destination)
        return True

    def _report_accepted(self, delivery: Delivery) -> None:
        outcome, created, now_ms = delivery.outcome, delivery.created_ms, self._now.ms
        assert outcome is not None
        self._events.accepted(
            delivery.record,
            delivery.history,
            delivery.event_id,
            outcome.request_id,
            delivery.post_seconds,
            None if created is None else (now_ms - created) / 1000,
            now_ms,
            trace_id=delivery.trace_id,
        )

    def _pass_duplicate(self, delivery: Delivery) -> None:
        """It was accepted already, as another record: it is settled without a post."""
        self._events.duplicate_event(delivery.record, delivery.event_id)
        if self._ledger is None or not self._ledger.keeps(delivery, Fate.DUPLICATE):
            self._settle(delivery)
            self.put_down(delivery)

    def _settle(self, delivery: Delivery) -> None:
        assignment, offset = delivery.assignment, delivery.record.offset
        assignment.tracker.finish(offset)
        del assignment.open[offset]
        self._commits.settled(assignment)
        self._budget.settle(assignment, delivery.size)
        self._schedule.leave_lane(delivery)

    def _break_off(self, delivery: Delivery, error: Exception) -> None:
        if not delivery.assignment.gone:
            self._blocks.stop(delivery.assignment, error)
        self.put_down(delivery)
