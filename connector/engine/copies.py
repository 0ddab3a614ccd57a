"""Copies for the retry and the dead-letter topic: written until they are acknowledged, or their partition leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from connector.core.destination import ToDeadLetter, ToRetry
from connector.core.envelope import Letter, Names, dead_letter_headers, retry_headers, summary
from connector.core.record import Headers
from connector.core.signals import WriteFailed
from connector.engine.blocks import Blocks
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.copy import LONGEST_BACKOFF, Copy
from connector.engine.messages import CancelWrite, Write
from connector.engine.partition import Assignment, Delivery
from connector.engine.timers import Timer

UNANSWERED = WriteFailed("msg_timed_out", too_large=False)
PATIENCE = 10.0
"""Seconds after which a copy without an answer is reported, and its partition takes nothing new. It is not written
again: Kafka may have it, and of two copies in the retry topic both would be posted."""


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


class Copies:
    """A copy that is late waits here, and its partition with it: no slot waits, or one partition could keep all others
    from theirs."""

    def __init__(self, targets: Targets, blocks: Blocks, commits: Commits, context: Context) -> None:
        self._targets = targets
        self._blocks = blocks
        self._commits = commits
        self._now, self._timers, self._outbox, self._events = context
        # With the timers of their patience, and of their next write.
        self._under_way: dict[Copy, Timer] = {}
        self._refused: dict[Copy, Timer] = {}
        self._late: set[Copy] = set()

    def start(self, delivery: Delivery, destination: ToRetry | ToDeadLetter) -> None:
        """Write its copy."""
        is_retry = isinstance(destination, ToRetry)
        topic = self._targets.retry if is_retry else self._targets.dead_letter
        ladder, summarize = self._headers(delivery, destination), self._summarize(delivery, destination)
        self._write(Copy(delivery, destination, topic, ladder, summarize, self._now.seconds))

    def answered(self, copy: Copy, failed: WriteFailed | None) -> bool:
        """Its topic has it, or did not take it; whether nothing more is to be done about it.

        True without an acknowledgement: its partition leaves without the record.
        """
        if (patience := self._under_way.pop(copy, None)) is None:
            return False  # it was given up
        patience.cancel()
        if failed is None:
            self._is_written(copy)
            return True
        if failed.too_large and copy.shrink():
            self._write(copy)
            return False
        self._is_late(copy, failed)
        if copy.delivery.assignment.leaving and not copy.delivery.is_wanted:
            self.drop(copy)
            return True
        self._refused[copy] = self._timers.after(copy.backoff, self._again, copy)
        copy.backoff = min(copy.backoff * 2, LONGEST_BACKOFF)
        return False

    def leave(self, assignment: Assignment) -> list[Copy]:
        """The partition leaves, or has left: return those that are given up.

        While it leaves, one that is being written is waited for, like a post, and one that was refused is written again
        at once where it has to go before the partition does. The partition's next owner posts the others again.
        """
        refused = [copy for copy in self._refused if copy.delivery.assignment is assignment]
        given_up = [copy for copy in refused if not copy.delivery.is_wanted]
        for copy in refused:
            if copy not in given_up:
                self._refused.pop(copy).cancel()
                self._write(copy)
        if assignment.gone:
            under_way = [copy for copy in self._under_way if copy.delivery.assignment is assignment]
            self._outbox += map(CancelWrite, under_way)
            given_up += under_way
        for copy in given_up:
            self.drop(copy)
        return given_up

    def drop(self, copy: Copy) -> None:
        """Nobody waits for it any more."""
        for waiting in (self._under_way, self._refused):
            if (timer := waiting.pop(copy, None)) is not None:
                timer.cancel()
        if copy in self._late:
            self._late.remove(copy)
            self._commits.waiting_copies -= 1

    def _again(self, copy: Copy) -> None:
        del self._refused[copy]
        self._write(copy)

    def _write(self, copy: Copy) -> None:
        self._under_way[copy] = self._timers.after(PATIENCE, self._is_unanswered, copy)
        self._outbox.append(Write(copy, copy.topic, copy.key, copy.value, copy.headers))

    def _is_unanswered(self, copy: Copy) -> None:
        self._under_way[copy] = self._timers.after(PATIENCE, self._is_unanswered, copy)
        self._is_late(copy, UNANSWERED)

    def _is_late(self, copy: Copy, failed: WriteFailed) -> None:
        if copy not in self._late:
            self._late.add(copy)
            self._commits.waiting_copies += 1
            copy.delivery.assignment.block(copy.reason)
        remedies = self._targets.remedies
        remedy = remedies.get(failed.code, remedies.get("", ""))
        # What is still too large once nothing more could be left out will not pass by itself.
        seconds, lasting = self._now.seconds - copy.began, failed.too_large
        self._events.write_failed(copy.target, failed.code, copy.topic, remedy, seconds, lasting=lasting)
        self._blocks.rest(copy.delivery.assignment)

    def _is_written(self, copy: Copy) -> None:
        if copy in self._late:
            self.drop(copy)
            if self._blocks.remove(copy.delivery.assignment, copy.reason):
                self._events.write_recovered(copy.target)
        if not copy.delivery.assignment.gone:
            self._report(copy)

    def _report(self, copy: Copy) -> None:
        delivery, destination = copy.delivery, copy.destination
        record, outcome, history = delivery.record, delivery.outcome, destination.history
        if isinstance(destination, ToRetry):
            assert outcome is not None
            self._events.retried(
                record,
                delivery.event_id,
                outcome,
                history.attempts,
                history.due_ms or 0,
                history=history,
                trace_id=delivery.trace_id,
            )
            return
        cause = destination.cause
        self._events.dead_lettered(
            record,
            delivery.event_id,
            cause.stage,
            cause.code,
            cause.reason,
            cause.status,
            cause.vendor_code,
            cause.request_id,
            history.attempts,
            history=history,
            trace_id=delivery.trace_id,
            service_id=delivery.shown_service,
            is_summary=copy.is_summary,
        )

    def _headers(self, delivery: Delivery, destination: ToRetry | ToDeadLetter) -> Iterator[Headers]:
        history, cause, original = destination.history, destination.cause, delivery.headers
        if isinstance(destination, ToRetry):
            return retry_headers(original, history, cause, self._now.ms)
        return dead_letter_headers(original, history, cause, self._targets.names, self._now.ms)

    def _summarize(self, delivery: Delivery, destination: ToRetry | ToDeadLetter) -> Callable[[], Letter] | None:
        """A summary of what can be posted again would post nothing: only dead letters have one."""
        if isinstance(destination, ToRetry) or not self._targets.summarize:
            return None
        history, cause = destination.history, destination.cause
        return partial(summary, delivery.record, history, cause, self._targets.names, self._now.ms)
