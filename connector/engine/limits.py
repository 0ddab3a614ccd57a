"""Whether a record may be posted now: holds, what is uncommitted, posts under way, and requests a second."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from math import inf
from typing import Final, NamedTuple, Protocol

from connector.core.pace import Bucket
from connector.core.record import Partition
from connector.engine.commits import Commits
from connector.engine.holds import Holds
from connector.engine.partition import Assignment, Delivery
from connector.engine.services import Services
from connector.engine.timers import Now

_PATIENCE = 1.0
"""Seconds without an answer after which one post more may be under way while posting opens."""


class Limit(Protocol):
    """Finds how many posts may be under way."""

    @property
    def limit(self) -> int:
        """The number now."""

    def answered(self, now: float, seconds: float, under_way: int, kept_back: bool = False) -> None:
        """A post was answered after this many seconds; `under_way` were posted then, this one included.

        `kept_back`: its service had all that one service may have of the limit.
        """

    def refused(self, now: float, seconds: float) -> None:
        """The vendor asked to wait, or for fewer."""

    def failed(self, now: float, seconds: float) -> None:
        """No answer in time, or an error that may come of too many posts."""


class Bounds(NamedTuple):
    """How much at once. `in_flight` posts; `uncommitted` records answered and not in an acknowledged commit;
    `records` and `size` (bytes of keys, values and headers) bound what is in memory."""

    in_flight: int
    uncommitted: int
    records: int
    size: int


class PaceRules(NamedTuple):
    """`rate` in requests a second of the whole deployment, None for no bound. Shares are parts of 1: of the posts for
    the retry topics, and of the posts under way for one service id."""

    rate: float | None = None
    retry_share: float = 0.5
    service_share: float = 1.0


class Admission(Enum):
    """What may go now."""

    GO = auto()
    PROBE = auto()
    """One record, to try whether a hold may end."""
    PROBE_ANOTHER = auto()
    """The same, but none that was refused."""
    FREE_COMMIT = auto()
    """Only a record that keeps others from being committed."""
    WAIT = auto()


GO: Final = Admission.GO
_WAIT: Final = Admission.WAIT
# By these names for every event: on Python 3.11 a member costs a look-up of 0.07 µs each time that it is named.


class Limits:
    """Counts the posts under way. `ours` are the partitions that are ours at any time.

    Posting opens gradually, from one post on and by one more with each answer: at the start, when nobody knows yet
    whether the credentials are right, and after a hold.
    """

    def __init__(
        self,
        rules: PaceRules,
        limit: Limit,
        bounds: Bounds,
        holds: Holds,
        commits: Commits,
        ours: Mapping[Partition, Assignment],
        now: Now,
    ) -> None:
        self._rules = rules
        self._limit = limit
        self._bounds = bounds
        self._holds = holds
        self._commits = commits
        self.ours = ours
        self._now = now
        # Posts that may be under way while it opens; None: it is open, and the limit counts.
        self._ramp: int | None = 1
        self._ramp_at = now.seconds
        self._bucket: Bucket | None = None
        self._is_limited = rules.rate is not None
        self.services = Services() if rules.service_share < 1 else None
        """None: any may have all posts under way."""
        self.probe: Delivery | None = None
        self.under_way = 0
        self.limit = 1
        """Posts that may be under way now."""
        # Of one service.
        self._part = 1
        self.share = 0.0

    @property
    def rate(self) -> float | None:
        """This process's part of the deployment's requests a second."""
        return None if self._rules.rate is None else self._rules.rate * self.share

    @property
    def in_flight(self) -> int:
        """Deliveries that are posted or settled: without those whose copies cannot be written now."""
        return sum(assignment.at_work for assignment in self.ours.values()) - self._commits.waiting_copies

    @property
    def must_free_commit(self) -> bool:
        """Whether the last post that a crash may repeat must be one that makes room when it is settled.

        Any other that is tried during a hold would leave none for it, and everything would wait for ever.
        """
        return self._commits.full and self._posts_left() <= 1

    def set_share(self, share: float) -> None:
        """This process has that part of all partitions."""
        self.share = share
        if self.rate:
            if self._bucket is None:
                self._bucket = Bucket(self.rate)
            else:
                self._bucket.set(self.rate)

    # What may go.

    def admission(self) -> Admission:
        """What may go now."""
        if self._holds.active:
            return self._admission_while_held()
        if self._ramp == 0:
            return _WAIT  # also what keeps others from being committed: it would fail, and go again at once
        if self._commits.full:
            # While a commit is under way or refused, its answer makes room; only then is it sure that none will.
            may_free_commit = self._commits.at_rest and self._posts_left() > 0 and self._rate_allows()
            return Admission.FREE_COMMIT if may_free_commit else _WAIT
        if self.under_way >= self.limit and (self.services is None or self.services.counted() >= self.limit):
            return _WAIT
        return GO if not self._is_limited or self._rate_allows() else _WAIT

    def opens_at(self) -> float:
        """When time alone may let something go; infinity: never."""
        if self._holds.active:
            return self._opens_while_held()
        at = inf
        if self._ramp and self.under_way >= self._part:
            at = self._ramp_at + _PATIENCE
        if self._bucket is not None and self.share and (wait := self._bucket.wait(self._now.seconds)) > 0:
            at = min(at, self._now.seconds + wait)
        return at

    # What goes, and what comes of it.

    def begin(self, delivery: Delivery) -> None:
        """Its post is about to be made."""
        self.under_way += 1
        if self._ramp:
            self._ramp_at = self._now.seconds
        if self.services is not None:
            self.services.begin(delivery.service_id)
        if self._holds.active and self.probe is None:
            self.probe = delivery
        if self._bucket is not None:
            self._bucket.take(self._now.seconds)

    def end(self, delivery: Delivery) -> bool:
        """Its post is over, whatever came of it; whether it was the one that was tried during a hold."""
        self.under_way -= 1
        if not self.under_way and self._ramp == 0:
            self.begin_anew()
        if self.services is not None:
            self.services.end(delivery.service_id)
        if self.probe is not delivery:
            return False
        self.probe = None
        return True

    def answered(self, delivery: Delivery) -> None:
        """What an answer says about how many posts may be under way. After `end`."""
        seconds, kept_back = delivery.post_seconds, False
        if self.services is not None:
            kept_back = self.services.answered(delivery.service_id, seconds) and self._ramp is None
        self._limit.answered(self._now.seconds, seconds, self.under_way + 1, kept_back)
        if self._ramp:
            self._widen()
        elif self.limit != self._limit.limit:
            self._set_limit()

    def failed(self, delivery: Delivery, *, refused: bool) -> None:
        """The same of an answer that may come of too many posts. `refused`: it says so."""
        if self.services is not None:
            self.services.failed(delivery.service_id)
        learn = self._limit.refused if refused else self._limit.failed
        learn(self._now.seconds, delivery.post_seconds)
        self._set_limit()

    # How wide it is open.

    def begin_anew(self) -> None:
        """Open gradually from here on."""
        self._ramp = 1
        self._ramp_at = self._now.seconds
        self._set_limit()

    def drain(self) -> None:
        """Nothing new until all that is under way is answered, or somebody calls `begin_anew`."""
        self._ramp = 0 if self.under_way else 1
        self._set_limit()

    def open_wide(self) -> None:
        """Open at once: it was open before."""
        self._ramp = None
        self._set_limit()

    def pass_time(self) -> None:
        """One more for each second without an answer: the first one may be slow, and none has been refused."""
        if self._ramp and self.under_way >= self._part and self._now.seconds >= self._ramp_at + _PATIENCE:
            self._widen()

    def _widen(self) -> None:
        if self._ramp:
            self._ramp += 1
            self._ramp_at = self._now.seconds
            self._set_limit()

    def _set_limit(self) -> None:
        found = self._limit.limit
        if self._ramp is not None and self._ramp >= found:
            self._ramp = None
        self.limit = found if self._ramp is None else self._ramp
        self._part = max(1, int(self.limit * self._rules.service_share))
        if self.services is not None:
            self.services.part = self._part

    def _posts_left(self) -> int:
        """Posts more after which a crash would still repeat no more than the bounds of uncommitted and in flight.

        Beyond them, by what expired in a hold or what a map has no room for any more, one at a time makes room again.
        """
        in_flight = self.in_flight
        room = self._bounds.uncommitted + self._bounds.in_flight - self._commits.exposed - in_flight
        return 1 if room <= 0 and not in_flight and self._commits.at_rest else room

    def _admission_while_held(self) -> Admission:
        dues = self._holds.next_tries()
        if dues is None or self.probe is not None or (self._commits.full and self._posts_left() <= 0):
            return Admission.WAIT
        due, due_for_others = dues
        if due_for_others > self._now.seconds or not self._rate_allows():
            return Admission.WAIT
        return Admission.PROBE if due <= self._now.seconds else Admission.PROBE_ANOTHER

    def _opens_while_held(self) -> float:
        dues = self._holds.next_tries()
        if dues is None or self.probe is not None:
            return inf
        later = [due for due in dues if due > self._now.seconds]
        if self._bucket is not None and self.share and (wait := self._bucket.wait(self._now.seconds)) > 0:
            later.append(self._now.seconds + wait)
        return min(later, default=inf)

    def _rate_allows(self) -> bool:
        """Whether the rate allows one more now."""
        if self._bucket is None or not self.share:
            return self._rules.rate is None  # before it is known which part is ours, nothing is
        return self._bucket.wait(self._now.seconds) <= 0
