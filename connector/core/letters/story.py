"""The story of an event, told by its records: when it was produced, what its attempts came to, where it is now."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

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
    """`posts` is how many failed, as the records tell: an accepted one leaves none. `request_ids` are the vendor's."""

    steps: tuple[Step, ...]
    now: tuple[str, ...]
    posts: int
    request_ids: tuple[str, ...]


def story(seen: Sequence[Seen]) -> Story:
    """Put the records of one event in order. Without any, nothing is known."""
    steps = sorted((_step(each) for each in seen), key=lambda step: (step.time_ms or 0, step.partition, step.offset))
    chains: dict[object, list[Seen]] = {}
    for each in seen:
        chains.setdefault(_origin(each), []).append(each)
    posts = sum(max(each.letter.attempts for each in chain) for chain in chains.values())
    ids = dict.fromkeys(each.letter.request_id for each in seen if each.letter.request_id is not None)
    return Story(tuple(steps), tuple(_now(chain) for chain in chains.values()), posts, tuple(ids))


def _origin(seen: Seen) -> object:
    """Records of one chain: the producer's, and its copies."""
    record, origin = seen.letter.record, seen.letter.origin
    return (record.partition, record.offset) if origin is None else (origin.partition, origin.offset)


def _step(seen: Seen) -> Step:
    letter, record = seen.letter, seen.letter.record
    if seen.role is Role.MAIN:
        times = redrives_of(record.headers)
        text = f"redriven, for the {times}. time" if times else "produced"
        return Step(record.timestamp_ms, record.partition, record.offset, text)
    if seen.role is Role.RETRY:
        text = f"attempt {letter.attempts} failed: {_why(letter)}"
    else:
        after = f" after {letter.attempts} attempts" if letter.attempts else ""
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


def _now(chain: Sequence[Seen]) -> str:
    """Where the event of one chain is."""
    letters = [each for each in chain if each.role is Role.DEAD_LETTER]
    if letters:
        last = letters[-1]
        place = f"{last.letter.record.partition.number}:{last.letter.record.offset}"
        return f"a dead letter at {place}" + (", which was redriven" if last.redriven else "")
    if any(each.waits for each in chain if each.role is Role.RETRY):
        return "in the retry topic, waiting for its next attempt"
    if any(each.waits for each in chain):
        return "in the main topic, not settled yet: it waits, or is being posted"
    return "settled without a dead letter: accepted, unless a copy was deleted since"
