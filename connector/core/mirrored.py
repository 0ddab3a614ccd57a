"""Where a mirror's copy of a partition goes on: its records are found by what they are, since a mirror moves offsets.

A mirror keeps order, timestamp, key, value and headers of each record, and leaves out what is no record: markers of
transactions, what was aborted, what compaction or retention took. After a crash it may write some records twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

from connector.core.offsets import OffsetTracker
from connector.core.record import Record
from connector.core.settled_map import Run

_DIGEST_BYTES = 16

Why = Literal["foreign", "unlike", "alike"]
"""Why a place is not found: between the source's records lies one that it does not have; where they should begin there
is none of them; or one is met that the source has twice, the same in every byte, settled and not."""


class Mark(NamedTuple):
    """A record of the source by what it is; `settled` there or not."""

    offset: int
    timestamp_ms: int | None
    digest: bytes
    settled: bool


class Found(NamedTuple):
    """The first record that is not settled lies at `offset`. `runs` are settled behind it, `counts` records each.

    `compared`: records that were found to be the same. `behind`: records settled at the source that the mirror does not
    have, at least: it has not come so far.
    """

    offset: int
    runs: tuple[Run, ...]
    counts: tuple[int, ...]
    compared: int
    behind: int


class Unfound(NamedTuple):
    """`offset`: with `foreign` and `alike` that of the first such record."""

    why: Why
    offset: int = 0


def digest_of(record: Record) -> bytes:
    """What a mirror leaves as it is: timestamp, key, value and headers. 16 bytes."""
    parts: list[bytes | None] = [str(record.timestamp_ms).encode(), record.key, record.value]
    for name, value in record.headers:
        parts += (name.encode(errors="surrogateescape"), value)
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.digest()


def marks_of(records: Iterable[Record], commit: int, runs: Iterable[Run], after: int) -> Iterator[Mark]:
    """Marks of a source's records, in offset order, up to so many behind the last one that is settled.

    Settled is what lies below `commit`, and `runs` of the commit's map.
    """
    known = OffsetTracker(commit, runs)
    for record in records:
        offset = record.offset
        settled = offset < commit or known.is_settled(offset, record.leader_epoch)
        yield Mark(offset, record.timestamp_ms, digest_of(record), settled)
        if offset >= commit and known.is_beyond_known(offset):
            after -= 1
            if after <= 0:
                return


def earliest_ms(marks: Iterable[Mark]) -> int | None:
    """The timestamp from which on all of them lie in a mirror; None: they do not tell."""
    times = [mark.timestamp_ms for mark in marks]
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


class Walk:
    """Compares records of a mirror, in offset order, with marks of its source.

    `is_settled_here`: what a group that read the mirror itself has settled. A record that is the same in every byte as
    one that is settled and as one that is not could be either: there is no place then, since a guess may lose a record.
    """

    def __init__(self, marks: Sequence[Mark], is_settled_here: Callable[[Record], bool]) -> None:
        self._marks = marks
        self._is_settled_here = is_settled_here
        self._places: dict[bytes, list[int]] = defaultdict(list)
        for place, mark in enumerate(marks):
            self._places[mark.digest].append(place)
        self._last = -1
        self._compared = 0
        self._has_others_before = self._has_met_settled = False
        self._other: int | None = None
        self._unfound: Unfound | None = None
        self._next = 0
        self._tracker: OffsetTracker | None = None

    def see(self, record: Record) -> bool:
        """Take the next record; whether there is nothing more to compare."""
        places = self._places.get(digest_of(record))
        if places is None:
            if self._last < 0:
                self._has_others_before = True
            elif self._other is None:
                self._other = record.offset
            return False
        if self._other is not None:  # it lies between records of the source
            self._unfound = Unfound("foreign", self._other)
            return True
        states = {self._marks[each].settled for each in places}
        settled, is_settled_here = states == {True}, self._is_settled_here(record)
        if len(states) > 1 and not is_settled_here:
            self._unfound = Unfound("alike", record.offset)
            return True
        self._has_met_settled |= settled
        self._note(record, settled or is_settled_here)
        self._compared += 1
        later = bisect_right(places, self._last)
        if later < len(places):
            self._last = places[later]
        return self._last == len(self._marks) - 1

    def result(self) -> Found | Unfound:
        """The place, once there is nothing more to compare or the mirror ends."""
        if self._unfound is not None:
            return self._unfound
        starts_in_the_middle = self._has_others_before and not self._has_met_settled
        if self._last < 0 or (starts_in_the_middle and any(mark.settled for mark in self._marks)):
            return Unfound("unlike")
        behind = sum(mark.settled for mark in self._marks[self._last + 1 :])
        if self._tracker is None:
            return Found(self._next, (), (), self._compared, behind)
        progress = self._tracker.progress()
        return Found(progress.committable, progress.ahead, progress.counts, self._compared, behind)

    def _note(self, record: Record, settled: bool) -> None:
        offset, tracker = record.offset, self._tracker
        if tracker is None:
            if settled:
                self._next = offset + 1
                return
            tracker = self._tracker = OffsetTracker(offset)
        tracker.start(offset, record.leader_epoch)
        if settled:
            tracker.finish(offset)
