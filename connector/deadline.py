"""Deadlines that are judged after the input that has arrived.

A process that was stopped, throttled or moved finds its deadlines over and, unread, the answers that came in time.
`asyncio.timeout` throws such an answer away, even when it is in hand already: it cancels the task that waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

PASSES = 8
"""Turns of the event loop between a deadline and its verdict. The sockets are read in the second at the latest; the
others are for what was read to reach whoever waits for it, by way of `Pool._turn` and of futures."""


_LATE = 0.1  # seconds; what a busy event loop may be late by
_AFTER_A_STALL = 1.0  # seconds


class Deadlines(Generic[T]):
    """One time-out for many, so that who began first is due first: one timer for all of them.

    `overdue` is called with each that was not discarded within `seconds`. Made on a running event loop.
    """

    __slots__ = ("_due", "_loop", "_overdue", "_seconds", "_timer")

    def __init__(self, seconds: float, overdue: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._overdue = overdue
        self._loop = asyncio.get_running_loop()
        self._due: dict[T, float] = {}
        self._timer: asyncio.Handle | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._due))

    def add(self, item: T) -> None:
        """The time of this one begins to run."""
        self._due[item] = due = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._ring)

    def discard(self, item: T) -> None:
        """This one is over in time."""
        self._due.pop(item, None)

    def stop(self) -> None:
        """Forget all of them."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        now = self._loop.time()
        if self._due and next(iter(self._due.values())) <= now:
            self._timer = self._loop.call_soon(self._look, now, PASSES - 1)
        else:
            self._rest()

    def _look(self, now: float, passes: int) -> None:
        if passes:
            self._timer = self._loop.call_soon(self._look, now, passes - 1)
            return
        self._timer = None
        late = []
        for item, due in self._due.items():
            if due > now:
                break
            late.append(item)
        for item in late:
            if self._due.pop(item, None) is not None:  # not discarded by what became of another
                self._overdue(item)
        self._rest()

    def _rest(self) -> None:
        first = next(iter(self._due.values()), None)
        self._timer = None if first is None else self._loop.call_at(first, self._ring)


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """Return what `work` returns. Raises TimeoutError, with the work cancelled, when it takes longer than `seconds`.

    What is done by the time of the verdict, or fails by itself, is never a TimeoutError of ours. When the deadline is
    noticed late, because the process was frozen, a second more is waited: threads were frozen as well.
    """
    future = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    try:
        await asyncio.wait({future}, timeout=seconds)
        if not future.done() and loop.time() > due + _LATE:
            await asyncio.wait({future}, timeout=_AFTER_A_STALL)
        for _ in range(PASSES):
            if future.done():
                break
            await asyncio.sleep(0)
        if not future.done():
            future.cancel()
            await asyncio.wait({future})
            if future.cancelled():
                raise TimeoutError
        return future.result()
    finally:
        future.cancel()
