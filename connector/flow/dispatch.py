"""Which record is next: partitions take turns, and a lane's records go one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from connector.core.record import Record
from connector.core.signals import SchemaNeeded
from connector.flow.assignment import Assignment, Delivery
from connector.flow.deliver import Road
from connector.flow.ports import Source
from connector.observe.events import Events

Ordering = Literal["end_user", "partition", "none"]

_TAKES_A_TURN = 100
"""Records that one look may decode and queue behind a busy lane before other work gets a turn."""

_WHOLE_PARTITION = ""
"""The one lane of a partition under `ordering: partition`."""


class Dispatcher:
    """Hands out deliveries to workers; a worker that finds nothing waits here until woken.

    `may_post` is asked before each hand-out, `may_unblock` whether at least a record may go that holds its
    partition's commit back; `due` whether a retry partition's head may go; `fetch` is told of a schema that is
    missing, `stop` of a partition whose head cannot be handled by a bug of ours, `skipped` of a record that was settled
    before its partition came here, `crowded` of a partition that has to wait since its map is nearly full.
    """

    def __init__(
        self,
        road: Road,
        source: Source,
        events: Events,
        *,
        ordering: Ordering,
        may_post: Callable[[], bool],
        may_unblock: Callable[[], bool],
        due: Callable[[Assignment, Record], bool],
        fetch: Callable[[Assignment, SchemaNeeded], None],
        stop: Callable[[Assignment, Exception], None],
        skipped: Callable[[Assignment, Record], None],
        crowded: Callable[[Assignment], None],
    ) -> None:
        self._road = road
        self._source = source
        self._events = events
        self._ordering = ordering
        self._may_post = may_post
        self._may_unblock = may_unblock
        self._due = due
        self._fetch = fetch
        self._stop = stop
        self._skipped = skipped
        self._crowded = crowded
        self._ready: deque[Assignment] = deque()
        self._runnable: deque[Delivery] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()

    def offer(self, assignment: Assignment, records: Sequence[Record]) -> None:
        """Queue records of one partition; what it has already, or does not want while asleep, is dropped."""
        wanted = not (assignment.asleep or assignment.leaving.is_set())
        for record in records:
            if wanted and record.offset >= assignment.expected:
                assignment.queue.append(record)
                assignment.expected = record.offset + 1
            else:
                self._source.give_room(1, record.size)
        self.ready(assignment)

    def ready(self, assignment: Assignment) -> None:
        """The partition may have something to hand out (again)."""
        if assignment.queue and not assignment.ready:
            assignment.ready = True
            self._ready.append(assignment)
        self.wake()

    def forget(self, assignment: Assignment) -> None:
        """The partition leaves: nothing more of it is handed out."""
        for record in assignment.queue:
            self._source.give_room(1, record.size)
        assignment.queue.clear()

    async def next(self) -> Delivery:
        """Wait for a delivery that may start now. Its assignment counts it as in hand from here on."""
        while (delivery := self._next()) is None:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(woken)
            await woken
        delivery.assignment.begin(delivery.record.offset)
        return delivery

    def done(self, delivery: Delivery) -> None:
        """The delivery left its lane: the next one behind it may go."""
        if delivery.lane is None:
            return
        lanes = delivery.assignment.lanes
        if waiting := lanes[delivery.lane]:
            self._runnable.append(waiting.popleft())
            self.wake(1)
        else:
            del lanes[delivery.lane]

    def put_back(self, delivery: Delivery) -> None:
        """The delivery keeps its place, at the head of its lane, until posting goes on."""
        self._runnable.appendleft(delivery)

    def owes(self, assignment: Assignment) -> bool:
        """Whether a partition that leaves has records left that must go before it does."""
        return any(d.assignment is assignment and assignment.wants(d.record.offset) for d in self._runnable)

    def wake(self, workers: int | None = None) -> None:
        """Let waiting workers look again."""
        idle = self._idle
        for _ in range(len(idle) if workers is None else min(workers, len(idle))):
            woken = idle.popleft()
            if not woken.done():
                woken.set_result(None)

    def _next(self) -> Delivery | None:
        if not self._may_post():
            return self._blocking() if self._may_unblock() else None
        while self._runnable:
            delivery = self._runnable.popleft()
            if delivery.assignment.wants(delivery.record.offset):
                return delivery
        for _ in range(_TAKES_A_TURN):
            if not self._ready:
                return None
            assignment = self._ready[0]
            taken = self._take(assignment)
            if taken is None:
                self._ready.popleft()
                assignment.ready = False
                continue
            self._ready.rotate(-1)
            if self._enters_lane(taken):
                return taken
        asyncio.get_running_loop().call_soon(self.wake, 1)
        return None

    def _blocking(self) -> Delivery | None:
        """One that nothing but itself keeps from being committed: what is settled behind it would never make room."""
        for place, delivery in enumerate(self._runnable):
            assignment = delivery.assignment
            offset = delivery.record.offset
            if offset == assignment.tracker.committable and assignment.wants(offset):
                del self._runnable[place]
                return delivery
        return None

    def _take(self, assignment: Assignment) -> Delivery | None:
        queue = assignment.queue
        if assignment.stuck or assignment.leaving.is_set() or not self._skip_settled(assignment):
            return None
        record = queue[0]
        if assignment.crowded and assignment.tracker.is_beyond_known(record.offset):
            self._crowded(assignment)
            return None
        if assignment.delayed and not self._due(assignment, record):
            return None
        try:
            prepared = self._road.prepare(record, assignment)
        except Exception as error:  # a bug of ours: the partition stops with the record in its place
            self._stop(assignment, error)
            return None
        if isinstance(prepared, SchemaNeeded):
            self._fetch(assignment, prepared)
            return None
        queue.popleft()
        assignment.tracker.start(record.offset, record.leader_epoch)
        assignment.open[record.offset] = record
        self._events.taken(1)
        return prepared

    def _skip_settled(self, assignment: Assignment) -> bool:
        """Skip what was settled before the partition came here; whether any record is left to take."""
        queue, tracker = assignment.queue, assignment.tracker
        while queue and tracker.is_settled(queue[0].offset, queue[0].leader_epoch):
            record = queue.popleft()
            tracker.start(record.offset, record.leader_epoch)
            tracker.finish(record.offset)
            self._events.taken(1)
            self._events.skipped(1)
            self._source.give_room(1, record.size)
            self._skipped(assignment, record)
        return bool(queue)

    def _enters_lane(self, delivery: Delivery) -> bool:
        """Whether it may go now; else it waits behind the one that is on the road."""
        if self._ordering == "none":
            delivery.lane = None
        elif self._ordering == "partition":
            delivery.lane = _WHOLE_PARTITION
        lane = delivery.lane
        if lane is None:
            return True
        lanes = delivery.assignment.lanes
        if lane in lanes:
            lanes[lane].append(delivery)
            return False
        lanes[lane] = deque()
        return True
