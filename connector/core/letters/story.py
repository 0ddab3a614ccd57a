"""The story of an event, told by its records and by the ledger: when it was produced, what its attempts came to, where
it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from connector.core.ledger import Entry, Fate, Told
from connector.core.letters.letter import DeadLetter, redrives_of
from connector.core.record import Partition


class Role(StrEnum):
    """Of the topic in which a record lies."""

    MAIN = "main"
    RETRY = "retry"
    DEAD_LETTER = "dead letter"


class Seen(NamedTuple):
    """A record of the event. `waits`: behind what the group has settled; `redriven`: a mark says so."""

    role: Role
    letter: DeadLetter
    waits: bool = False
    redriven: bool = False


class Step(NamedTuple):
    """Something that happened, at a time in ms since the epoch, as far as that is known."""

    time_ms: int | None
    partition: Partition
    offset: int
    text: str


class Story(NamedTuple):
    """`posts` is how many failed, as records and ledger tell, and `accepted` how many did not, as only the ledger does.
    `request_ids` are the vendor's."""

    steps: tuple[Step, ...]
    now: tuple[str, ...]
    posts: int
    request_ids: tuple[str, ...]
    accepted: int = 0


class _Chain(NamedTuple):
    """The producer's record and its copies, and what the ledger says of them. `group`: another one, which settled the
    same record for itself."""

    seen: list[Seen]
    entries: list[Entry]
    group: str | None

    @property
    def failed_posts(self) -> int:
        attempts = [each.letter.attempts for each in self.seen]
        attempts += [each.attempts - (each.fate in _TAKEN) for each in self.entries]
        return max(attempts)


def story(seen: Sequence[Seen], told: Iterable[Told] = (), group: str | None = None) -> Story:
    """Put what is known of one event in order. Without any, nothing is. What the ledger `told` may be there twice.

    `group` is the one that the copies and commits are of; what others did is said to be theirs.
    """
    seen = _once(seen)
    chains: dict[tuple[Partition, int, str | None], _Chain] = {}
    for each in seen:
        chains.setdefault((*_origin(each), None), _Chain([], [], None)).seen.append(each)
    for entry, by in dict.fromkeys((each.entry, each.group_id) for each in told):
        other = None if group in (None, by) else by
        chains.setdefault((*entry.origin[:2], other), _Chain([], [], other)).entries.append(entry)
    steps = [_step(each) for each in seen]
    steps += [step for chain in chains.values() for step in _only_in_ledger(chain)]
    steps.sort(key=lambda step: (step.time_ms or 0, step.partition, step.offset))
    entries = [entry for chain in chains.values() for entry in chain.entries]
    ids = [each.letter.request_id for each in seen] + [entry.request_id for entry in entries]
    return Story(
        tuple(steps),
        tuple(_now(chain) for chain in chains.values()),
        sum(chain.failed_posts for chain in chains.values()),
        tuple(dict.fromkeys(each for each in ids if each is not None)),
        sum(entry.fate is Fate.ACCEPTED for entry in entries),
    )


def _once(seen: Sequence[Seen]) -> list[Seen]:
    """Of a copy that `connector retry` wrote anew the last one: it tells of the same attempt."""
    last: dict[object, Seen] = {}
    for number, each in enumerate(seen):
        letter = each.letter
        is_copy = each.role is Role.RETRY and letter.last_failure_ms is not None
        last[(_origin(each), letter.attempts, letter.last_failure_ms) if is_copy else number] = each
    return list(last.values())


def _origin(seen: Seen) -> tuple[Partition, int]:
    """Records of one chain: the producer's, and its copies."""
    record, origin = seen.letter.record, seen.letter.origin
    return (record.partition, record.offset) if origin is None else (origin.partition, origin.offset)


def _only_in_ledger(chain: _Chain) -> Iterator[Step]:
    """What no copy tells: that it was accepted, and of copies that were deleted."""
    copies = {(each.role, each.letter.attempts) for each in chain.seen}
    for entry in chain.entries:
        if (_ROLES.get(entry.fate), entry.attempts) not in copies:
            text = _told(entry, chain.group)
            yield Step(entry.settled_ms, entry.origin.partition, entry.origin.offset, text)


