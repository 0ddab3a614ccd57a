"""When to commit, and how much may be answered but not yet in an acknowledged commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from connector.core.record import Partition
from connector.core.signals import Commit, Committed
from connector.flow.assignment import Assignment
from connector.flow.ports import Clock, Source
from connector.observe.events import Events

CADENCE = 0.02
"""Seconds from an acknowledged commit to the next: short, since what lies between two commits is posted twice by
a crash; not shorter, since a commit costs the broker a write."""

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
"""Seconds between tries while the broker takes no commits."""


class Committer:
    """One commit under way at a time; a partition's commit never goes down within its assignment."""

    def __init__(
        self, source: Source, clock: Clock, events: Events, *, bound: int, on_room: Callable[[], None]
    ) -> None:
        self._source = source
        self._clock = clock
        self._events = events
        self._bound = bound
        self._on_room = on_room
        self._dirty: set[Assignment] = set()
        self._under_way: dict[Partition, tuple[Assignment, int]] = {}
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._backoff = FIRST_BACKOFF
        self.uncommitted = 0
        self.last_acknowledged: float = clock.monotonic()

    @property
    def full(self) -> bool:
        """Whether posting has to wait for a commit: at the bound of what a crash would post twice."""
        return self.uncommitted >= self._bound

    def settled(self, assignment: Assignment) -> None:
        """One more record of this partition is settled."""
        self.uncommitted += 1
        self._dirty.add(assignment)
        if not self._under_way and (self._timer is None or self.full):
            self._schedule(0.0 if self.full else CADENCE)

    def final(self, assignments: Iterable[Assignment]) -> dict[Partition, Commit]:
        """What is not in an acknowledged commit of partitions that are given up; they are no longer counted here."""
        leaving = list(assignments)
        commits = {a.partition: _commit_of(a) for a in leaving if a.tracker.settled_in_prefix > a.covered}
        for assignment in leaving:
            self.forget(assignment)
        return commits

    def forget(self, assignment: Assignment) -> None:
        """The partition is not ours to commit any more."""
        self._dirty.discard(assignment)
        self._uncount(assignment, assignment.tracker.settled)

    def answered(self, event: Committed) -> None:
        """The broker answered the commit under way."""
        sent, self._under_way = self._under_way, {}
        if event.error is None:
            self._backoff = FIRST_BACKOFF
            self.last_acknowledged = self._clock.monotonic()
            self._events.commit_acknowledged(len(sent), self.last_acknowledged - self._sent_at)
            for assignment, settled in sent.values():
                self._uncount(assignment, settled)
            self._on_room()
        else:
            self._events.commit_failed(event.error)
            self._dirty.update(a for a, _ in sent.values() if not a.gone)
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        if self._dirty:
            self._schedule(CADENCE if event.error is None else self._backoff)

    def stop(self) -> None:
        """No more commits from here."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, seconds: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._send)

    def _send(self) -> None:
        self._timer = None
        if self._under_way:
            return
        offsets: dict[Partition, Commit] = {}
        for assignment in self._dirty:
            tracker = assignment.tracker
            if tracker.settled_in_prefix > assignment.covered:
                self._under_way[assignment.partition] = (assignment, tracker.settled_in_prefix)
                offsets[assignment.partition] = _commit_of(assignment)
        self._dirty.clear()
        if offsets:
            self._sent_at = self._clock.monotonic()
            self._source.commit(offsets)

    def _uncount(self, assignment: Assignment, settled: int) -> None:
        if settled > assignment.covered:
            self.uncommitted -= settled - assignment.covered
            assignment.covered = settled


def _commit_of(assignment: Assignment) -> Commit:
    return Commit(assignment.tracker.committable, "")
