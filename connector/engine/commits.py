"""When to commit, and how much may be answered but not yet in an acknowledged commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from connector.core.record import Partition, Record
from connector.core.settled_map import BOUND, encode
from connector.core.signals import METADATA_OF_A_REQUEST, Commit, Committed
from connector.engine.blocks import Blocks
from connector.engine.context import Context
from connector.engine.messages import SendCommit
from connector.engine.partition import Assignment
from connector.engine.timers import Timer

CADENCE = 0.02
"""Seconds that a few settled records wait for more, from the first of them or from the last commit's answer on: a
commit costs the broker a write."""

ENOUGH = 16
"""Newly settled records from which on the next commit does not wait for that: at full speed commits follow each other
without a pause, since whatever lies between two of them is posted twice by a crash."""

AT_MOST_OF_THE_TIME = 0.05
"""The share of the time that making commits which do not wait for `CADENCE` may take."""

A_RUN, A_PARTITION = 4e-6, 2e-5
"""Seconds that it takes to tell of one run of offsets settled ahead, and of one partition: a long map has a thousand
runs. (Measured, on a slow machine; the engine reads no clock.)"""

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
"""Seconds between tries while the broker takes no commits."""

SLOW = 1.0
"""Seconds without an answer from which on a commit is in doubt, as one that was refused is: the group may have given up
on us, and then all that is posted meanwhile is posted again by somebody else."""

IN_DOUBT = 0.1
"""The share of the bound that may be uncommitted while commits are in doubt."""

CROWDED, ROOMY = 0.75, 0.5
"""The share of a map's bound from which on its partition takes nothing new (what is under way then still fits), and
below which it goes on: each time it waits, what was prefetched for it is thrown away."""

_SHORTEST_MAP = 128
"""Characters below which a map is left out: the log's identity alone needs about 80."""

_TOO_LARGE, _ANY_ERROR = "offset_metadata_too_large", "unknown"
"""How a broker refuses metadata. It says `unknown` when the whole request is too large (and for other reasons)."""


class _Sent(NamedTuple):
    """A commit of one partition: how far its map reaches, how many were settled by then, what of that it leaves out,
    and how many runs there were to tell of."""

    assignment: Assignment
    commit: Commit
    mapped_up_to: int
    settled_count: int
    left_out: int
    runs: int

    @property
    def says_ahead(self) -> bool:
        """Whether its map has runs."""
        return self.mapped_up_to >= self.commit.offset


