"""Back-pressure as credit: whether there is room to take more, and when the client is told to fetch no more."""

from __future__ import annotations

from enum import Enum, auto

_FULL_BEFORE_PAUSE = 1.0
"""Seconds to stay full before partitions are paused, which throws away what was prefetched for them."""


class Verdict(Enum):
    """What to do in a turn."""

    TAKE = auto()
    RESUME = auto()
    """There is room again: resume what was paused, then take."""
    WAIT = auto()
    PAUSE = auto()
    """It stayed full: pause everything, and wait."""


class Room:
    """Records and bytes that the flow can still take: what was given less what was used.

    `give` belongs to the flow's thread and the rest to the owner's: each number has one writer, so no lock is needed.
    """

    def __init__(self) -> None:
        self._given_records = self._given_size = 0
        self._used_records = self._used_size = 0
        self._capacity = 0
        self._full_since: float | None = None
        self.paused = False

    def give(self, records: int, size: int) -> None:
        """Credit for so many more; the first call sets the capacity."""
        self._capacity = self._capacity or records
        self._given_records += records
        self._given_size += size

    def use(self, records: int, size: int) -> None:
        """So many were taken. The last batch may overdraw."""
        self._used_records += records
        self._used_size += size

    @property
    def is_in_use(self) -> bool:
        """Whether the flow has any record in hand."""
        return self._given_records - self._used_records < self._capacity

    def look(self, now: float) -> Verdict:
        """Decide for this turn; `now` in seconds of a clock that never goes back. Resuming takes a quarter of room."""
        left = self._given_records - self._used_records
        if left > 0 and self._given_size > self._used_size:
            self._full_since = None
            if self.paused and left * 4 >= self._capacity:
                self.paused = False
                return Verdict.RESUME
            return Verdict.TAKE
        self._full_since = self._full_since or now
        if self.paused or now - self._full_since < _FULL_BEFORE_PAUSE:
            return Verdict.WAIT
        self.paused = True
        return Verdict.PAUSE
