"""Which record is next: partitions take turns, and a lane's records go one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

from connector.core.destination import EXPIRED
from connector.core.record import Record
from connector.core.signals import SchemaNeeded
from connector.flow.assignment import Assignment, Delivery
from connector.flow.deliver import Road
from connector.flow.gate import Gate, Look
from connector.flow.ports import Source
from connector.observe.events import Events

Ordering = Literal["end_user", "partition", "none"]

_TAKES_A_TURN = 100
"""Records that one look may decode and queue behind a busy lane before other work gets a turn."""

_TIMES_WHAT_IS_LEFT = 3
"""A partition may have so many times in hand what room is left: three quarters of all when it is alone in having much,
three sevenths when two do; there is always room for the others."""

_WHOLE_PARTITION = ""
"""The one lane of a partition under `ordering: partition`."""


class _Side:
    """The records of the main topic, or those of the retry topics. `runnable` ones are first in their lanes, those `at`
    a bulkhead too: there are too many of their service under way."""

    __slots__ = ("at_bulkhead", "ready", "runnable")

    def __init__(self) -> None:
        self.ready: deque[Assignment] = deque()
        self.runnable: deque[Delivery] = deque()
        self.at_bulkhead: dict[str, deque[Delivery]] = {}

    def __iter__(self) -> Iterator[Delivery]:
        return chain(self.runnable, *self.at_bulkhead.values())

    def remove(self, delivery: Delivery) -> None:
        """Take it out, wherever it waits."""
        next(waiting for waiting in (self.runnable, *self.at_bulkhead.values()) if delivery in waiting).remove(delivery)

    def forget_gone(self) -> None:
        """Drop what is of partitions that left."""
        self.runnable = _still_ours(self.runnable)
        self.at_bulkhead = {service_id: _still_ours(waiting) for service_id, waiting in self.at_bulkhead.items()}


class Dispatcher:
    """Hands out deliveries to workers; a worker that finds nothing waits here until woken.

    `gate` is asked before each hand-out, `rank` which record is tried first during a hold (None: not now); `due`
    whether a retry partition's head may go. `fetch` is told of a schema that is missing, `stop` of a partition whose
    head cannot be handled by a bug of ours, `skipped` of a record that was settled before its partition came here,
    `crowded` of a partition that has to wait since its map is nearly full, `brimming` of one that has to since it has
    more in hand than leaves room for the others: there is room for `most` records and `most_bytes`; each may have
    `least` records.
    """

    def __init__(
        self,
        road: Road,
        source: Source,
        events: Events,
        gate: Gate,
        *,
        ordering: Ordering,
        retry_share: float,
        most: int,
        most_bytes: int,
        least: int,
        rank: Callable[[Delivery], tuple[int, ...] | None],
        due: Callable[[Assignment, Record], bool],
        fetch: Callable[[Assignment, SchemaNeeded], None],
        stop: Callable[[Assignment, Exception], None],
        skipped: Callable[[Assignment, Record], None],
        crowded: Callable[[Assignment], None],
        brimming: Callable[[Assignment], None],
    ) -> None:
        self._road = road
        self._source = source
        self._events = events
        self._gate = gate
        self._ordering = ordering
        self._retry_share = retry_share
        self._most, self._most_bytes, self._least = most, most_bytes, least
        self._rank = rank
        self._due = due
        self._fetch = fetch
        self._stop = stop
        self._skipped = skipped
        self._crowded = crowded
        self._brimming = brimming
        self._sides = self._fresh, self._delayed = _Side(), _Side()
        # What the retry topics are owed: below 0, they had more than their share.
        self._owed = 0.0
        self._later: dict[Delivery, asyncio.TimerHandle] = {}
        self._idle: deque[asyncio.Future[None]] = deque()
        self._in_hand = 0
        self._bytes_in_hand = 0

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

    def pass_over(self, assignment: Assignment, first: int, end: int) -> bool:
        """The log has no record between these; whether nothing is left to be taken before them.

        Records that were dropped before them, as of a partition that falls asleep or leaves, are still to come.
        """
        if not first <= assignment.expected < end:
            return False
        assignment.expected = end
        return _see_end(assignment)

    def ready(self, assignment: Assignment) -> None:
        """The partition may have something to hand out (again)."""
        if assignment.queue and not assignment.ready:
            assignment.ready = True
            self._side(assignment).ready.append(assignment)
        self.wake()

    def forget(self, assignment: Assignment) -> None:
        """The partition leaves: nothing more of it is handed out."""
        for record in assignment.queue:
            self._source.give_room(1, record.size)
        assignment.queue.clear()
        self._in_hand -= len(assignment.open)
        self._bytes_in_hand -= assignment.open_bytes

    def forget_gone(self) -> None:
        """Partitions left: nothing of them is kept here, however long a hold lasts."""
        for delivery in [delivery for delivery in self._later if delivery.assignment.gone]:
            self._later.pop(delivery).cancel()
        for side in self._sides:
            side.forget_gone()

    async def next(self) -> Delivery:
        """Wait for a delivery that may start now. Its assignment counts it as in hand from here on."""
        while (delivery := self._next()) is None:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(woken)
            await woken
        if self._idle:
            self.wake()
        delivery.assignment.begin(delivery.record.offset)
        if delivery.request is not None:
            self._gate.begin(delivery)
        return delivery

    def done(self, delivery: Delivery) -> None:
        """The delivery left its lane: the next one behind it may go."""
        assignment, size = delivery.assignment, delivery.record.size
        self._in_hand -= 1
        self._bytes_in_hand -= size
        assignment.open_bytes -= size
        if delivery.lane is None:
            return
        lanes = assignment.lanes
        if waiting := lanes[delivery.lane]:
            self._side(assignment).runnable.append(waiting.popleft())
            self.wake()
        else:
            del lanes[delivery.lane]

    def put_back(self, delivery: Delivery) -> None:
        """The delivery keeps its place, at the head of its lane, until posting goes on."""
        self._side(delivery.assignment).runnable.appendleft(delivery)

    def put_off(self, delivery: Delivery, seconds: float) -> None:
        """The same, and it may not go before so many seconds are over."""
        self._later[delivery] = asyncio.get_running_loop().call_later(seconds, self._time_has_come, delivery)

    def resume(self, assignment: Assignment) -> None:
        """The partition is paused no more."""
        while assignment.paused_deliveries:
            self.put_back(assignment.paused_deliveries.pop())
        self.ready(assignment)

    def has_room(self, assignment: Assignment) -> bool:
        """Whether a partition that had too much in hand is far enough from it again."""
        return 2 * len(assignment.open) <= self._bound() and 2 * assignment.open_bytes <= self._bound_of_bytes()

    def owes(self, assignment: Assignment) -> bool:
        """Whether a partition that leaves has records left that must go before it does."""
        waiting = chain(self._fresh, self._delayed, self._later)
        return any(d.assignment is assignment and assignment.wants(d.record.offset) for d in waiting)

    @property
    def at_bulkheads(self) -> int:
        """Records that wait for others of their service to be answered."""
        return sum(len(waiting) for side in self._sides for waiting in side.at_bulkhead.values())

    @property
    def put_off_now(self) -> int:
        """Records that wait for the time of their next try."""
        return len(self._later)

    def wake(self) -> None:
        """Let a waiting worker look again: when it finds something, it wakes the next one."""
        while self._idle:
            woken = self._idle.popleft()
            if not woken.done():
                woken.set_result(None)
                return

    def _next(self) -> Delivery | None:
        look = self._gate.look()
        if look is Look.GO:
            first, second = (self._delayed, self._fresh) if self._owed > 0 else (self._fresh, self._delayed)
            delivery = self._first_of(first) or self._first_of(second)
            if delivery is not None:
                self._count_share(delivery)
            return delivery
        if look is Look.PROBE or look is Look.PROBE_ANOTHER:
            return self._to_try(another=look is Look.PROBE_ANOTHER)
        return self._blocking() if look is Look.UNBLOCK else None

    def _count_share(self, delivery: Delivery) -> None:
        """Bounded both ways, so that a time without work on one side is no credit for later."""
        if delivery.assignment.delayed:
            if self._owed > -1:
                self._owed -= 1 - self._retry_share
        elif self._owed < 1:
            self._owed += self._retry_share

    def _first_of(self, side: _Side) -> Delivery | None:
        if side.at_bulkhead and (delivery := self._past_bulkhead(side)) is not None:
            return delivery
        while side.runnable:
            delivery = side.runnable.popleft()
            if self._may_go(delivery):
                return delivery
        for _ in range(_TAKES_A_TURN):
            if not side.ready:
                return None
            taken = self._take_first(side)
            if taken is not None and self._enters_lane(taken) and self._has_slot(taken):
                return taken
        asyncio.get_running_loop().call_soon(self.wake)
        return None

    def _may_go(self, delivery: Delivery) -> bool:
        """Whether it may go now; else it waits where it is found again, or was given up with its partition."""
        assignment = delivery.assignment
        if not assignment.wants(delivery.record.offset):
            return False
        if assignment.paused:
            assignment.paused_deliveries.append(delivery)
            return False
        return self._has_slot(delivery)

    def _has_slot(self, delivery: Delivery) -> bool:
        self._road.look_at_time(delivery)
        if delivery.request is None or not self._gate.has_bulkheads:
            return True
        if self._gate.has_room_for(delivery.service_id):
            return True
        waiting = self._side(delivery.assignment).at_bulkhead.setdefault(delivery.service_id, deque())
        if delivery.outcome is None:
            waiting.append(delivery)
        else:
            waiting.appendleft(delivery)  # it was posted before, and keeps its place
        return False

    def _past_bulkhead(self, side: _Side) -> Delivery | None:
        for service_id in list(side.at_bulkhead):
            waiting = side.at_bulkhead[service_id]
            while waiting and self._gate.has_room_for(service_id):
                delivery = waiting.popleft()
                if self._may_go(delivery):
                    return delivery
            if not waiting:
                del side.at_bulkhead[service_id]
        return None

    def _to_try(self, *, another: bool) -> Delivery | None:
        """The record to try during a hold: one that was not refused before, of another service and partition.

        As far as there is one; with `another`, none else.
        """
        found = self._best_to_try(chain(self._fresh, self._delayed), another)
        for side in self._sides:
            for _ in range(_TAKES_A_TURN):
                if not side.ready or (found is not None and (found.refused or not any(self._rank(found) or ()))):
                    break
                taken = self._take_first(side)
                if taken is not None and self._enters_lane(taken):
                    side.runnable.append(taken)
                    found = self._best_to_try((taken,) if found is None else (found, taken), another)
        if found is not None:
            self._side(found.assignment).remove(found)
        elif any(side.ready for side in self._sides):
            asyncio.get_running_loop().call_soon(self.wake)
        return found

    def _best_to_try(self, among: Iterable[Delivery], another: bool) -> Delivery | None:
        """Past what is refused, which no hold lets go: unless it has taken half the room, or no hold would ever end.

        When only one that holds its partition back makes room again, it is one of these.
        """
        must_unblock = self._gate.must_unblock
        takes_half = 2 * self._in_hand > self._most or 2 * self._bytes_in_hand > self._most_bytes
        best: Delivery | None = None
        lowest: tuple[int, ...] = ()
        for delivery in among:
            if not delivery.assignment.wants(delivery.record.offset) or delivery.assignment.paused:
                continue
            if must_unblock and not _blocks(delivery):
                continue
            self._road.look_at_time(delivery)
            if delivery.refused is None:
                if another and delivery.trials:
                    continue
                rank = self._rank(delivery)
                if rank is not None and (best is None or rank < lowest):
                    best, lowest = delivery, rank
            elif delivery.refused.cause.code == EXPIRED or (best is None and (must_unblock or takes_half)):
                return delivery
        return best

    def _blocking(self) -> Delivery | None:
        """One that nothing but itself keeps from being committed: what is settled behind it would never make room."""
        for side in self._sides:
            for delivery in side:
                assignment = delivery.assignment
                if _blocks(delivery) and assignment.wants(delivery.record.offset) and not assignment.paused:
                    side.remove(delivery)
                    self._road.look_at_time(delivery)
                    return delivery
        return None

    def _take_first(self, side: _Side) -> Delivery | None:
        """A record of the partition whose turn it is; a partition that has none loses its turn."""
        assignment = side.ready[0]
        taken = self._take(assignment)
        if taken is None:
            side.ready.popleft()
            assignment.ready = False
        else:
            side.ready.rotate(-1)
        return taken

    def _take(self, assignment: Assignment) -> Delivery | None:
        queue = assignment.queue
        if assignment.stuck or assignment.leaving.is_set() or not self._skip_settled(assignment):
            return None
        record = queue[0]
        if assignment.crowded and assignment.tracker.is_beyond_known(record.offset):
            self._crowded(assignment)
            return None
        if len(assignment.open) >= self._least and self._has_much(assignment):
            self._brimming(assignment)
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
        _see_end(assignment)
        assignment.open[record.offset] = record
        self._in_hand += 1
        self._bytes_in_hand += record.size
        assignment.open_bytes += record.size
        self._events.taken(1)
        return prepared

    def _has_much(self, assignment: Assignment) -> bool:
        return len(assignment.open) >= self._bound() or assignment.open_bytes >= self._bound_of_bytes()

    def _bound(self) -> int:
        """Records that one partition may have in hand now."""
        return max(self._least, _TIMES_WHAT_IS_LEFT * (self._most - self._in_hand))

    def _bound_of_bytes(self) -> int:
        return max(0, _TIMES_WHAT_IS_LEFT * (self._most_bytes - self._bytes_in_hand))

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
        return not _see_end(assignment)

    def _enters_lane(self, delivery: Delivery) -> bool:
        """Whether it is the first of its lane; else it waits behind the one that is on the road."""
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

    def _time_has_come(self, delivery: Delivery) -> None:
        del self._later[delivery]
        self.put_back(delivery)
        self.wake()

    def _side(self, assignment: Assignment) -> _Side:
        return self._delayed if assignment.delayed else self._fresh


def _blocks(delivery: Delivery) -> bool:
    """Whether nothing but itself keeps it from being committed."""
    return delivery.record.offset == delivery.assignment.tracker.committable


def _see_end(assignment: Assignment) -> bool:
    """Whether all that was offered was taken; then what lies up to the next offset expected is no record."""
    if assignment.queue:
        return False
    assignment.tracker.pass_over(assignment.expected)
    return True


def _still_ours(deliveries: Iterable[Delivery]) -> deque[Delivery]:
    return deque(delivery for delivery in deliveries if not delivery.assignment.gone)