class Commits:
    """One commit under way at a time; a partition's commit never goes down within its assignment."""

    def __init__(self, bound: int, blocks: Blocks, context: Context) -> None:
        """`bound`: records that may be answered and in no acknowledged commit."""
        self._blocks = blocks
        self._now, self._timers, self._outbox, self._events = context
        self._bound = self._bound_now = bound
        self._bound_in_doubt = max(1, round(bound * IN_DOUBT))
        self._doubts: Timer | None = None
        self._map_bound = BOUND
        self._request_bound = METADATA_OF_A_REQUEST
        self._dirty: dict[Assignment, None] = {}
        self._under_way: dict[Partition, _Sent] = {}
        self._sent_at = self._began_at = self._spent = 0.0
        self._timer: Timer | None = None
        self._new = 0
        # Whether the commit that is scheduled comes as soon as it may.
        self._is_pressed = False
        self._refused = False
        self._backoff = FIRST_BACKOFF
        self.uncommitted = 0
        self.waiting_copies = 0
        """Records answered whose copies cannot be written now, or whose entries in the ledger are waited for."""
        self.last_acknowledged = self._now.seconds

    @property
    def full(self) -> bool:
        """Whether posting has to wait for a commit: at the bound of what a crash would post twice."""
        return self.uncommitted + self.waiting_copies >= self._bound_now

    @property
    def stop_posting(self) -> bool:
        """Whether posting waits for more than the commit under way, as it does for milliseconds at full speed."""
        in_doubt = self._refused or self._bound_now == self._bound_in_doubt
        return self.full and (in_doubt or self.at_rest)

    @property
    def exposed(self) -> int:
        """Records that are answered and in no acknowledged commit, also those that wait for their copies."""
        return self.uncommitted + self.waiting_copies

    @property
    def at_rest(self) -> bool:
        """Whether the broker acknowledged all that can be committed: waiting for it makes no room."""
        return not (self._dirty or self._under_way)

    def settled(self, assignment: Assignment) -> None:
        """One more record of this partition is settled."""
        assignment.settled_count += 1
        assignment.uncovered += 1
        self.uncommitted += 1
        self._new += 1
        self._changed(assignment)

    def skipped(self, assignment: Assignment, record: Record) -> None:
        """A record had been settled before. The map it was found in covers it, unless a shorter one took its place."""
        if record.offset > assignment.mapped_up_to:
            self.settled(assignment)
        else:
            self._changed(assignment)

    def passed_over(self, assignment: Assignment) -> None:
        """The log goes on without records: nothing was answered, and the commit follows all the same."""
        self._changed(assignment)

    def final(self, assignments: Iterable[Assignment]) -> dict[Partition, Commit]:
        """What is not in an acknowledged commit of partitions that are given up; they are no longer counted here.

        One that was handed over while the others drained is not ours to commit: it may have gone on elsewhere.
        """
        leaving = [assignment for assignment in assignments if not assignment.gone]
        commits = {a.partition: sent.commit for a in leaving if _says_more(sent := self._commit_of(a))}
        for assignment in leaving:
            self.forget(assignment)
        return commits

    def forget(self, assignment: Assignment) -> None:
        """The partition is not ours to commit any more."""
        self._dirty.pop(assignment, None)
        self.uncommitted -= assignment.uncovered
        assignment.uncovered = 0

    def answered(self, event: Committed) -> None:
        """The broker answered the commit under way."""
        sent = [one for one in self._under_way.values() if not one.assignment.gone]
        self._under_way = {}
        self._refused = event.error is not None
        self._forget_doubts()
        in_doubt = event.error not in (None, _TOO_LARGE, _ANY_ERROR)
        self._bound_now = self._bound_in_doubt if in_doubt else self._bound
        if event.error is None:
            self._backoff = FIRST_BACKOFF
            self.last_acknowledged = self._now.seconds
            self._events.commit_acknowledged(self.last_acknowledged - self._sent_at)
            for one in sent:
                self._acknowledged(one)
        else:
            self._events.commit_failed(event.error)
            self._dirty |= {one.assignment: None for one in sent}
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
            self._shrink(event.error, [one for one in sent if one.commit.metadata])
        if not self._dirty:
            return
        wait = self._pause if event.error is None else self._backoff
        if wait > 0:
            self._schedule(wait)
        else:
            self._send()  # not in the loop's next turn, which is milliseconds away at full speed

    def stop(self) -> None:
        """No more commits from here."""
        self._cancel_timer()
        self._forget_doubts()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _doubt(self) -> None:
        self._bound_now = self._bound_in_doubt

    def _forget_doubts(self) -> None:
        if self._doubts is not None:
            self._doubts.cancel()
            self._doubts = None

    def _changed(self, assignment: Assignment) -> None:
        self._dirty[assignment] = None
        if not self._under_way and (self._timer is None or (not self._is_pressed and self._presses)):
            self._is_pressed = self._presses
            self._schedule(self._pause)

    @property
    def _presses(self) -> bool:
        """Whether there is enough for a commit. After a refusal its backoff stands."""
        return (self._new >= ENOUGH or self.full) and not self._refused

    @property
    def _pause(self) -> float:
        """Seconds from now to the next commit."""
        if not self._presses:
            return CADENCE
        if self.full:
            return 0.0
        earliest = self._began_at + self._spent / AT_MOST_OF_THE_TIME
        return min(CADENCE, max(0.0, earliest - self._now.seconds))

    def _schedule(self, seconds: float) -> None:
        if self._timer is None or self._now.seconds + seconds < self._timer.at:
            self._cancel_timer()
            self._timer = self._timers.after(seconds, self._send)

    def _send(self) -> None:
        self._timer = None
        self._is_pressed = False
        if self._under_way:
            return
        self._new = 0
        self._began_at = self._now.seconds
        self._spent = 0.0
        room = self._request_bound
        while self._dirty:
            assignment = next(iter(self._dirty))
            sent = self._commit_of(assignment)
            self._spent += A_PARTITION + A_RUN * sent.runs
            self._see_crowd(assignment, sent)
            room -= len(sent.commit.metadata)
            if room < 0 and self._under_way:
                break
            del self._dirty[assignment]
            if _says_more(sent):
                assignment.mapped_up_to = min(assignment.mapped_up_to, sent.mapped_up_to)
                self._under_way[assignment.partition] = sent
        if self._under_way:
            self._sent_at = self._now.seconds
            self._doubts = self._timers.after(SLOW, self._doubt)
            self._outbox.append(SendCommit({partition: sent.commit for partition, sent in self._under_way.items()}))

    def _commit_of(self, assignment: Assignment) -> _Sent:
        offset, ahead, counts = assignment.tracker.progress()
        text, inside = encode(offset, ahead, assignment.identity, self._map_bound)
        mapped_up_to = ahead[inside - 1].last if inside else offset - 1
        left_out = sum(counts[inside:])
        assignment.mapped = assignment.identity is not None and not left_out
        return _Sent(assignment, Commit(offset, text), mapped_up_to, assignment.settled_count, left_out, len(ahead))

    def _acknowledged(self, sent: _Sent) -> None:
        assignment = sent.assignment
        assignment.committed = sent.commit
        assignment.mapped_up_to = sent.mapped_up_to
        before, assignment.uncovered = (
            assignment.uncovered,
            sent.left_out + assignment.settled_count - sent.settled_count,
        )
        self.uncommitted += assignment.uncovered - before

    def _see_crowd(self, assignment: Assignment, sent: _Sent) -> None:
        was, share = assignment.crowded, ROOMY if assignment.crowded else CROWDED
        assignment.crowded = sent.says_ahead and len(sent.commit.metadata) >= share * self._map_bound
        if was and not assignment.crowded:
            self._blocks.map_has_room(assignment)

    def _shrink(self, code: str, sent: list[_Sent]) -> None:
        """A commit that was refused for its metadata is sent in smaller parts, then with smaller maps, then without.

        Where no map has runs, the error that may mean anything means something else.
        """
        texts = [len(one.commit.metadata) for one in sent if one.says_ahead or code == _TOO_LARGE]
        if not texts or code not in (_TOO_LARGE, _ANY_ERROR):
            return
        self._backoff = FIRST_BACKOFF
        if code == _ANY_ERROR and len(texts) > 1:
            self._request_bound = sum(texts) // 2
            return
        half = max(texts) // 2
        self._map_bound = half if half >= _SHORTEST_MAP else 0
        self._events.map_refused(code, self._map_bound)


def _says_more(sent: _Sent) -> bool:
    """Whether it says anything that the last acknowledged one did not; never for a partition where nothing was done."""
    return sent.assignment.tracker.has_news and sent.commit != sent.assignment.committed
