"""What was found: by rule and field, with who wrote it, in which schema, where it lies, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override

from connector.core.event import InvocationEvent
from connector.core.lint.counting import OTHER, Counts
from connector.core.refusal import Problem, Refusal

_MOST_FINDINGS = 500
_MOST_NAMES = 50
_MOST_PLACES = 10

View = Mapping[str, object]


class Severity(StrEnum):
    """Whether an event would be refused, or is posted and looks as if nobody meant it like that."""

    REFUSED = "refused"
    SUSPECT = "suspect"


class Place(NamedTuple):
    """A record's partition and offset; or a line of a file, from 1, where there is no partition."""

    partition: int | None
    number: int

    @override
    def __str__(self) -> str:
        return f"line {self.number}" if self.partition is None else f"{self.partition}:{self.number}"


class Seen(NamedTuple):
    """A record, or a line of a file, and what was made of it.

    `produced_ms` is when it was written; `expires_ms` from when on it is not posted any more, both in ms since the
    epoch. `view` makes what may be shown of its event, None where it could not be decoded. `event` is None where it was
    refused before there was one.
    """

    place: Place
    producer: str
    schema: str
    view: Callable[[], View | None]
    produced_ms: int
    key: bytes | None = None
    event: InvocationEvent | None = None
    refusal: Refusal | None = None
    expires_ms: int | None = None


class Finding(NamedTuple):
    """A rule, a field, and the events that it is about. `text` says what they are like, never what they say.

    `places` are the first ones, `example` is the event at the first of them. `producers` and
    `schemas` count them.
    """

    severity: Severity
    rule: str
    field: str
    events: int
    text: str
    remedy: str
    places: tuple[Place, ...] = ()
    example: View | None = None
    producers: Mapping[str, int] = {}
    schemas: Mapping[str, int] = {}


class Report(NamedTuple):
    """All of it, the most frequent first and what is refused before what looks wrong.

    `passed_over` are records of no event, which the settings say to leave alone; they are among the `records`.
    """

    records: int
    refused: int
    passed_over: int
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> Iterator[Finding]:
        """Those of one kind."""
        return (each for each in self.findings if each.severity is severity)


class _Note:
    """A finding while it grows."""

    __slots__ = ("count", "example", "largest", "places", "producers", "remedy", "schemas", "text")

    def __init__(self, text: str, remedy: str, example: View | None) -> None:
        self.text = text
        self.remedy = remedy
        self.example = example
        self.count = 0
        self.largest = 0
        self.places: list[Place] = []
        self.producers = Counts(_MOST_NAMES)
        self.schemas = Counts(_MOST_NAMES)


class Notes:
    """Findings about single events. Beyond 500 different ones their fields are not told apart any more."""

    def __init__(self, most: int = _MOST_FINDINGS) -> None:
        self._most = most
        self._notes: dict[tuple[Severity, str, str], _Note] = {}

    def add(self, severity: Severity, problem: Problem, seen: Seen, size: int = 0, times: int = 1) -> None:
        """It was seen this many times. The problem's shape may have one `{}` for the largest `size` of all of them."""
        kind = severity, problem.code, problem.field
        note = self._notes.get(kind)
        if note is None:
            if len(self._notes) >= self._most:
                kind = severity, problem.code, OTHER
            note = self._notes.setdefault(kind, _Note(problem.shape, problem.remedy, seen.view()))
        note.count += times
        note.largest = max(note.largest, size)
        note.producers.add(seen.producer, times)
        note.schemas.add(seen.schema, times)
        if len(note.places) < _MOST_PLACES:
            note.places.append(seen.place)

    def findings(self) -> Iterator[Finding]:
        """All that were added."""
        for (severity, rule, field), note in self._notes.items():
            yield Finding(
                severity,
                rule,
                field,
                note.count,
                note.text.replace("{}", f"{note.largest:,}") if note.largest else note.text,
                note.remedy,
                tuple(note.places),
                note.example,
                note.producers.most_common(),
                note.schemas.most_common(),
            )
