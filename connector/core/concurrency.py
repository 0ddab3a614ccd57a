"""How many posts may be under way, found by how long the answers take. Time is an argument, in seconds.

With more posts under way more are answered, until all of the vendor's servers are busy; from there on more only wait.
That point is looked for in the manner of TCP Vegas, which keeps a small queue, and not by running into refusals, as
additive increase and multiplicative decrease do: docs/concurrency.md compares them.
"""

from __future__ import annotations

from math import inf, sqrt

_FIRST = 10
"""Posts to begin with: the engine opens from one on anyway, and growing is quick."""

_FEWEST, _ENOUGH, _ROUNDS = 10, 100, 2
"""Answers that make a window when its time is over, and those that end it before, if they are also so many times the
limit: of hundreds under way the first hundred answers are the quickest."""

_SHORTEST, _ROUND_TRIPS = 0.1, 3
"""Seconds, and mean round trips, that a window lasts at least unless it has enough answers."""

_SURE, _SURE_ANSWERS = 0.03, 200
"""The standard error of a window's mean root, as a share of it, above which it goes on, and the answers after which it
does not: the least of many means that scatter lies far below what an answer takes, and all else would seem to wait."""

_UNSEEN = 0.01
"""Seconds below which no one queues at the vendor: such times are made by our own event loop."""

_SMALL_QUEUE, _LARGE_QUEUE = 2, 4
"""Posts that may wait at the vendor when few are under way: up to the first the limit grows, above the second it
falls."""

_SMALL_SHARE, _LARGE_SHARE = 1 / 3, 1 / 2
"""The same as shares of those under way, for when they are many: answers scatter, and a share of them is noise."""

_FALL, _CUT = 0.75, 0.7
"""What the limit is multiplied by when too many wait, and when the vendor refuses for overload."""

_AS_SLOW = 0.75
"""The share of what an answer took when the limit began to fall above which, with half the limit, it takes as long as
then: the answers did not wait for each other, and the vendor has become slower."""

_BAND, _PATIENCE = 0.85, 3.0
"""From this share on of the limit at which the vendor last refused, and as far beyond, it grows by one in so many
seconds: what was too much is probably still too much."""

_REFUSED, _FORGET = 0.015, 1 / 1000
"""The share of refusals among the last answers, about a thousand, up to which they change nothing: a vendor may refuse
one end user too many texts."""

_FEW_REFUSALS, _FEW_FAILURES, _BURST = 3, 10, 0.25
"""Refusals and failures in a window, and their share of its answers, up to which they are no burst: some failures are
made by every day."""

_LOOK_EVERY, _LOOK_ROUND_TRIPS = 10.0, 100
"""Seconds, and round trips, between two looks at how long an answer takes when nobody waits: with half the limit, for
one window. Without them a queue that stays would be taken for the way the vendor is."""


