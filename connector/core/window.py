"""How many of the last while's happenings were of one kind. Times are seconds that never go back."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_SLOTS = 10
"""Parts of the span: what is older than it is forgotten a part at a time."""


class Counts(NamedTuple):
    """Of `total` happenings `marked` were of the kind that is looked for."""

    total: int
    marked: int

    @property
    def share(self) -> float:
        """The marked part, 0 for nothing."""
        return self.marked / self.total if self.total else 0.0


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


class Recent:
    """The last `size` happenings, as far as none is older than `span` seconds."""

    __slots__ = ("_marked", "_size", "_span", "_times", "_unmarked", "_unmarked_at")

    def __init__(self, size: int, span: float) -> None:
        self._size = size
        self._span = span
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._times: deque[tuple[float, bool]] = deque()
        self._marked = self._unmarked = 0
        self._unmarked_at = float("-inf")

    def add(self, now: float, marked: bool) -> None:
        """One more happening."""
        self._take_in()
        self._append(now, marked)

    def add_unmarked(self, now: float) -> None:
        """One more that is not marked. These come in crowds: they are only counted until a marked one comes."""
        self._unmarked += 1
        self._unmarked_at = now

    def share(self, now: float) -> float:
        """The marked part; 0 while there were fewer than `size` within the span."""
        self._take_in()
        if len(self._times) < self._size or self._times[0][0] <= now - self._span:
            return 0.0
        return self._marked / self._size

    def _take_in(self) -> None:
        for _ in range(min(self._unmarked, self._size)):
            self._append(self._unmarked_at, marked=False)
        self._unmarked = 0

    def _append(self, now: float, marked: bool) -> None:
        self._times.append((now, marked))
        self._marked += marked
        if len(self._times) > self._size:
            self._marked -= self._times.popleft()[1]


class Streak:
    """Failures after which nobody passed who began when the first of them did, or later.

    Who began before it and passes afterwards says nothing about what became of the other side meanwhile. Failures that
    lie far apart are no streak: it begins anew after `span` seconds in which none of them was under way. Those that are
    answered late, or never in time, count as long as they go on.
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
