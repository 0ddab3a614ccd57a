"""Whether a record may be posted now: holds, what is uncommitted, posts under way, and requests a second."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple, Protocol

from connector.core.pace import Bucket
from connector.flow.assignment import Delivery
from connector.flow.commits import Committer
from connector.flow.hold import Holds
from connector.flow.ports import Clock

_PATIENCE = 1.0
"""Seconds without an answer after which one post more may be under way while the gate opens."""

_SHORTEST_WAIT = 0.001
"""Seconds. uvloop's timers are no finer: a shorter wait would ring at once, and be asked for again until it is over."""


class Limit(Protocol):
    """Finds how many posts may be under way."""

    @property
    def limit(self) -> int:
        """The number now."""

    def answered(self, now: float, seconds: float, under_way: int, kept_back: bool = False) -> None:
        """A post was answered after so many seconds; so many were under way, this one included.

        `kept_back`: its service had all that one service may have of the limit.
        """

    def refused(self, now: float, seconds: float) -> None:
        """The vendor asked to wait, or for fewer."""

    def failed(self, now: float, seconds: float) -> None:
        """No answer in time, or an error that may come of too many posts."""


class PaceRules(NamedTuple):
    """`rate` in requests a second of the whole deployment, None for no bound. Shares are parts of 1: of the posts for
    the retry topics, and of the posts under way for one service id."""

    rate: float | None = None
    burst: int = 1
    retry_share: float = 0.5
    service_share: float = 1.0


class Look(Enum):
    """What may go now."""

    GO = auto()
    PROBE = auto()
    """One record, to try whether a hold may end."""
    PROBE_ANOTHER = auto()
    """The same, but none that was refused."""
    UNBLOCK = auto()
    """Only a record that keeps others from being committed."""
    WAIT = auto()


