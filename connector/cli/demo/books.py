"""The demo's books: what was planned, what the simulator and the dead-letter topic say, and whether both agree. Pure.

The connector's own word counts for nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class Expected(NamedTuple):
    """What shall become of one record: how often the vendor is asked, and the class of its dead letter, if any."""

    posts: int = 1
    dead_letter: str | None = None


class DeadLetter(NamedTuple):
    """One record of the dead-letter topic: whose it is, its class, and whether key and value are as produced."""

    marker: str
    code: str
    intact: bool


class Books(NamedTuple):
    """Everything that was counted, by markers: the demo's own name for each record.

    `accepted` is the simulator's: marker → how often; `requests` how many it answered in whatever way.
    `exit_code` is the connector's after SIGTERM, None when it had to be killed.
    """

    produced: Mapping[str, Expected]
    accepted: Mapping[str, int]
    requests: int
    dead_letters: Sequence[DeadLetter]
    exit_code: int | None


class Line(NamedTuple):
    """One line of the summary. `source` says who counted what was found."""

    what: str
    expected: int
    found: int
    source: str


def lost(books: Books) -> list[str]:
    """The records that are accounted for nowhere (yet)."""
    dead = {letter.marker for letter in books.dead_letters}
    return [marker for marker in books.produced if marker not in dead and marker not in books.accepted]


def lines(books: Books) -> Iterator[Line]:
    """The summary: the lines of one record each add up to what was produced."""
    good = {marker: each for marker, each in books.produced.items() if each.dead_letter is None}
    retried = {marker for marker, each in good.items() if each.posts > 1}
    at_once = good.keys() - retried
    yield Line("accepted at once", len(at_once), len(at_once & books.accepted.keys()), "simulator")
    yield Line("retried, then accepted", len(retried), len(retried & books.accepted.keys()), "simulator")
    planned = Counter(each.dead_letter for each in books.produced.values() if each.dead_letter is not None)
    found = Counter(letter.code for letter in books.dead_letters)
    for code in sorted({*planned, *found}):
        yield Line(f"dead letter: {code}", planned[code], found[code], "dead-letter topic")
    yield Line("lost", 0, len(lost(books)), "found nowhere")
    yield Line("posted twice", 0, len(_twice(books)), "simulator")
    yield Line("requests in all", _due(books), books.requests, "simulator")


def problems(books: Books) -> Iterator[str]:
    """A sentence for everything that does not balance; none when the books do."""
    if missing := lost(books):
        yield f"{len(missing)} records are lost, neither accepted nor dead letters: {_some(missing)}"
    if twice := _twice(books):
        yield f"the simulator accepted {len(twice)} events more than once: {_some(twice)}"
    yield from _wrongly_accepted(books)
    yield from _wrong_letters(books)
    if books.requests != _due(books):
        yield f"the simulator answered {books.requests} requests where {_due(books)} were due"
    if books.exit_code is None:
        yield "the connector did not stop in time after SIGTERM and was killed"
    elif books.exit_code != 0:
        yield f"the connector ended with exit code {books.exit_code} after SIGTERM"


def _wrongly_accepted(books: Books) -> Iterator[str]:
    if strange := [marker for marker in books.accepted if marker not in books.produced]:
        yield f"the simulator accepted {len(strange)} events that nobody produced: {_some(strange)}"
    known = [books.produced[marker] for marker in books.accepted if marker in books.produced]
    if wrongly := [each.dead_letter for each in known if each.dead_letter is not None]:
        yield f"the simulator accepted {len(wrongly)} events that should be dead letters: {_some(wrongly)}"


def _wrong_letters(books: Books) -> Iterator[str]:
    letters = books.dead_letters
    if strange := [letter.code for letter in letters if letter.marker not in books.produced]:
        yield f"{len(strange)} dead letters are of no record that was produced: {_some(strange)}"
    copies = Counter(letter.marker for letter in letters)
    if repeated := [marker for marker, count in copies.items() if count > 1]:
        yield f"{len(repeated)} records are in the dead-letter topic more than once: {_some(repeated)}"
    if altered := [letter.marker for letter in letters if not letter.intact]:
        yield f"{len(altered)} dead letters have not the key or value that was produced: {_some(altered)}"
    for marker, code, _ in letters:
        if marker in books.produced and code != (due := books.produced[marker].dead_letter):
            yield f"{marker} is a dead letter of class {code}, and {due or 'acceptance'} was due"


def _twice(books: Books) -> list[str]:
    return [marker for marker, count in books.accepted.items() if count > 1]


def _due(books: Books) -> int:
    return sum(each.posts for each in books.produced.values())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
