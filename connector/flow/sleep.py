"""A partition asleep, until its head is due or it is stuck no more: paused in Kafka, and nothing of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.core.envelope import opened
from connector.core.record import Record
from connector.core.schedule import RetryPlan, due_on_reading
from connector.flow.assignment import Assignment
from connector.flow.ports import Clock, Source

_SHORT_MS = 1000
"""Waits below this are sat out in memory: pausing throws away what the client prefetched."""


class Sleepers:
    """Knows when heads of retry partitions are due. `on_due` is told when one may be looked at again."""

    def __init__(self, source: Source, clock: Clock, plan: RetryPlan, on_due: Callable[[Assignment], None]) -> None:
        self._source = source
        self._clock = clock
        self._plan = plan
        self._on_due = on_due
        self._timers: dict[Assignment, asyncio.TimerHandle] = {}

    def is_due(self, assignment: Assignment, record: Record) -> bool:
        """Whether the head of a retry partition may be posted; if not, the partition waits or goes to sleep."""
        wait_ms = self._due_ms(assignment, record) - self._clock.now_ms()
        if wait_ms <= 0:
            return True
        if wait_ms <= _SHORT_MS:
            self._after(wait_ms, assignment, self._on_due)
        else:
            self._fall_asleep(assignment, record.offset)
        return False

    def rest(self, assignment: Assignment) -> None:
        """The partition is stuck: what waits in it must not take the room of the others, however long that lasts."""
        if not (assignment.asleep or assignment.leaving.is_set()):
            head = assignment.queue[0] if assignment.queue else None
            next_ms = None if head is None else head.timestamp_ms
            assignment.rests_since_ms = self._clock.now_ms() if next_ms is None else next_ms
            self._fall_asleep(assignment, assignment.expected if head is None else head.offset)

    def go_on(self, assignment: Assignment) -> None:
        """The partition is stuck no more."""
        if assignment.asleep and assignment.rewound:
            self._set_alarm(assignment)

    def asleep(self, assignment: Assignment) -> None:
        """The source stopped fetching it: nothing that was under way can arrive late, so the alarm may be set."""
        if assignment.asleep and not assignment.leaving.is_set():
            assignment.rewound = True
            self._set_alarm(assignment)

    def forget(self, assignment: Assignment) -> None:
        """The partition leaves."""
        if timer := self._timers.pop(assignment, None):
            timer.cancel()

    def _due_ms(self, assignment: Assignment, record: Record) -> int:
        """Never later for the same head however often it is read, or a damaged header could put it off for ever.

        Sooner only when the clock was set back: no head waits for what the clock was wrong by.
        """
        head, due_ms = assignment.head_due or (None, None)
        if head != record.offset:
            assignment.head_history = history = opened(record)[0]
            due_ms = history.due_ms
        due = due_on_reading(self._plan, due_ms, record.timestamp_ms, self._clock.now_ms())
        assignment.head_due = (record.offset, due)
        return due

    def _set_alarm(self, assignment: Assignment) -> None:
        head, due_ms = assignment.head_due or (None, 0)
        wait_ms = due_ms - self._clock.now_ms() if head == assignment.expected else 0
        self._after(wait_ms, assignment, self._wake)

    def _fall_asleep(self, assignment: Assignment, offset: int) -> None:
        assignment.asleep = True
        assignment.rewound = False
        assignment.expected = offset
        for queued in assignment.queue:
            self._source.give_room(1, queued.size)
        assignment.queue.clear()
        self._source.sleep(assignment.partition, offset)

    def _wake(self, assignment: Assignment) -> None:
        if not assignment.stuck and not assignment.leaving.is_set():
            assignment.asleep = False
            assignment.rests_since_ms = None
            self._source.wake(assignment.partition)

    def _after(self, wait_ms: int, assignment: Assignment, then: Callable[[Assignment], None]) -> None:
        self.forget(assignment)
        loop = asyncio.get_running_loop()
        self._timers[assignment] = loop.call_later(max(wait_ms, 0) / 1000, self._ring, assignment, then)

    def _ring(self, assignment: Assignment, then: Callable[[Assignment], None]) -> None:
        self._timers.pop(assignment, None)
        then(assignment)