class Gate:
    """Counts the posts under way. `room`: how many more are within the bounds of what a crash may repeat; `on_open` is
    told when something may go again.

    It opens gradually, from one post on and by one more with each answer: at the start, when nobody knows yet whether
    the credentials are right, and after a hold.
    """

    def __init__(
        self,
        clock: Clock,
        holds: Holds,
        limit: Limit,
        rules: PaceRules,
        *,
        committer: Committer,
        room: Callable[[], int],
        on_open: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._holds = holds
        self._limit = limit
        self._rules = rules
        self._committer = committer
        self._room = room
        self._on_open = on_open
        # Posts that may be under way while it opens; None: it is open, and the limit counts.
        self._ramp: int | None = 1
        self._ramp_at = clock.monotonic()
        self._bucket: Bucket | None = None
        self._alarm: asyncio.Handle | None = None
        self._rings_at = 0.0
        self._by_service: Counter[str] = Counter()
        self._is_limited = rules.rate is not None
        self.has_bulkheads = rules.service_share < 1
        self.probe: Delivery | None = None
        self.under_way = 0
        self.limit = 1
        """Posts that may be under way now."""
        self.share = 0.0

    @property
    def rate(self) -> float | None:
        """This process's part of the deployment's requests a second."""
        return None if self._rules.rate is None else self._rules.rate * self.share

    @property
    def must_unblock(self) -> bool:
        """Whether the last post that a crash may repeat must be one that makes room when it is settled.

        Any other that is tried during a hold would leave none for it, and everything would wait for ever.
        """
        return self._committer.full and self._room() <= 1

    def set_share(self, share: float) -> None:
        """This process has that part of all partitions."""
        self.share = share
        if self.rate:
            burst = self._rules.burst * share
            if self._bucket is None:
                self._bucket = Bucket(self.rate, burst)
            else:
                self._bucket.set(self.rate, burst)

    def look(self) -> Look:
        """What may go now. When that is nothing, `on_open` is called as soon as it may be something."""
        if self._holds.active:
            return self._look_held()
        if self._ramp == 0:
            return Look.WAIT  # also what keeps others from being committed: it would fail, and be posted again at once
        if self._committer.full:
            return Look.UNBLOCK if self._room() > 0 and self._has_turn() else Look.WAIT
        if self.under_way >= self.limit and self._counted() >= self.limit and not self._opens_by_time():
            return Look.WAIT
        return Look.GO if not self._is_limited or self._has_turn() else Look.WAIT

    def has_room_for(self, service_id: str) -> bool:
        """Whether one more post of this service leaves room for the others'."""
        return self._by_service[service_id] < self._most_of_a_service()

    def begin(self, delivery: Delivery) -> None:
        """Its post is about to be made."""
        self.under_way += 1
        if self._ramp:
            self._ramp_at = self._clock.monotonic()
        if self.has_bulkheads:
            self._by_service[delivery.service_id] += 1
        if self._holds.active and self.probe is None:
            self.probe = delivery
        if self._bucket is not None:
            self._bucket.take(self._clock.monotonic())
            if self._has_turn():
                self._on_open()

    def end(self, delivery: Delivery) -> bool:
        """Its post is over, whatever came of it; whether it was the one that was tried during a hold."""
        self.under_way -= 1
        if not self.under_way and self._ramp == 0:
            self.begin_anew()
        if self.has_bulkheads:
            self._leave_bulkhead(delivery.service_id)
        if self.probe is not delivery:
            return False
        self.probe = None
        return True

    def answered(self, delivery: Delivery) -> None:
        """What an answer says about how many posts may be under way. After `end`."""
        seconds = delivery.post_seconds
        now, kept_back = delivery.began + seconds, False
        if self.has_bulkheads and self._ramp is None:
            kept_back = self._by_service[delivery.service_id] + 1 >= self._most_of_a_service()
        self._limit.answered(now, seconds, self.under_way + 1, kept_back)
        if self._ramp:
            self._widen()
        elif self.limit != self._limit.limit:
            self._set_limit()

    def failed(self, delivery: Delivery, *, refused: bool) -> None:
        """The same of an answer that may come of too many posts. `refused`: it says so."""
        learn = self._limit.refused if refused else self._limit.failed
        learn(delivery.began + delivery.post_seconds, delivery.post_seconds)
        self._set_limit()

    def begin_anew(self) -> None:
        """Open gradually from here on."""
        self._ramp = 1
        self._ramp_at = self._clock.monotonic()
        self._set_limit()

    def _most_of_a_service(self) -> int:
        return max(1, int(self.limit * self._rules.service_share))

    def _leave_bulkhead(self, service_id: str) -> None:
        self._by_service[service_id] -= 1
        if not self._by_service[service_id]:
            del self._by_service[service_id]

    def _counted(self) -> int:
        """The posts under way, without those that a service has beyond its part: it got them before the limit fell, and
        as long as it does not answer them they would take the others' part too."""
        if not self.has_bulkheads:
            return self.under_way
        most = self._most_of_a_service()
        return sum(min(count, most) for count in self._by_service.values())

    def _opens_by_time(self) -> bool:
        """One more for each second without an answer: the first one may be slow, and nobody has been refused."""
        if not self._ramp:
            return False
        wait = self._ramp_at + _PATIENCE - self._clock.monotonic()
        if wait > 0:
            self._open_in(wait)
            return False
        self._widen()
        return self.under_way < self.limit

    def _widen(self) -> None:
        if self._ramp:
            self._ramp += 1
            self._ramp_at = self._clock.monotonic()
            self._set_limit()

    def drain(self) -> None:
        """Nothing new until all that is under way is answered, or somebody calls `begin_anew`."""
        self._ramp = 0 if self.under_way else 1
        self._set_limit()

    def open_wide(self) -> None:
        """Open at once: it was open before."""
        self._ramp = None
        self._set_limit()

    def _set_limit(self) -> None:
        before, found = self.limit, self._limit.limit
        if self._ramp is not None and self._ramp >= found:
            self._ramp = None
        self.limit = found if self._ramp is None else self._ramp
        if self.limit > before:
            self._on_open()

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _look_held(self) -> Look:
        dues = self._holds.next_tries()
        if dues is None or self.probe is not None or (self._committer.full and self._room() <= 0):
            return Look.WAIT
        wait, wait_for_another = (due - self._clock.monotonic() for due in dues)
        if wait > 0:
            self._open_in(wait_for_another if wait_for_another > 0 else wait)
        if wait_for_another > 0 or not self._has_turn():
            return Look.WAIT
        return Look.PROBE_ANOTHER if wait > 0 else Look.PROBE

    def _has_turn(self) -> bool:
        """Whether the rate allows one more now."""
        if self._bucket is None or not self.share:
            return self._rules.rate is None  # before it is known which part is ours, nothing is
        wait = self._bucket.wait(self._clock.monotonic())
        if wait > 0:
            self._open_in(wait)
        return wait <= 0

    def _open_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + max(seconds, _SHORTEST_WAIT)
        if self._alarm is not None:
            if self._rings_at <= at and not self._alarm.cancelled():
                return
            self._alarm.cancel()
        self._rings_at = at
        self._alarm = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._on_open()
