"""Back-pressure as credit: whether there is room to take more, and when a client is told to fetch no more."""

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


class Credit:
    """Records and bytes that the engine can still take, of all members together: what was given less what each used.

    `give` belongs to the engine's thread, and what a `MemberCredit` used to its member's thread: each number has one
    writer, so no lock is needed.
    """

    def __init__(self) -> None:
        self._records = self._size = 0
        self._members: list[MemberCredit] = []
        self.capacity = 0

    def of_member(self) -> MemberCredit:
        """One member's side. Before any thread has begun."""
        member = MemberCredit(self)
        self._members.append(member)
        return member

    def give(self, records: int, size: int) -> None:
        """Credit for this many more; the first call sets the capacity."""
        self.capacity = self.capacity or records
        self._records += records
        self._size += size

    @property
    def records(self) -> int:
        """How many more; below 0 when the last batches overdrew."""
        return self._records - sum(member.used_records for member in self._members)

    @property
    def size(self) -> int:
        """Bytes more."""
        return self._size - sum(member.used_size for member in self._members)


class MemberCredit:
    """The credit as one member sees it. Each member's last batch may overdraw it."""

    def __init__(self, credit: Credit) -> None:
        self._credit = credit
        self._used_when_idle = 0
        self._full_since: float | None = None
        self.used_records = self.used_size = 0
        self.paused = False

    def use(self, records: int, size: int) -> None:
        """So many were taken by this member."""
        self.used_records += records
        self.used_size += size

    @property
    def is_in_use(self) -> bool:
        """Whether the engine has any record in hand, and some of this member's since it last had none."""
        if self._credit.records >= self._credit.capacity:
            self._used_when_idle = self.used_records
        return self.used_records > self._used_when_idle

    def look(self, now: float) -> Verdict:
        """Decide for this turn; `now` in seconds of a clock that never goes back. Resuming takes a quarter of room."""
        left = self._credit.records
        if left > 0 and self._credit.size > 0:
            self._full_since = None
            if self.paused and left * 4 >= self._credit.capacity:
                self.paused = False
                return Verdict.RESUME
            return Verdict.TAKE
        self._full_since = self._full_since or now
        if self.paused or now - self._full_since < _FULL_BEFORE_PAUSE:
            return Verdict.WAIT
        self.paused = True
        return Verdict.PAUSE
