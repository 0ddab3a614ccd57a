"""What waits in a retry topic: which of its records, and what they become when somebody expedites or drops them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from connector.core import envelope
from connector.core.envelope import Cause, Names
from connector.core.letters.letter import OURS, DeadLetter, letter_of
from connector.core.record import Headers, Record
from connector.core.redact import scrub
from connector.core.refusal import Stage
from connector.core.settled_map import Run

OPERATOR_DROPPED = "operator_dropped"
"""The class of a dead letter that somebody took out of the retry topic."""

DUE_ALREADY = "due_already"
NOT_OURS = "not_ours"

WHY_NOT = {
    DUE_ALREADY: "due already: a connector that runs posts it",
    NOT_OURS: "without a due time of ours: another program's, or damaged",
}
"""Why a record that fits the filters stays as it is."""


class Standing:
    """How far a group is with one partition: what waits lies from `base` on, before `end`, and in none of `runs`."""

    def __init__(self, base: int, end: int, runs: Sequence[Run]) -> None:
        """`runs` are those of the commit's map, which rise."""
        self.base = base
        self.end = end
        self._runs = runs
        self._firsts = [run.first for run in runs]

    def waits(self, record: Record) -> bool:
        """Whether the group has still to post it. A record is in the map by its offset and its epoch, as for whoever is
        assigned the partition."""
        if not self.base <= record.offset < self.end:
            return False
        place = bisect_right(self._firsts, record.offset) - 1
        if place < 0:
            return True
        run = self._runs[place]
        return record.offset > run.last or record.leader_epoch != run.epoch


def stays(letter: DeadLetter, now_ms: int, *, expedite: bool) -> str | None:
    """Why a waiting record that was asked for stays as it is; None when it is taken."""
    if letter.written_by != OURS or letter.due_ms is None:
        return NOT_OURS
    return DUE_ALREADY if expedite and letter.due_ms <= now_ms else None


def expedited_headers(headers: Headers, now_ms: int) -> Headers:
    """The headers of a copy that is due now."""
    return envelope.rewritten(headers, now_ms, due_ms=now_ms)


def rewritten_headers(headers: Headers, now_ms: int) -> Headers:
    """The headers of a copy that stays as it is behind those that were taken."""
    return envelope.rewritten(headers, now_ms)


def dropped_headers(record: Record, names: Names, now_ms: int) -> Headers:
    """The headers of the dead letter that a copy becomes: with what the vendor said last, and its history."""
    history, original = envelope.opened(record)
    letter = letter_of(record)
    reason = f"an operator took it out of the retry topic, where it was for {scrub(letter.code)}"
    cause = Cause(Stage.ROUTE, OPERATOR_DROPPED, reason, letter.status, letter.vendor_code, letter.request_id)
    return next(envelope.dead_letter_headers(original, history, cause, names, now_ms))
