"""Partitions that take nothing new for a while, what lets them go on, and those asleep: the others are not kept by it.

One asleep is paused in Kafka, and nothing of it is in memory, until its head is due or nothing blocks it any more.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.core.envelope import opened
from connector.core.record import Record
from connector.core.schedule import RetryPlan, due_on_reading
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.engine.budget import Budget
from connector.engine.context import Context
from connector.engine.messages import Fetch, Sleep, Wake
from connector.engine.partition import Assignment, Block
from connector.engine.timers import Timer
from connector.engine.turns import Turns

_SHORT_MS = 1000
"""Waits below this are sat out in memory: pausing throws away what the client prefetched."""

_FIRST_BACKOFF = 0.5
"""Seconds between the first two tries of a schema look-up, doubled up to what the decoder says; its partition waits
meanwhile, since a registry that is down says nothing about the record."""

_SOON = 5.0
_KEPT_MEANWHILE = 200
"""A partition whose schema is asked for again within this many seconds keeps this many records in memory: the decoder
is told that they were there, and need not wait as long again for each of them."""


class Blocks:
    """Blocks partitions, and lets them go on; puts retry partitions to sleep until their heads are due."""

    def __init__(self, turns: Turns, budget: Budget, plan: RetryPlan, context: Context) -> None:
        self.turns = turns
        self._budget = budget
        self._plan = plan
        self._now, self._timers, self._outbox, self._events = context
        self._alarms: dict[Assignment, Timer] = {}

    # Reasons.

    def add(self, assignment: Assignment, reason: Block) -> None:
        """Take nothing new of it until this reason and all others are over."""
        assignment.block(reason)
        self.rest(assignment)

    def remove(self, assignment: Assignment, reason: Block) -> bool:
        """This reason is over; whether nobody else has the same one."""
        was_last = assignment.unblock(reason)
        if assignment.asleep and assignment.rewound:
            self._set_alarm(assignment)
        self.turns.add(assignment)
        return was_last

    def stop(self, assignment: Assignment, error: Exception) -> None:
        """Nothing more of this partition is taken until it is assigned anew: what is open stays uncommitted."""
        self.add(assignment, Block.FAULT)
        self._events.partition_stopped(assignment.partition, error)

    def see_memory(self, assignment: Assignment) -> None:
        """Let it go on if it had too much in memory, and has room again."""
        if Block.MEMORY in assignment.blocks and self._budget.has_room_again(assignment):
            self.remove(assignment, Block.MEMORY)

    def map_has_room(self, assignment: Assignment) -> None:
        """What is settled ahead of its commit has room in the commit's metadata again."""
        if Block.MAP in assignment.blocks:
            self.remove(assignment, Block.MAP)

    # Schemas.

    def fetch(self, assignment: Assignment, needed: SchemaNeeded) -> None:
        """A schema is missing: ask for it until it comes."""
        assignment.block(Block.SCHEMA)
        self._fetch(assignment, needed, _FIRST_BACKOFF)

    def fetched(self, fetch: Fetch, missing: SchemaMissing | None) -> None:
        """It came, or was not to be had."""
        assignment, backoff = fetch.assignment, fetch.backoff
        if missing is None or assignment.leaving:
            self.remove(assignment, Block.SCHEMA)
            return
        self._events.schema_unavailable(fetch.needed, missing)
        if missing.again > _SOON or len(assignment.queue) > _KEPT_MEANWHILE:
            self.rest(assignment)
        self._timers.after(backoff, self._fetch, assignment, fetch.needed, min(backoff * 2, missing.again))

    def _fetch(self, assignment: Assignment, needed: SchemaNeeded, backoff: float) -> None:
        if not assignment.leaving:
            newest = assignment.queue[-1].offset if assignment.queue else needed.offset
            self._outbox.append(Fetch(assignment, needed, newest, backoff))

    # Sleep.

    def due_in_ms(self, assignment: Assignment, record: Record) -> int:
        """How long the head of a retry partition has to wait; 0 or less: it may be posted.

        Never later for the same head however often it is read, or a damaged header could put it off for ever. Sooner
        only when the clock was set back: no head waits for what the clock was wrong by.
        """
        head, due_ms = assignment.head_due or (None, None)
        if head != record.offset:
            assignment.head_history = history = opened(record)[0]
            due_ms = history.due_ms
        due = due_on_reading(self._plan, due_ms, record.timestamp_ms, self._now.ms)
        assignment.head_due = (record.offset, due)
        return due - self._now.ms

    def wait_until_due(self, assignment: Assignment, offset: int, wait_ms: int) -> None:
        """The head at this offset is due in this many ms: a short wait is sat out, a long one is slept through."""
        if wait_ms <= _SHORT_MS:
            self._alarm(wait_ms, assignment, self.turns.add)
        else:
            self._fall_asleep(assignment, offset)

    def rest(self, assignment: Assignment) -> None:
        """It is blocked: what waits in it must not take the room of the others, however long that lasts."""
        if not (assignment.asleep or assignment.leaving):
            head = assignment.queue[0] if assignment.queue else None
            next_ms = None if head is None else head.timestamp_ms
            assignment.rests_since_ms = self._now.ms if next_ms is None else next_ms
            self._fall_asleep(assignment, assignment.expected if head is None else head.offset)

    def asleep(self, assignment: Assignment) -> None:
        """The source stopped fetching it: nothing that was under way can arrive late, so the alarm may be set."""
        if assignment.asleep and not assignment.leaving:
            assignment.rewound = True
            self._set_alarm(assignment)

    def forget(self, assignment: Assignment) -> None:
        """The partition leaves."""
        if (alarm := self._alarms.pop(assignment, None)) is not None:
            alarm.cancel()

    def _set_alarm(self, assignment: Assignment) -> None:
        head, due_ms = assignment.head_due or (None, 0)
        wait_ms = due_ms - self._now.ms if head == assignment.expected else 0
        self._alarm(wait_ms, assignment, self._wake)

    def _fall_asleep(self, assignment: Assignment, offset: int) -> None:
        assignment.asleep = True
        assignment.rewound = False
        assignment.expected = offset
        self._budget.free(assignment.queue)
        assignment.queue.clear()
        self._outbox.append(Sleep(assignment.partition, offset))

    def _wake(self, assignment: Assignment) -> None:
        if not assignment.blocks and not assignment.leaving:
            assignment.asleep = False
            assignment.rests_since_ms = None
            self._outbox.append(Wake(assignment.partition))

    def _alarm(self, wait_ms: int, assignment: Assignment, then: Callable[[Assignment], None]) -> None:
        self.forget(assignment)
        self._alarms[assignment] = self._timers.after(wait_ms / 1000, self._ring, assignment, then)

    def _ring(self, assignment: Assignment, then: Callable[[Assignment], None]) -> None:
        del self._alarms[assignment]
        then(assignment)
