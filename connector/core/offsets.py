"""What of one partition is settled: the contiguous prefix that may be committed, and what is settled ahead of it.

The tracker has no verb that forgets an open offset: in a trial, any such verb broke the first law within three
steps (confluent-parallel-consumer bug 826 is that mistake). A partition is dropped whole, with its tracker.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Run(NamedTuple):
    """Every record of the log from offset `first` up to and including `last` is settled."""

    first: int
    last: int


class Progress(NamedTuple):
    """What a commit made now would say. `settled` counts records settled since the partition was assigned."""

    committable: int
    ahead: tuple[Run, ...]
    settled: int


class OffsetTracker:
    """Follows the records of one assignment of one partition, in offset order; offsets may have gaps.

    Law: `committable` never passes a started and unfinished offset, and never goes down.
    """

    __slots__ = ("_ahead", "_next", "_open", "settled")

    def __init__(self, position: int) -> None:
        self._next = position
        self._open: deque[int] = deque()
        self._ahead: set[int] = set()
        self.settled = 0

    def __repr__(self) -> str:
        return f"OffsetTracker(committable={self.committable}, open={len(self._open)}, ahead={len(self._ahead)})"

    @property
    def committable(self) -> int:
        """The offset to commit: that of the lowest unfinished record, or the one after the last started."""
        return self._open[0] if self._open else self._next

    @property
    def unfinished(self) -> int:
        """Records started and not finished."""
        return len(self._open) - len(self._ahead)

    @property
    def settled_in_prefix(self) -> int:
        """Records settled since the assignment that a commit of `committable` covers."""
        return self.settled - len(self._ahead)

    def start(self, offset: int) -> None:
        """A record is taken. Raises ValueError unless offsets rise: a record offered twice is a bug upstream."""
        if offset < self._next:
            raise ValueError(f"offset {offset} was started already: the next is {self._next}")
        self._open.append(offset)
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """A record is settled. Raises ValueError for an offset that is not open."""
        open_, ahead = self._open, self._ahead
        if not open_ or offset < open_[0] or offset >= self._next or offset in ahead:
            raise ValueError(f"offset {offset} is not open")
        self.settled += 1
        if offset != open_[0]:
            ahead.add(offset)
            return
        open_.popleft()
        while open_ and open_[0] in ahead:
            ahead.remove(open_.popleft())

    def progress(self) -> Progress:
        """What could be committed now: the prefix, and the runs settled ahead of it."""
        return Progress(self.committable, self._runs() if self._ahead else (), self.settled)

    def _runs(self) -> tuple[Run, ...]:
        """Runs over the records that exist: a gap of the log between two settled records does not end a run."""
        runs: list[Run] = []
        first: int | None = None
        last = 0
        for offset in self._open:
            if offset in self._ahead:
                first = offset if first is None else first
                last = offset
            elif first is not None:
                runs.append(Run(first, last))
                first = None
        if first is not None:
            runs.append(Run(first, last))
        return tuple(runs)
