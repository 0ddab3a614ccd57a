"""When one record is tried while all others wait, and which one. Times are seconds that never go back."""

from __future__ import annotations

from typing import NamedTuple

from connector.core.record import Partition

_JITTER = 0.2
"""Share of a wait by which it scatters, so that the pods of a deployment do not try together."""


_AT_A_TIME = 3
"""Records that are tried one after the other while some pass."""


class Intervals(NamedTuple):
    """Waits before the first try and, doubling, up to the longest. Seconds."""

    first: float
    longest: float


class Tries:
    """Growing waits between tries. `chance` in [0, 1) places a wait within ± 20 %.

    `due`: when any record may be tried; `due_for_others`, never later: one that was not refused yet. `trickle`: where
    some posts pass, three records are tried one after the other, and waits grow only after so many tries in vain.
    """

    def __init__(
        self, intervals: Intervals, now: float, chance: float, *, others_at_once: bool = False, trickle: int = 0
    ) -> None:
        self._trickle = trickle
        self._longest = intervals.longest
        self._wait = intervals.first
        self._changed = float("-inf")
        self.made = 0
        self.due = self.due_for_others = now
        self._wait_longer(now, chance)
        if others_at_once:
            self.due_for_others = now
            self._wait = intervals.first

    def failed(self, began: float, now: float, chance: float) -> None:
        """A try that began then was made, and nothing is better; what changed since is still to be tried."""
        self.made += 1
        if began < self._changed:
            return
        if self.made < self._trickle and self.made % _AT_A_TIME:
            self.due = self.due_for_others = now
        else:
            self._wait_longer(now, chance)

    def at_once(self, now: float) -> None:
        """Something changed: the next try is due now."""
        self._changed = now
        self.due = min(self.due, now)
        self.due_for_others = min(self.due_for_others, now)

    def _wait_longer(self, now: float, chance: float) -> None:
        self.due = self.due_for_others = now + self._wait * (1 + _JITTER * (2 * chance - 1))
        if self.made >= self._trickle:
            self._wait = min(self._wait * 2, self._longest)


class Tried:
    """Which partitions and services were tried when, so that each try is another one: one record, one partition or one
    service may be what is wrong."""

    def __init__(self) -> None:
        self._at: dict[Partition | str, int] = {}
        self._count = 0

    def note(self, partition: Partition, service_id: str) -> None:
        """One of this partition and service was refused, or is tried."""
        self._count += 1
        self._at[partition] = self._at[service_id] = self._count

    def rank(self, partition: Partition, service_id: str) -> tuple[int, int]:
        """The lower, the longer ago: by its service, then by its partition; 0 for never."""
        return self._at.get(service_id, 0), self._at.get(partition, 0)