class Adaptive:
    """Between `floor` and `ceiling`. Decides once a window; the answers in between are only added up."""

    __slots__ = (
        "_answers",
        "_base",
        "_ceiling",
        "_cut_at",
        "_enough",
        "_failures",
        "_fell_from",
        "_fell_mean",
        "_floor",
        "_full",
        "_grow_at",
        "_look_at",
        "_looked_from",
        "_refusals",
        "_refused",
        "_roots",
        "_seconds",
        "_since",
        "_struck",
        "_under_way",
        "_until",
        "limit",
    )

    def __init__(self, floor: int, ceiling: int) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self.limit = max(floor, min(_FIRST, ceiling))
        self._base = inf
        self._struck = 0
        self._refused = 0.0
        self._grow_at = self._cut_at = self._since = -inf
        self._look_at = inf
        # The limit before a look; 0 while there is none.
        self._looked_from = 0
        # The limit before it began to fall, 0 while it does not, and the mean at which that was.
        self._fell_from = 0
        self._fell_mean = 0.0
        self._clear(0.0, 0.0)

    def answered(self, now: float, seconds: float, under_way: int, kept_back: bool = False) -> None:
        """A post was answered at `now` after this many seconds; this many were under way, this one included.

        `kept_back`: there would have been more, but for the part of the limit that its kind may have.
        """
        self._refused -= self._refused * _FORGET
        if now - seconds < self._since:
            return  # it was posted under another limit
        self._answers += 1
        self._seconds += seconds
        self._roots += sqrt(seconds)
        self._under_way += under_way
        if kept_back or under_way >= self.limit:
            self._full += 1
        if self._answers >= self._enough or (now >= self._until and self._answers >= _FEWEST and self._is_sure()):
            self._decide(now)

    def refused(self, now: float, seconds: float) -> None:
        """The vendor asked to wait, or for fewer: 429, or a `Retry-After`."""
        self._refused += (1 - self._refused) * _FORGET
        self._refusals += 1
        burst = self._refusals > max(_FEW_REFUSALS, _BURST * (self._answers + self._refusals))
        if (burst or self._refused > _REFUSED) and now - seconds >= self._cut_at:
            self._cut(now)

    def failed(self, now: float, seconds: float) -> None:
        """No answer in time, or an error that may come of too many posts; some are made by every day."""
        self._failures += 1
        many = self._failures > max(_FEW_FAILURES, _BURST * (self._answers + self._failures))
        if many and now - seconds >= self._cut_at:
            self._cut(now)

    def _is_sure(self) -> bool:
        """Whether the mean would hardly be another one with other answers."""
        root = self._roots / self._answers
        variance = self._seconds / self._answers - root * root
        return self._answers >= _SURE_ANSWERS or variance <= self._answers * (_SURE * root) ** 2

    def _decide(self, now: float) -> None:
        # The square of the mean root: a mean on which the few slowest answers weigh less.
        mean = (self._roots / self._answers) ** 2
        used = self._under_way / self._answers
        full = self._full * 2 >= self._answers
        if self._looked_from:
            self._end_look(now, mean, self._looked_from)
            return
        self._base = min(self._base, mean)
        waiting = used * (1 - max(self._base, _UNSEEN) / max(mean, _UNSEEN))
        if waiting > max(_LARGE_QUEUE, used * _LARGE_SHARE):
            self._fall(now, mean)
            return
        self._fell_from = 0
        if full and now >= self._look_at and mean > _UNSEEN:
            self._looked_from = self.limit
            self._set(now, mean, self.limit // 2)
        elif full and now >= self._grow_at and (room := max(_SMALL_QUEUE, used * _SMALL_SHARE) - waiting) >= 0:
            self._grow(now, mean, room)
        else:
            self._clear(now, mean)
        if self._look_at == inf:
            self._look_at = now + max(_LOOK_EVERY, _LOOK_ROUND_TRIPS * mean)

    def _fall(self, now: float, mean: float) -> None:
        """By a quarter; half of where it began is as good as a look."""
        if not self._fell_from:
            self._fell_from, self._fell_mean = self.limit, mean
        elif self.limit * 2 <= self._fell_from and mean > self._fell_mean * _AS_SLOW:
            self._end_look(now, mean, self._fell_from)
            return
        self._set(now, mean, int(self.limit * _FALL))

    def _grow(self, now: float, mean: float, room: float) -> None:
        """By half of what may wait besides what does, or by one where the vendor refused before."""
        if self._struck * _BAND <= self.limit <= self._struck / _BAND:
            self._grow_at = now + _PATIENCE
            room = 0.0
        self._set(now, mean, self.limit + max(1, int(room / 2)))

    def _end_look(self, now: float, mean: float, before: int) -> None:
        """An answer takes so long when nobody waits: the limit is again what it was `before`."""
        self._base = mean
        self._look_at = now + max(_LOOK_EVERY, _LOOK_ROUND_TRIPS * mean)
        self._looked_from = self._fell_from = 0
        self._set(now, mean, before)

    def _cut(self, now: float) -> None:
        self._struck = max(self.limit, self._looked_from)
        self._looked_from = self._fell_from = 0
        self._refused = 0.0
        self._cut_at = now
        self._grow_at = now + _PATIENCE
        self._set(now, 0.0, int(self.limit * _CUT))

    def _set(self, now: float, mean: float, limit: int) -> None:
        limit = max(self._floor, min(self._ceiling, limit))
        if limit != self.limit:
            # Not where it stays: of what is posted from now on, the quickest are answered first.
            self.limit = limit
            self._since = now
        self._clear(now, mean)

    def _clear(self, now: float, mean: float) -> None:
        self._answers = self._refusals = self._failures = self._under_way = self._full = 0
        self._roots = self._seconds = 0.0
        self._enough = max(_ENOUGH, _ROUNDS * self.limit)
        self._until = now + max(_SHORTEST, _ROUND_TRIPS * mean)


class Fixed:
    """Always the same."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, now: float, seconds: float, under_way: int, kept_back: bool = False) -> None:
        """Nothing is learned."""

    def refused(self, now: float, seconds: float) -> None:
        """Nothing is learned."""

    def failed(self, now: float, seconds: float) -> None:
        """Nothing is learned."""
