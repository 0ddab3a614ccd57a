"""Memory: how much may be in hand, of one partition too, and the room that the source has to be told of."""

from __future__ import annotations

from collections.abc import Collection

from connector.core.record import Record
from connector.engine.partition import Assignment

_TIMES_WHAT_IS_LEFT = 3
"""A partition may have in hand this many times the room that is left: three quarters of all when only it has much,
three sevenths when two do; there is always room for the others."""


class Budget:
    """Counts records that were taken and are not settled, of `most` and `most_bytes` at all; each partition may have
    `least` records. `freed` is the room, in records and bytes, that nobody told the source of."""

    __slots__ = ("_bytes", "_least", "_most", "_most_bytes", "_records", "freed", "freed_bytes")

    def __init__(self, most: int, most_bytes: int, least: int) -> None:
        self._most, self._most_bytes, self._least = most, most_bytes, least
        self._records = self._bytes = 0
        self.freed = self.freed_bytes = 0

    def free(self, records: Collection[Record]) -> None:
        """These, which were not taken, are not in memory any more."""
        self.freed += len(records)
        self.freed_bytes += sum(record.size for record in records)

    def take(self, assignment: Assignment, size: int) -> None:
        """One more record of this partition is in hand; it has had its room in memory since it arrived."""
        self._records += 1
        self._bytes += size
        assignment.open_bytes += size

    def settle(self, assignment: Assignment, size: int) -> None:
        """One is settled, and leaves the memory."""
        self._records -= 1
        self._bytes -= size
        assignment.open_bytes -= size
        self.freed += 1
        self.freed_bytes += size

    def forget(self, assignment: Assignment) -> None:
        """The partition leaves, with all that it has in memory."""
        self._records -= len(assignment.open)
        self._bytes -= assignment.open_bytes
        self.freed += len(assignment.open)
        self.freed_bytes += assignment.open_bytes
        self.free(assignment.queue)
        assignment.queue.clear()

    def has_much(self, assignment: Assignment) -> bool:
        """Whether this partition has as much in hand as leaves room for the others."""
        count = len(assignment.open)
        return count >= self._least and (count >= self._bound() or assignment.open_bytes >= self._bound_of_bytes())

    def has_room_again(self, assignment: Assignment) -> bool:
        """Whether a partition that had too much in hand is far enough from it again."""
        return 2 * len(assignment.open) <= self._bound() and 2 * assignment.open_bytes <= self._bound_of_bytes()

    @property
    def is_half_taken(self) -> bool:
        """Whether more than half of all room is taken by what is in hand."""
        return 2 * self._records > self._most or 2 * self._bytes > self._most_bytes

    def _bound(self) -> int:
        return max(self._least, _TIMES_WHAT_IS_LEFT * (self._most - self._records))

    def _bound_of_bytes(self) -> int:
        return max(0, _TIMES_WHAT_IS_LEFT * (self._most_bytes - self._bytes))
