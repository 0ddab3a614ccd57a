"""Whether a letter may be redriven: what stays, and for what reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connector.core.destination import MAYBE_DELIVERED, REFUSED_ALONE
from connector.core.letters.letter import HEADERS_DROPPED, OURS, SUMMARY, DeadLetter
from connector.core.letters.retry import OPERATOR_DROPPED
from connector.core.record import Partition
from connector.core.refusal import Stage

NOT_OURS = "not_ours"
REDRIVEN_BEFORE = "redriven_before"
TOO_OFTEN = "redriven_too_often"
POSSIBLE_DUPLICATE = "possible_duplicate"
WRITTEN_TWICE = "written_twice"
NOT_CHANGED = "not_changed"
NOT_WRITABLE = "not_writable"

UNLIKELY = frozenset({"vendor_permanent", "invalid_payload", "body_too_large", "rejected", REFUSED_ALONE})
"""Classes for which the vendor has said that it will not take this request: the same one again fares no better. One of
them is a class of our own refusals too, which are judged anew."""

WHY_STAYS: Mapping[str, str] = {
    NOT_OURS: "written by another program, which knows how its own are redriven",
    SUMMARY: "the topic could not take the value: the original is in the main topic, if anywhere",
    HEADERS_DROPPED: "its headers are gone, and with them how often it was redriven: --include headers_dropped",
    REDRIVEN_BEFORE: "redriven already",
    TOO_OFTEN: "redriven as often as --max-redrives allows",
    POSSIBLE_DUPLICATE: "it may have been delivered: --include-possible-duplicates",
    OPERATOR_DROPPED: f"somebody took it out of the retry topic: --include {OPERATOR_DROPPED}",
    WRITTEN_TWICE: "a crash wrote a letter of the same record before it, which is the one to redrive",
    NOT_CHANGED: "the patch changes nothing of it",
    NOT_WRITABLE: "its writer's schema takes no such value",
    **{code: f"the vendor refused this very request: --include {code}" for code in sorted(UNLIKELY)},
}
"""Why a letter stays, and what would take it along."""


class RedriveRules(NamedTuple):
    """What somebody allowed. `include` are reasons to stay that do not count."""

    include: frozenset[str] = frozenset()
    possible_duplicates: bool = False
    max_redrives: int = 3


def stays(letter: DeadLetter, rules: RedriveRules) -> str | None:
    """Why a letter stays where it is, as far as its headers tell; None when it may go."""
    if letter.written_by != OURS:
        return NOT_OURS
    if letter.lacking == SUMMARY:
        return SUMMARY
    if letter.lacking is not None and letter.lacking not in rules.include:
        return letter.lacking
    if letter.redrives >= rules.max_redrives:
        return TOO_OFTEN
    if (letter.maybe_delivered or letter.code == MAYBE_DELIVERED) and not rules.possible_duplicates:
        return POSSIBLE_DUPLICATE
    if letter.code == OPERATOR_DROPPED and letter.code not in rules.include:
        return OPERATOR_DROPPED
    is_vendors = letter.code in UNLIKELY and letter.stage == Stage.INVOKE
    return letter.code if is_vendors and letter.code not in rules.include else None


class Originals:
    """The records that have a letter: one whose process died before its commit may have two, and is redriven once.

    Known by their place and by their bytes: a topic that was created anew has other records at the same places. A few
    dozen bytes of memory for each.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def has_another(self, letter: DeadLetter) -> bool:
        """Take in a letter, and say whether one of the same record came before it."""
        if letter.written_by != OURS or letter.origin is None:
            return False
        known = len(self._seen)
        self._seen.add(hash((letter.origin.partition, letter.origin.offset, letter.record.value)))
        return len(self._seen) == known


class Positions:
    """How far each partition is done with: everything before its position was redriven, or is no letter.

    What stays keeps its partition's position, so that a later redrive sees it; what was redriven behind it is known by
    its marks.
    """

    def __init__(self, starts: Mapping[Partition, int], committed: Mapping[Partition, int]) -> None:
        """`starts` are where the reading begins, `committed` the positions of before: none ever goes back."""
        self._next = dict(starts)
        self._stuck: set[Partition] = set()
        self._committed = dict(committed)

    def done(self, partition: Partition, offset: int) -> None:
        """The record at this offset, the next one of its partition, needs nothing more."""
        if partition not in self._stuck:
            self._next[partition] = offset + 1

    def stays(self, partition: Partition) -> None:
        """The next record of this partition stays."""
        self._stuck.add(partition)

    def moved(self) -> dict[Partition, int]:
        """The positions that changed since the last time."""
        changed = {each: at for each, at in self._next.items() if at > self._committed.get(each, 0)}
        self._committed |= changed
        return changed
