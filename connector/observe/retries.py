"""What this process wrote into the retry topic and is not due yet: how old it is, and how often it was posted."""

from __future__ import annotations

from typing import NamedTuple

_MINUTE_MS = 60_000


class Waiting(NamedTuple):
    """Of records that wait for a retry: when the first of them failed first (ms since the epoch), and the most posts
    that one of them has behind it."""

    first_failure_ms: int
    attempts: int

    def and_(self, other: Waiting) -> Waiting:
        """Of both together."""
        return Waiting(
            min(self.first_failure_ms, other.first_failure_ms),
            max(self.attempts, other.attempts),
        )


class Copies:
    """Kept by the minute in which they are due, so that it stays small: a day of minutes at most."""

    def __init__(self) -> None:
        self._by_minute: dict[int, Waiting] = {}

    def written(self, due_ms: int, first_failure_ms: int, attempts: int) -> None:
        """A copy was acknowledged that is due at `due_ms`."""
        minute, one = due_ms // _MINUTE_MS, Waiting(first_failure_ms, attempts)
        known = self._by_minute.get(minute)
        self._by_minute[minute] = one if known is None else known.and_(one)

    def waiting(self, now_ms: int) -> Waiting | None:
        """Of those that are not due yet, to the minute; None when there is none."""
        for minute in [minute for minute in self._by_minute if minute < now_ms // _MINUTE_MS]:
            del self._by_minute[minute]
        found: Waiting | None = None
        for one in self._by_minute.values():
            found = one if found is None else found.and_(one)
        return found
