"""What of one partition is settled: the contiguous prefix that may be committed, and what is settled ahead of it.

The tracker has no verb that forgets an open offset: in a trial, any such verb broke the first law within three
steps (confluent-parallel-consumer bug 826 is that mistake). A partition is dropped whole, with its tracker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from typing_extensions import override

from connector.core.settled_map import NO_EPOCH, Run


class Progress(NamedTuple):
    """What a commit made now would say. `counts` are the records of each run of `ahead` that were settled here or
    skipped here: none in a run that was known before and is not reached yet."""

    committable: int
    ahead: tuple[Run, ...]
    counts: tuple[int, ...]


class _Epoch(NamedTuple):
    """From this offset on, and from this many started records on, records have this leader epoch."""

    first: int
    ordinal: int
    epoch: int


class OffsetTracker:
    """Follows the records of one assignment of one partition, in offset order; offsets may have gaps.

    `known` are the runs that were settled before the partition was assigned. Memory grows with what is unfinished,
    never with what is settled ahead of it.

    Law: `committable` never passes a started and unfinished offset, and never goes down.
    """

    __slots__ = ("_epochs", "_known", "_known_end", "_next", "_open", "_ordinals", "_position", "settled")

    def __init__(self, position: int, known: Iterable[Run] = ()) -> None:
        self._position = self._next = position
        self._open: list[int] = []
        self._ordinals: list[int] = []
        self._epochs: list[_Epoch] = []
        self._known = deque(known)
        self._known_end = self._known[-1].last if self._known else -1
        self.settled = 0

    @override
    def __repr__(self) -> str:
        return f"OffsetTracker(committable={self.committable}, open={len(self._open)}, settled={self.settled})"

    @property
    def committable(self) -> int:
        """The offset to commit: that of the lowest unfinished record, or the one behind all that was passed."""
        return self._open[0] if self._open else self._next

    @property
    def has_news(self) -> bool:
        """Whether anything was settled, or passed over, since the assignment."""
        return self.settled > 0 or self.committable > self._position

    @property
    def knows_more(self) -> bool:
        """Whether some of what was settled before the partition was assigned may still come."""
        return bool(self._known)

    @property
    def unfinished(self) -> int:
        """Records started and not finished."""
        return len(self._open)

    @property
    def settled_in_prefix(self) -> int:
        """Records settled since the assignment that a commit of `committable` covers."""
        return self._ordinals[0] if self._open else self.settled

    def is_settled(self, offset: int, epoch: int) -> bool:
        """Whether this record was settled before the partition was assigned. Ask in the order of offsets."""
        known = self._known
        while known and known[0].last < offset:
            known.popleft()
        return bool(known) and known[0].first <= offset and known[0].epoch == epoch

    def is_beyond_known(self, offset: int) -> bool:
        """Whether nothing at this offset or after it was known to be settled when the partition was assigned."""
        return offset > self._known_end

    def start(self, offset: int, epoch: int = NO_EPOCH) -> None:
        """A record is taken. Raises ValueError unless offsets rise: a record offered twice is a bug upstream."""
        if offset < self._next:
            raise ValueError(f"offset {offset} was started already: the next is {self._next}")
        ordinal = self.settled + len(self._open)
        if not self._epochs or self._epochs[-1].epoch != epoch:
            self._epochs.append(_Epoch(offset, ordinal, epoch))
        self._open.append(offset)
        self._ordinals.append(ordinal)
        self._next = offset + 1

    def pass_over(self, end: int) -> None:
        """Every record that the log has below `end` was started: what else lies there is no record."""
        self._next = max(self._next, end)

    def finish(self, offset: int) -> None:
        """A record is settled. Raises ValueError for an offset that is not open."""
        index = bisect_left(self._open, offset)
        if index == len(self._open) or self._open[index] != offset:
            raise ValueError(f"offset {offset} is not open")
        del self._open[index], self._ordinals[index]
        self.settled += 1

    def progress(self) -> Progress:
        """What could be committed now: the prefix, and the runs settled ahead of it."""
        runs: list[Run] = []
        counts: list[int] = []
        for run, count in self._settled_here():
            runs.append(run)
            counts.append(count)
        for known in self._known:
            if known.last < self._next:
                continue
            first = max(known.first, self._next)
            if runs and runs[-1].last + 1 == first and runs[-1].epoch == known.epoch:
                runs[-1] = Run(runs[-1].first, known.last, known.epoch)
            else:
                runs.append(Run(first, known.last, known.epoch))
                counts.append(0)
        return Progress(self.committable, tuple(runs), tuple(counts))

    def _settled_here(self) -> Iterable[tuple[Run, int]]:
        """What lies between two unfinished records is settled, or the log does not have it."""
        self._forget_epochs()
        started = self.settled + len(self._open)
        places = [*zip(self._open, self._ordinals, strict=True), (self._next, started)]
        for (offset, ordinal), (end, end_ordinal) in pairwise(places):
            if end_ordinal - ordinal > 1:
                yield from self._by_epoch(offset + 1, ordinal + 1, end, end_ordinal)

    def _by_epoch(self, first: int, ordinal: int, end: int, end_ordinal: int) -> Iterable[tuple[Run, int]]:
        """The records from `first` up to `end`, of which the last is not among them, by their epochs."""
        epoch = self._epochs[0].epoch
        for change in self._epochs:
            if first < change.first < end:
                if change.ordinal > ordinal:
                    yield Run(first, change.first - 1, epoch), change.ordinal - ordinal
                first, ordinal = change.first, change.ordinal
            if change.first < end:
                epoch = change.epoch
        yield Run(first, end - 1, epoch), end_ordinal - ordinal

    def _forget_epochs(self) -> None:
        """Drop those whose records are all in the prefix."""
        while len(self._epochs) > 1 and self._epochs[1].first <= self.committable:
            del self._epochs[0]
