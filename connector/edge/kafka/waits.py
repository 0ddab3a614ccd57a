"""How long the owner's thread may wait in one go: nothing wakes a poll for a command."""

from __future__ import annotations

_QUICK, _BUSY, _IDLE = 0.001, 0.005, 0.2
"""Seconds while commits may follow each other, while anything is outstanding, and else. A commit that waits here, or an
answer on which the next one waits, is exposure: a crash posts what it covers twice."""

_QUICK_FOR = 0.01
"""Seconds after a commit in which its answer comes and, at full speed, the next one."""

_LINGER = 0.03
"""Seconds after the engine's last record in which its commit comes: the engine's cadence, and some."""


class Waits:
    """`now` is seconds of a clock that never goes back, the same in every call."""

    def __init__(self) -> None:
        self._committed_at = self._busy_at = float("-inf")

    def committing(self, now: float) -> None:
        """A commit was sent."""
        self._committed_at = now

    def look(self, now: float, *, busy: bool, woken: bool = False) -> float:
        """Seconds for this turn; `busy` while the engine has records in hand or a commit has no answer.

        `woken`: the wait is for commands alone, so that the next commit ends it.
        """
        if busy:
            self._busy_at = now
        if not woken and now < self._committed_at + _QUICK_FOR:
            return _QUICK
        return _BUSY if now < self._busy_at + _LINGER else _IDLE