_ROLES = {Fate.RETRY: Role.RETRY, Fate.DEAD_LETTER: Role.DEAD_LETTER}
_TAKEN = {Fate.ACCEPTED, Fate.WOULD_POST}
_WOULD = {
    Fate.WOULD_POST: "would have been posted",
    Fate.WOULD_RETRY: "would have been tried again",
    Fate.WOULD_DEAD_LETTER: "would have been a dead letter",
}
_FATES = {
    Fate.ACCEPTED: "accepted",
    Fate.RETRY: "to be tried again",
    Fate.DEAD_LETTER: "a dead letter",
    Fate.DUPLICATE: "settled as duplicate_event, without a post",
    **_WOULD,
}


def _told(entry: Entry, group: str | None) -> str:
    request_id = "" if entry.request_id is None else f", X-Request-Id {entry.request_id}"
    by, copy = _by(group), "" if group is not None else "; its copy is not there any more"
    if entry.fate is Fate.ACCEPTED:
        seconds = "" if entry.posted_ms is None else f" after {entry.settled_ms - entry.posted_ms} ms"
        return f"attempt {entry.attempts}{by} accepted{seconds}{request_id}"
    if entry.fate is Fate.DUPLICATE:
        return f"settled{by} without a post: the same event had been accepted (duplicate_event)"
    if (would := _WOULD.get(entry.fate)) is not None:
        return f"in a shadow{by}: {would}" + ("" if entry.fate in _TAKEN else f", {entry.code}")
    if entry.fate is Fate.RETRY:
        return f"attempt {entry.attempts}{by} failed: {entry.code}{request_id}{copy}"
    return f"dead letter{by}: {entry.code}{request_id}{copy}"


def _by(group: str | None) -> str:
    return "" if group is None else f" (group {group})"


def _step(seen: Seen) -> Step:
    letter, record = seen.letter, seen.letter.record
    if seen.role is Role.MAIN:
        times = redrives_of(record.headers)
        text = f"redriven (redrive {times})" if times else "produced"
        return Step(record.timestamp_ms, record.partition, record.offset, text)
    if seen.role is Role.RETRY:
        text = f"attempt {letter.attempts} failed: {_why(letter)}"
    else:
        after = f" after {letter.attempts} attempt{'s' * (letter.attempts > 1)}" if letter.attempts else ""
        text = f"dead letter{after}: {_why(letter)}"
    return Step(letter.time_ms, record.partition, record.offset, text)


def _why(letter: DeadLetter) -> str:
    parts = [
        letter.code,
        "" if letter.status is None else f"HTTP {letter.status}",
        "" if letter.vendor_code is None else f"vendor code {letter.vendor_code}",
        "" if letter.request_id is None else f"X-Request-Id {letter.request_id}",
        "it may have been delivered" if letter.maybe_delivered else "",
    ]
    return ", ".join(part for part in parts if part)


def _now(of: _Chain) -> str:
    """Where the event of one chain is."""
    chain, entries, group = of
    if group is not None:
        last = max(entries, key=lambda entry: entry.settled_ms)
        return f"{_FATES[last.fate]}{_by(group)}, as the ledger tells"
    if any(entry.fate is Fate.ACCEPTED for entry in entries):
        return "accepted, as the ledger tells"
    if any(entry.fate is Fate.DUPLICATE for entry in entries):
        return "settled as duplicate_event, without a post"
    if (would := next((_WOULD[entry.fate] for entry in entries if entry.fate in _WOULD), None)) is not None:
        return f"{would}, as the shadow tells"
    letters = [each for each in chain if each.role is Role.DEAD_LETTER]
    if letters:
        newest = letters[-1]
        place = f"{newest.letter.record.partition.number}:{newest.letter.record.offset}"
        return f"a dead letter at {place}" + (", which was redriven" if newest.redriven else "")
    if any(each.waits for each in chain if each.role is Role.RETRY):
        return "in the retry topic, waiting for its next attempt"
    if any(each.waits for each in chain):
        return "in the main topic, not settled yet: it waits, or is being posted"
    if any(entry.fate is Fate.DEAD_LETTER for entry in entries):
        return "a dead letter that was deleted, or that lies before what was searched"
    return "settled without a dead letter: accepted, unless a copy was deleted since"
