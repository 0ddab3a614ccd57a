"""Which record is next: partitions take turns, a lane's records go one after the other, services share the posts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Literal, NamedTuple

from connector.core.destination import EXPIRED
from connector.engine.budget import Budget
from connector.engine.context import Context
from connector.engine.heads import Heads
from connector.engine.limits import GO, Admission, Limits
from connector.engine.partition import Assignment, Block, Delivery
from connector.engine.pipeline import Pipeline
from connector.engine.side import Side
from connector.engine.stops import Stop
from connector.engine.timers import Timer

Ordering = Literal["end_user", "partition", "none"]


class TurnRules(NamedTuple):
    """What waits for what. `retry_share`: part of the posts for the retry topics, of 1. `enough` records of a service
    that wait for their turn are enough: no more are looked for."""

    ordering: Ordering
    retry_share: float
    enough: int


Rank = Callable[[Delivery], tuple[int, ...] | None]
"""The lower, the sooner a record is tried in a hold; None: not now."""

_WHOLE_PARTITION = ""
"""The one lane of a partition under `ordering: partition`."""


class Schedule:
    """Knows what was taken and waits for its turn, and says which delivery may start now."""

    def __init__(
        self,
        rules: TurnRules,
        heads: Heads,
        budget: Budget,
        limits: Limits,
        pipeline: Pipeline,
        context: Context,
    ) -> None:
        self._ordering, self._retry_share, self._enough = rules
        self._heads = heads
        self._budget = budget
        self._limits = limits
        self._services = limits.services
        self._pipeline = pipeline
        self._timers = context.timers
        self._fresh, self._delayed = self._sides = Side(heads.fresh), Side(heads.delayed)
        # What the retry topics are owed: below 0, they had more than their share.
        self._owed = 0.0
        self._later: dict[Delivery, Timer] = {}

    # What comes in.

    def requeue(self, delivery: Delivery) -> None:
        """It has its place again, at the head of its lane."""
        delivery.waits = True
        self._side(delivery.assignment).runnable.appendleft(delivery)

    def requeue_after(self, delivery: Delivery, seconds: float) -> None:
        """The same, and it may not go before this many seconds are over."""
        self._later[delivery] = self._timers.after(seconds, self._time_has_come, delivery)

    def resume(self, assignment: Assignment) -> None:
        """The partition is paused no more."""
        while assignment.parked:
            self.requeue(assignment.parked.pop())

    def leave_lane(self, delivery: Delivery) -> None:
        """It is settled: the next one in its lane may go."""
        lane = delivery.lane
        if lane is None:
            return
        lanes = delivery.assignment.lanes
        waiting = lanes[lane]
        if waiting:
            following = waiting.popleft()
            following.waits = True
            self._side(following.assignment).runnable.append(following)
        else:
            del lanes[lane]

    def forget_gone(self) -> None:
        """Partitions left: nothing of them is kept here, however long a hold lasts."""
        for delivery in [delivery for delivery in self._later if delivery.assignment.gone]:
            self._later.pop(delivery).cancel()
        for side in self._sides:
            side.forget_gone()

    # What is asked.

    @property
    def kept_back(self) -> int:
        """Records that wait for others of their service to be answered."""
        return sum(len(waiting) for side in self._sides for waiting in side.kept_back.values())

    @property
    def not_due(self) -> int:
        """Records that wait for the time of their next try."""
        return len(self._later)

    def owes(self, assignment: Assignment) -> bool:
        """Whether a partition that leaves has records left that must go before it does."""
        return any(d.assignment is assignment and d.is_wanted for d in chain(self._fresh, self._delayed, self._later))

    # What goes out.

    def next(self, rank: Rank) -> Delivery | Stop | None:
        """The next one to start; None: nothing now, or no turns are left. `rank` says what is tried first in a hold."""
        admission = self._limits.admission()
        if admission is GO:
            first, second = (self._delayed, self._fresh) if self._owed > 0 else (self._fresh, self._delayed)
            found = self._first_of(first) or self._first_of(second)
            if isinstance(found, Delivery):
                self._count_share(found)
            return found
        if admission is Admission.PROBE or admission is Admission.PROBE_ANOTHER:
            return self._to_try(rank, another=admission is Admission.PROBE_ANOTHER)
        return self._freeing_commit() if admission is Admission.FREE_COMMIT else None

    def _count_share(self, delivery: Delivery) -> None:
        """Bounded both ways, so that a time without work on one side is no credit for later."""
        if delivery.assignment.delayed:
            if self._owed > -1:
                self._owed -= 1 - self._retry_share
        elif self._owed < 1:
            self._owed += self._retry_share

    def _first_of(self, side: Side) -> Delivery | Stop | None:
        if side.kept_back and (delivery := self._within_its_part(side)) is not None:
            return delivery
        while side.runnable:
            delivery = side.runnable.popleft()
            delivery.waits = False
            if self._may_go(delivery) and self._has_part(delivery):
                return delivery
        if side.kept_back and (delivery := self._borrowing(side, self._enough)) is not None:
            return delivery
        while side.turns and self._heads.turns_left > 0:
            taken = self._heads.first_of(side.turns)
            if isinstance(taken, Delivery):
                if not self._enters_lane(taken):
                    continue
                self._pipeline.look_at_time(taken)
                if self._has_part(taken):
                    return taken
                if (delivery := self._borrowing(side, 1)) is not None:
                    return delivery
            elif taken is not None:
                return taken
        return self._borrowing(side, 1) if side.kept_back else None

    def _may_go(self, delivery: Delivery) -> bool:
        """Whether it may go now; else it waits where it is found again, or was given up with its partition."""
        if not delivery.is_wanted:
            return False
        if delivery.assignment.blocks and Block.PAUSED in delivery.assignment.blocks:
            delivery.assignment.parked.append(delivery)
            return False
        self._pipeline.look_at_time(delivery)
        return True

    def _has_part(self, delivery: Delivery) -> bool:
        """Whether its service has room for it; else it waits until it has."""
        if delivery.request is None or self._services is None:
            return True
        service_id = delivery.request.service_id
        if self._services.has_room(service_id):
            return True
        delivery.waits = True
        waiting = self._side(delivery.assignment).kept_back.setdefault(service_id, deque())
        if delivery.outcome is None:
            waiting.append(delivery)
        else:
            waiting.appendleft(delivery)  # it was posted before, and keeps its place
        return False

    def _within_its_part(self, side: Side) -> Delivery | None:
        assert self._services is not None
        for service_id in list(side.kept_back):
            if self._services.has_room(service_id) and (found := self._first_kept_back(side, service_id)) is not None:
                return found
        return None

    def _borrowing(self, side: Side, enough: int) -> Delivery | None:
        """One of a service that has all its part, and `enough` waiting: no service that has room has any waiting."""
        assert self._services is not None
        for service_id, waiting in list(side.kept_back.items()):
            if len(waiting) >= enough and self._services.may_borrow(service_id):
                found = self._first_kept_back(side, service_id)
                if found is not None:
                    return found
        return None

    def _first_kept_back(self, side: Side, service_id: str) -> Delivery | None:
        waiting, found = side.kept_back[service_id], None
        while waiting and found is None:
            delivery = waiting.popleft()
            delivery.waits = False
            found = delivery if self._may_go(delivery) else None
        if not waiting:
            del side.kept_back[service_id]
        return found

    # In a hold, and at the bound of what is uncommitted.

    def _to_try(self, rank: Rank, *, another: bool) -> Delivery | Stop | None:
        """The record to try during a hold: one that was not refused before, of another service and partition.

        The nearest to that; with `another`, none that was refused before.
        """
        found = self._best_to_try(chain(self._fresh, self._delayed), rank, another)
        for side in self._sides:
            while side.turns and self._heads.turns_left > 0:
                if found is not None and (found.refused or not any(rank(found) or ())):
                    break
                taken = self._heads.first_of(side.turns)
                if isinstance(taken, Delivery):
                    if self._enters_lane(taken):
                        taken.waits = True
                        side.runnable.append(taken)
                        found = self._best_to_try((taken,) if found is None else (found, taken), rank, another)
                elif taken is not None:
                    return taken
        if found is not None:
            self._side(found.assignment).remove(found)
        return found

    def _best_to_try(self, among: Iterable[Delivery], rank: Rank, another: bool) -> Delivery | None:
        """Past what is refused, which no hold lets go: unless it has taken half the room, or no hold would ever end.

        Where only a record that holds its partition's commit back would make room again, it is one of those.
        """
        must_free_commit = self._limits.must_free_commit
        best: Delivery | None = None
        lowest: tuple[int, ...] = ()
        for delivery in among:
            if not delivery.is_wanted or Block.PAUSED in delivery.assignment.blocks:
                continue
            if must_free_commit and not delivery.holds_commit_back:
                continue
            self._pipeline.look_at_time(delivery)
            if delivery.refused is None:
                if another and delivery.trials:
                    continue
                place = rank(delivery)
                if place is not None and (best is None or place < lowest):
                    best, lowest = delivery, place
            elif delivery.refused.cause.code == EXPIRED or (
                best is None and (must_free_commit or self._budget.is_half_taken)
            ):
                return delivery
        return best

    def _freeing_commit(self) -> Delivery | None:
        """One that nothing but itself keeps from being committed: what is settled behind it would never make room."""
        for assignment in self._limits.ours.values():
            delivery = assignment.open.get(assignment.tracker.committable)
            if delivery is None or not delivery.waits or not delivery.is_wanted or Block.PAUSED in assignment.blocks:
                continue
            self._side(assignment).remove(delivery)
            self._pipeline.look_at_time(delivery)
            return delivery
        return None

    def _enters_lane(self, delivery: Delivery) -> bool:
        """Whether it is the first of its lane; else it waits behind the one that is on its way."""
        if self._ordering == "none":
            delivery.lane = None
        elif self._ordering == "partition":
            delivery.lane = _WHOLE_PARTITION
        lane = delivery.lane
        if lane is None:
            return True
        lanes = delivery.assignment.lanes
        if lane in lanes:
            if (waiting := lanes[lane]) is None:
                waiting = lanes[lane] = deque()
            waiting.append(delivery)
            return False
        lanes[lane] = None
        return True

    def _time_has_come(self, delivery: Delivery) -> None:
        del self._later[delivery]
        self.requeue(delivery)

    def _side(self, assignment: Assignment) -> Side:
        return self._delayed if assignment.delayed else self._fresh
