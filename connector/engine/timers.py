"""The time as the engine was last told, and what is to be done later: nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import TypeVarTuple

Ts = TypeVarTuple("Ts")

_FEW = 64
"""Cancelled timers that are not worth a sweep."""


class Now:
    """The time of the input that is handled: `ms` of the wall clock since the epoch, `seconds` that never go back."""

    __slots__ = ("ms", "seconds")

    def __init__(self, seconds: float = 0.0, ms: int = 0) -> None:
        self.seconds = seconds
        self.ms = ms


class Timer:
    """Something to be done at `at` (seconds), unless it is cancelled. Of the same time, the first made rings first."""

    __slots__ = ("_do", "at", "order")

    def __init__(self, at: float, order: int, do: Callable[[], None]) -> None:
        self.at = at
        self.order = order
        self._do: Callable[[], None] | None = do

    def __lt__(self, other: Timer) -> bool:
        return (self.at, self.order) < (other.at, other.order)

    @property
    def is_cancelled(self) -> bool:
        """Whether it will not ring, or has rung."""
        return self._do is None

    def cancel(self) -> None:
        """Do nothing then; harmless afterwards."""
        self._do = None

    def ring(self) -> None:
        """Do it."""
        do, self._do = self._do, None
        if do is not None:
            do()


class Timers:
    """All deadlines of the engine, of which its driver needs to know the first.

    Law: each one that was not cancelled rings once, not before its time, and in the order of their times.
    """

    def __init__(self, now: Now) -> None:
        self._now = now
        self._heap: list[Timer] = []
        self._made = 0
        self._sweep_at = _FEW

    def __len__(self) -> int:
        """How many are kept, cancelled ones included."""
        return len(self._heap)

    @property
    def first(self) -> float:
        """When the next one rings; infinity for none."""
        heap = self._heap
        while heap and heap[0].is_cancelled:
            heappop(heap)
        return heap[0].at if heap else inf

    def after(self, seconds: float, do: Callable[[*Ts], None], *arguments: *Ts) -> Timer:
        """Do it in this many seconds."""
        return self.at(self._now.seconds + max(0.0, seconds), do, *arguments)

    def at(self, at: float, do: Callable[[*Ts], None], *arguments: *Ts) -> Timer:
        """Do it at this time."""
        self._made += 1
        timer = Timer(at, self._made, lambda: do(*arguments))
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        heappush(self._heap, timer)
        return timer

    def ring(self) -> None:
        """Do all that is due; what that puts off to now is left for the next time."""
        heap, last = self._heap, self._made
        while heap and heap[0].at <= self._now.seconds and heap[0].order <= last:
            heappop(heap).ring()

    def _sweep(self) -> None:
        """Forget the cancelled ones, or those that are set and cancelled again and again would fill the memory."""
        self._heap = [timer for timer in self._heap if not timer.is_cancelled]
        heapify(self._heap)
        self._sweep_at = max(_FEW, 2 * len(self._heap))
