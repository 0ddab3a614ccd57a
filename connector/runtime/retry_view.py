"""What a running connector shows of the records that wait for a retry: how old, how often posted, due when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.core.envelope import History
from connector.engine.engine import Engine
from connector.engine.partition import Assignment
from connector.engine.ports import Clock
from connector.observe.metrics import Metrics
from connector.observe.retries import Copies, Waiting


class RetryView:
    """Looks at the first record of each retry partition, and at the copies that this process wrote lately.

    What others wrote behind the first record of a partition is not seen: each of it is the first one within a delay.
    """

    def __init__(self, engine: Engine, copies: Copies, clock: Clock, metrics: Metrics) -> None:
        self._engine = engine
        self._copies = copies
        self._clock = clock
        metrics.provide("retry_oldest_seconds", self._oldest_seconds)
        metrics.provide("retry_most_attempts", self._most_attempts)
        metrics.provide("retry_next_due_timestamp_seconds", self._next_due)

    def _waiting(self) -> Waiting | None:
        found = self._copies.waiting(self._clock.now_ms())
        for history in self._heads():
            if history.first_failure_ms is not None:
                one = Waiting(history.first_failure_ms, history.attempts)
                found = one if found is None else found.and_(one)
        return found

    def _heads(self) -> Iterator[History]:
        for assignment in self._delayed():
            first = assignment.open.get(assignment.tracker.committable)
            if first is not None:
                yield first.history
            elif _waits(assignment) and assignment.head_history is not None:
                yield assignment.head_history

    def _delayed(self) -> Iterator[Assignment]:
        return (assignment for assignment in self._engine.assignments.values() if assignment.delayed)

    def _oldest_seconds(self) -> float:
        waiting = self._waiting()
        return 0.0 if waiting is None else max(0.0, (self._clock.now_ms() - waiting.first_failure_ms) / 1000)

    def _most_attempts(self) -> float:
        waiting = self._waiting()
        return 0.0 if waiting is None else waiting.attempts

    def _next_due(self) -> Mapping[tuple[str, ...], float]:
        dues = [one.head_due[1] for one in self._delayed() if one.head_due is not None and _waits(one)]
        return {(): min(dues) / 1000} if dues else {}


def _waits(assignment: Assignment) -> bool:
    """Whether the head that was looked at last is still to be taken."""
    if assignment.head_due is None:
        return False
    next_one = assignment.queue[0].offset if assignment.queue else assignment.expected if assignment.asleep else None
    return next_one == assignment.head_due[0]
