"""How many of the last while's happenings were of one kind. Times are seconds that never go back."""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import NamedTuple

_SLOTS = 10
"""Parts of the span: what is older than it is forgotten a part at a time."""

_DEVIATIONS = 3.0
"""Standard deviations by which a share must exceed a bound to do so surely: by chance one look in 700 says it does."""

_ASKS_FOR_ALL, _FEW_ASKS = 0.05, 2
"""Share of the posts that are asked to wait, from which on all wait, and how many are too few for a share: a vendor may
refuse one end user too many texts."""

_BY_CHANCE = 1e-6
"""Chance of a run of failures from which on it is taken for something else than bad luck."""


class Counts(NamedTuple):
    """Of `total` happenings `marked` were of the kind that is looked for."""

    total: int
    marked: int

    @property
    def share(self) -> float:
        """The marked part, 0 for nothing."""
        return self.marked / self.total if self.total else 0.0

    def surely_above(self, share: float) -> bool:
        """Whether more than chance says that this share of all happenings, seen or not, is marked at least.

        The lower end of Wilson's score interval: of few happenings hardly anything is sure.
        """
        if not self.total:
            return False
        z2 = _DEVIATIONS * _DEVIATIONS
        middle = self.share + z2 / (2 * self.total)
        spread = _DEVIATIONS * sqrt((self.share * (1 - self.share) + z2 / (4 * self.total)) / self.total)
        return middle - spread >= share * (1 + z2 / self.total)

    def explains(self, run: int) -> bool:
        """Whether a run of so many marked ones, which are counted here too, may come by chance among the others."""
        others = Counts(self.total - run, max(0, self.marked - run))
        return others.total >= run and others.share**run >= _BY_CHANCE


class Window:
    """Counts over the last `span` seconds, a tenth more at most."""

    __slots__ = ("_ends", "_marked", "_past", "_slot", "_span", "_total")

    def __init__(self, span: float) -> None:
        self._span = span
        self._slot = span / _SLOTS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._past: deque[tuple[float, int, int]] = deque()
        self._ends = float("-inf")
        self._total = self._marked = 0

    def add(self, now: float, marked: bool) -> None:
        """One more happening."""
        if now >= self._ends:
            self._next_slot(now)
        self._total += 1
        if marked:
            self._marked += 1

    def counts(self, now: float) -> Counts:
        """What the window holds."""
        self._forget(now)
        current = (self._total, self._marked) if now < self._ends + self._span else (0, 0)
        return Counts(
            current[0] + sum(total for _, total, _ in self._past),
            current[1] + sum(marked for _, _, marked in self._past),
        )

    def _next_slot(self, now: float) -> None:
        if self._total:
            self._past.append((self._ends, self._total, self._marked))
        self._forget(now)
        self._ends = now + self._slot
        self._total = self._marked = 0

    def _forget(self, now: float) -> None:
        while self._past and self._past[0][0] + self._span <= now:
            self._past.popleft()


class Streak:
    """Failures in a row, counted from the first one whose post no success has overtaken.

    Only a success whose post began at or after the first failure's ends a streak: one that began earlier says nothing
    about the other side since. A streak starts anew after `span` seconds in which none of its posts was in flight, so
    failures far apart are none. Posts that are answered late, or never in time, keep it alive while they last.
    """

    __slots__ = ("_began", "_ended", "_idle", "_length", "_span")

    def __init__(self, span: float) -> None:
        self._span = span
        self.clear()

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Forget it."""
        self._length = 0
        self._idle = 0.0
        self._began = self._ended = float("inf")

    def failed(self, began: float, now: float) -> int:
        """One more that began then and fails now; how many it is with this one."""
        self._idle += max(0.0, began - self._ended)
        if self._idle >= self._span:
            self.clear()
        self._began = min(self._began, began)
        self._ended = now
        self._length += 1
        return self._length

    def passed(self, began: float) -> bool:
        """Somebody passed who began then; whether that is the end of a streak."""
        ends = began >= self._began
        if ends:
            self.clear()
        return ends


class Asks:
    """Whether the vendor's wish to wait is for one record, or for everybody.

    For everybody: two in a row with nothing accepted between, or surely more than a small share of all posts.
    """

    __slots__ = ("_asked", "_in_a_row")

    def __init__(self, span: float) -> None:
        self._asked = Window(span)
        self._in_a_row = False

    def accepted(self) -> None:
        """A post was accepted."""
        self._in_a_row = False

    def asked(self, now: float, posts: int) -> bool:
        """One more of the `posts` in the last span was asked to wait; whether everybody is meant."""
        in_a_row, self._in_a_row = self._in_a_row, True
        self._asked.add(now, marked=True)
        asked = self._asked.counts(now).marked
        return in_a_row or (asked > _FEW_ASKS and Counts(max(posts, asked), asked).surely_above(_ASKS_FOR_ALL))
