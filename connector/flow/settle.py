"""What becomes of a delivery once its destination is known: copies are written and acknowledged, then it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple

from connector.core.destination import Again, Destination, Keep, Settled, ToDeadLetter, ToRetry
from connector.core.envelope import Letter, Names, dead_letter_headers, retry_headers, summary
from connector.core.record import Headers, Record
from connector.core.signals import WriteFailed
from connector.flow.assignment import Assignment, Delivery
from connector.flow.commits import Committer
from connector.flow.dispatch import Dispatcher
from connector.flow.ports import Clock, Sink, Source
from connector.flow.sleep import Sleepers
from connector.observe.events import Events

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 30.0
"""Seconds between tries of a copy that was refused: for ever, as the alternative is to lose the record."""

UNANSWERED = WriteFailed("msg_timed_out", too_large=False)
PATIENCE = 10.0
"""Seconds after which a copy without an answer is reported, and its partition takes nothing new. It is not written
again: Kafka may have it, and of two copies in the retry topic both would be posted."""

Target = Literal["retry", "dead_letter"]

Rest = Callable[[], Coroutine[None, None, None]]
"""What is left to do for a delivery."""


class Targets(NamedTuple):
    """The topics that copies go to, and who we are in their headers.

    `remedies` by the name of the error that a write failed with. `summarize`: a dead letter that its topic can never
    take goes as a summary; else it keeps its place.
    """

    retry: str
    dead_letter: str
    names: Names
    remedies: Mapping[str, str] = MappingProxyType({})
    summarize: bool = False


class _Copy:
    """A record on its way to `topic`, with the headers of the first step of the `ladder` that is not too large; beyond
    the last one it is the letter that `summarize` makes."""

    def __init__(
        self,
        target: Target,
        topic: str,
        record: Record,
        ladder: Iterator[Headers],
        summarize: Callable[[], Letter] | None,
    ) -> None:
        self.target: Target = target
        self.topic = topic
        self.reason = f"{target} write"
        self.is_summary = False
        self._ladder = ladder
        self._summarize = summarize
        self.key, self.value, self.headers = record.key, record.value, next(ladder)

    def shrink(self) -> bool:
        """Take the next step; False when there is none."""
        smaller = next(self._ladder, None)
        if smaller is not None:
            self.headers = smaller
            return True
        if self._summarize is None or self.is_summary:
            return False
        self.key, self.value, self.headers = self._summarize()
        self.is_summary = True
        return True


class Settler:
    """Carries destinations out."""

    def __init__(
        self,
        sink: Sink,
        source: Source,
        targets: Targets,
        clock: Clock,
        events: Events,
        committer: Committer,
        sleepers: Sleepers,
    ) -> None:
        self._sink = sink
        self._source = source
        self._targets = targets
        self._clock = clock
        self._events = events
        self._committer = committer
        self._sleepers = sleepers

    async def settle(self, delivery: Delivery, destination: Destination, dispatcher: Dispatcher) -> Rest | None:
        """Do what was decided. Afterwards the record is settled, or it keeps its place, or its partition has left.

        When its copy cannot be written now: what is left to do, which may take for ever.
        """
        if delivery.assignment.gone:
            self._events.late_answer(delivery.record, delivery.event_id, delivery.outcome)
            return None
        match destination:
            case Settled():
                self._report_accepted(delivery)
                self._finish(delivery, dispatcher)
            case ToRetry() | ToDeadLetter():
                return await self._settle_with_copy(delivery, destination, dispatcher)
            case Keep():
                dispatcher.put_back(delivery)
            case Again(wait):
                dispatcher.put_off(delivery, wait)
        return None

    def _finish(self, delivery: Delivery, dispatcher: Dispatcher) -> None:
        assignment, record = delivery.assignment, delivery.record
        assignment.tracker.finish(record.offset)
        del assignment.open[record.offset]
        self._committer.settled(assignment)
        self._source.give_room(1, record.size)
        dispatcher.done(delivery)

    def _report_accepted(self, delivery: Delivery) -> None:
        outcome, created, now_ms = delivery.outcome, delivery.created_ms, self._clock.now_ms()
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

    def _report_copy(self, delivery: Delivery, destination: ToRetry | ToDeadLetter, copy: _Copy) -> None:
        events, record, outcome = self._events, delivery.record, delivery.outcome
        if isinstance(destination, ToRetry):
            assert outcome is not None
            history = destination.history
            due_ms = history.due_ms or 0
            events.retried(
                record,
                delivery.event_id,
                outcome,
                history.attempts,
                due_ms,
                history=history,
                trace_id=delivery.trace_id,
            )
        else:
            cause = destination.cause
            events.dead_lettered(
                record,
                delivery.event_id,
                cause.stage,
                cause.code,
                cause.reason,
                cause.status,
                cause.vendor_code,
                cause.request_id,
                destination.history.attempts,
                history=destination.history,
                trace_id=delivery.trace_id,
                service_id=delivery.service_id or delivery.refused_service,
                is_summary=copy.is_summary,
            )

    async def _settle_with_copy(
        self, delivery: Delivery, destination: ToRetry | ToDeadLetter, dispatcher: Dispatcher
    ) -> Rest | None:
        copy = _Copy(
            "retry" if isinstance(destination, ToRetry) else "dead_letter",
            self._targets.retry if isinstance(destination, ToRetry) else self._targets.dead_letter,
            delivery.record,
            self._headers(delivery, destination),
            self._summarize(delivery, destination),
        )
        began = self._clock.monotonic()
        write = asyncio.create_task(self._write(copy))
        try:
            failed = await _answer(write, delivery.assignment)
        except BaseException:
            write.cancel()
            raise
        if failed is None:
            self._settled_with_copy(delivery, destination, copy, dispatcher)
            return None
        delivery.assignment.stick(copy.reason)
        return partial(self._settle_once_written, delivery, destination, copy, write, began, dispatcher)

    async def _settle_once_written(
        self,
        delivery: Delivery,
        destination: ToRetry | ToDeadLetter,
        copy: _Copy,
        write: asyncio.Task[WriteFailed | None],
        began: float,
        dispatcher: Dispatcher,
    ) -> None:
        """Wait until the copy is acknowledged or the partition left; write it again and again while it is refused.

        A copy under way is drained like a post. One without an answer by then is given up: whoever has the partition
        next posts its record again.
        """
        assignment, record = delivery.assignment, delivery.record
        backoff, failed = FIRST_BACKOFF, write.result() if write.done() else UNANSWERED
        try:
            while failed is not None:
                if assignment.gone:
                    return
                self._report_failed(copy, failed, self._clock.monotonic() - began)
                self._sleepers.rest(assignment)
                if failed is not UNANSWERED:
                    if await assignment.unwanted_within(backoff, record.offset):
                        return
                    backoff = min(backoff * 2, LONGEST_BACKOFF)
                    write = asyncio.create_task(self._write(copy))
                failed = await _answer(write, assignment)
        finally:
            write.cancel()
        if assignment.unstick(copy.reason):
            self._events.write_recovered(copy.target)
            self._sleepers.go_on(assignment)
            dispatcher.ready(assignment)
        self._settled_with_copy(delivery, destination, copy, dispatcher)

    def _report_failed(self, copy: _Copy, failed: WriteFailed, seconds: float) -> None:
        remedies = self._targets.remedies
        remedy = remedies.get(failed.code, remedies.get("", ""))
        # What is still too large once nothing more could be left out will not pass by itself.
        self._events.write_failed(copy.target, failed.code, copy.topic, remedy, seconds, lasting=failed.too_large)

    async def _write(self, copy: _Copy) -> WriteFailed | None:
        """Write it, smaller when it is too large."""
        while True:
            failed = await self._sink.write(copy.topic, copy.key, copy.value, copy.headers)
            if failed is None or not failed.too_large or not copy.shrink():
                return failed

    def _settled_with_copy(
        self, delivery: Delivery, destination: ToRetry | ToDeadLetter, copy: _Copy, dispatcher: Dispatcher
    ) -> None:
        if not delivery.assignment.gone:
            self._report_copy(delivery, destination, copy)
            self._finish(delivery, dispatcher)

    def _headers(self, delivery: Delivery, destination: ToRetry | ToDeadLetter) -> Iterator[Headers]:
        now_ms = self._clock.now_ms()
        history, cause, original = destination.history, destination.cause, delivery.headers
        if isinstance(destination, ToRetry):
            return retry_headers(original, history, cause, now_ms)
        return dead_letter_headers(original, history, cause, self._targets.names, now_ms)

    def _summarize(self, delivery: Delivery, destination: ToRetry | ToDeadLetter) -> Callable[[], Letter] | None:
        """A summary of what can be posted again would post nothing: only dead letters have one."""
        if isinstance(destination, ToRetry) or not self._targets.summarize:
            return None
        history, cause, now_ms = destination.history, destination.cause, self._clock.now_ms()
        return partial(summary, delivery.record, history, cause, self._targets.names, now_ms)


async def _answer(write: asyncio.Task[WriteFailed | None], assignment: Assignment) -> WriteFailed | None:
    """The answer to a write; UNANSWERED after `PATIENCE`, or when the partition left before it came."""
    over = asyncio.create_task(assignment.over.wait())
    try:
        await asyncio.wait({write, over}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
    return write.result() if write.done() else UNANSWERED
