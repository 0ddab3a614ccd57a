"""The headers that a copy in the retry or dead-letter topic carries: names, encoding, decoding.

Ours are appended after the original headers and the last one counts them, so that the original ones come back
byte for byte even when a producer uses the same names. Whatever is damaged is left out, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from connector.core.made import made
from connector.core.record import Headers, Partition, Record, small
from connector.core.refusal import Stage

PREFIX = "invoke."
ATTEMPTS = "invoke.attempts"
FIRST_FAILURE = "invoke.first-failure"
LAST_FAILURE = "invoke.last-failure"
DUE = "invoke.due"
REWRITTEN = "invoke.rewritten"
LATE = "invoke.late"
ORIGIN = "invoke.origin"
CLASS = "invoke.class"
STAGE = "invoke.stage"
REASON = "invoke.reason"
HTTP_STATUS = "invoke.http-status"
VENDOR_CODE = "invoke.vendor-code"
REQUEST_ID = "invoke.request-id"
POSSIBLE_DUPLICATE = "invoke.possible-duplicate"
HEADERS_DROPPED = "invoke.headers-dropped"
VALUE_REPLACED = "invoke.value-replaced"
UNREADABLE_HEADERS = "invoke.headers-unreadable"
COUNT = "invoke.header-count"
REDRIVES = "invoke.redrives"
REDRIVEN = "invoke.redriven"
TRACEPARENT = "invoke.traceparent"

CONNECT_PREFIX = "__connect.errors."
CONNECT_STAGES = {
    Stage.DECODE: "VALUE_CONVERTER",
    Stage.EVENT: "TRANSFORMATION",
    Stage.REQUEST: "TRANSFORMATION",
    Stage.INVOKE: "TASK_PUT",
    Stage.ROUTE: "TASK_PUT",
}
"""Kafka Connect's name of each of our stages (its `runtime/errors/Stage`)."""

CONNECT_CLASSES = {
    Stage.DECODE: "connector.edge.avro",
    Stage.EVENT: "connector.core.event",
    Stage.REQUEST: "connector.core.request",
    Stage.INVOKE: "connector.edge.openmarket",
    Stage.ROUTE: "connector.core.destination",
}
"""What was executing: Kafka Connect writes a Java class here, we the module of the stage."""

_TEXT_CAP = 1024
_KEY_CAP = 1024
_SMALL_CAP = 1024  # bytes of headers that a copy keeps which is too large with all of them
_LARGEST_NUMBER = 2**63 - 1


class Origin(NamedTuple):
    """Where the producer's own record lies."""

    partition: Partition
    offset: int
    timestamp_ms: int | None


class History(NamedTuple):
    """What a record has been through before this attempt: it travels in headers, so a restart forgets nothing."""

    origin: Origin
    attempts: int = 0
    first_failure_ms: int | None = None
    maybe_delivered: int = 0
    due_ms: int | None = None
    late_ms: int = 0


class Cause(NamedTuple):
    """Why a copy is written. `code` is the bounded class; `reason` carries no value of the event."""

    stage: Stage
    code: str
    reason: str
    status: int | None = None
    vendor_code: str | None = None
    request_id: str | None = None


class Letter(NamedTuple):
    """What is written in place of a record that its topic can never take."""

    key: bytes | None
    value: bytes
    headers: Headers


class Names(NamedTuple):
    """Who we are in Kafka Connect's headers."""

    connector: str
    task: str = "0"


def fresh(record: Record) -> History:
    """Return the history of a record of the main topic: none. `invoke.*` headers there are somebody else's."""
    origin = made(Origin, (record.partition, record.offset, record.timestamp_ms))
    return made(History, (origin, 0, None, 0, None, 0))


def opened(record: Record) -> tuple[History, Headers]:
    """Return the history that a record of the retry topic carries, and its original headers."""
    ours, theirs = split(record.headers)
    origin = origin_of(ours.get(ORIGIN)) or Origin(record.partition, record.offset, record.timestamp_ms)
    first_failure_ms = _earlier(number(ours.get(FIRST_FAILURE)), record.timestamp_ms)
    history = History(
        origin=origin,
        attempts=number(ours.get(ATTEMPTS)) or 1,
        first_failure_ms=first_failure_ms,
        maybe_delivered=number(ours.get(POSSIBLE_DUPLICATE)) or 0,
        due_ms=number(ours.get(DUE)),
        late_ms=_late(number(ours.get(LATE)), first_failure_ms, record.timestamp_ms),
    )
    return history, theirs


def retry_headers(original: Headers, history: History, cause: Cause, now_ms: int) -> Iterator[Headers]:
    """Yield the headers of a retry copy, most telling first; each next one is smaller, for a full topic."""
    ours = [
        *_ours(history, cause, now_ms),
        (DUE, _text(history.due_ms)),
        *([(LATE, _text(history.late_ms))] if history.late_ms else []),
        (ORIGIN, _origin_text(history.origin)),
    ]
    yield from _ladder(original, ours)


def dead_letter_headers(
    original: Headers, history: History, cause: Cause, names: Names, now_ms: int
) -> Iterator[Headers]:
    """Yield the headers of a dead letter, most telling first; each next one is smaller, for a full topic."""
    yield from _ladder(original, [*_connect(history.origin, cause, names), *_ours(history, cause, now_ms)])


def summary(record: Record, history: History, cause: Cause, names: Names, now_ms: int) -> Letter:
    """Return the dead letter of a record that the topic can never take: where the original is, and its size and hash.

    It has none of the original headers, and no key that is longer than 1024 bytes.
    """
    value, origin = record.value or b"", history.origin
    fields = {
        "topic": origin.partition.topic,
        "partition": origin.partition.number,
        "offset": origin.offset,
        "value_bytes": len(value),
        "value_sha256": sha256(value).hexdigest(),
        "note": "this topic cannot take the value; the original is in its place for as long as its topic keeps it",
    }
    ours = [
        *_connect(origin, cause, names),
        *_ours(history, cause, now_ms),
        *([(HEADERS_DROPPED, b"original")] if record.headers else []),
        (VALUE_REPLACED, b"summary"),
    ]
    key = record.key if len(record.key or b"") <= _KEY_CAP else None
    return Letter(key, json.dumps(fields).encode(), _sealed((), ours))


def _ours(history: History, cause: Cause, now_ms: int) -> list[tuple[str, bytes | None]]:
    first = now_ms if history.first_failure_ms is None else history.first_failure_ms
    fields: list[tuple[str, object]] = [
        (CLASS, cause.code),
        (STAGE, cause.stage.value),
        (REASON, cause.reason),
        (HTTP_STATUS, cause.status),
        (VENDOR_CODE, cause.vendor_code),
        (REQUEST_ID, cause.request_id),
        (ATTEMPTS, history.attempts),
        (FIRST_FAILURE, first),
        (LAST_FAILURE, now_ms),
        (POSSIBLE_DUPLICATE, history.maybe_delivered or None),
    ]
    return [(name, _text(value)) for name, value in fields if value is not None]


def _connect(origin: Origin, cause: Cause, names: Names) -> list[tuple[str, bytes | None]]:
    fields: list[tuple[str, object]] = [
        ("topic", origin.partition.topic),
        ("partition", origin.partition.number),
        ("offset", origin.offset),
        ("connector.name", names.connector),
        ("task.id", names.task),
        ("stage", CONNECT_STAGES[cause.stage]),
        ("class.name", CONNECT_CLASSES[cause.stage]),
        ("exception.class.name", PREFIX + cause.code),
        ("exception.message", cause.reason),
    ]
    return [(CONNECT_PREFIX + name, _text(value)) for name, value in fields]


_TEXTS = frozenset({REASON, CONNECT_PREFIX + "exception.message", CONNECT_PREFIX + "class.name"})


def _ladder(original: Headers, ours: list[tuple[str, bytes | None]]) -> Iterator[Headers]:
    yield _sealed(original, ours)
    without_texts = [header for header in ours if header[0] not in _TEXTS]
    yield _sealed(original, [*without_texts, (HEADERS_DROPPED, b"texts")])
    if original:
        without_originals = [*without_texts, (HEADERS_DROPPED, b"texts, original")]
        # Small ones tell the value's schema, and to a mapping the event's id or type.
        if (few := small(original, _SMALL_CAP)) and few != original:
            yield _sealed(few, without_originals)
        yield _sealed((), without_originals)


def _sealed(original: Headers, ours: list[tuple[str, bytes | None]]) -> Headers:
    return (*original, *ours, (COUNT, _text(len(ours) + 1)))


def rewritten(headers: Headers, now_ms: int, due_ms: int | None = None) -> Headers:
    """The headers of a retry copy that is written anew, with when that was, and with another due time if one is given.

    Without that a copy would be the same in every byte as the one that it replaces. Headers without ours stay the same.
    """
    named, original = split(headers)
    if not named:
        return headers
    ours = [header for header in headers[len(original) : -1] if header[0] != REWRITTEN]
    if due_ms is not None:
        ours = [(name, _text(due_ms) if name == DUE else value) for name, value in ours]
    return _sealed(original, [*ours, (REWRITTEN, _text(now_ms))])


def traced(headers: Headers, traceparent: str) -> Headers:
    """The headers of a copy with the span that writes it, for a link from the span that reads it.

    A copy that had to be made smaller stays as it is: its room is for what it needs.
    """
    named, original = split(headers)
    if not named or HEADERS_DROPPED in named or VALUE_REPLACED in named:
        return headers
    return _sealed(original, [*headers[len(original) : -1], (TRACEPARENT, traceparent.encode())])


def split(headers: Headers) -> tuple[dict[str, bytes | None], Headers]:
    """Return the headers of ours that a copy carries, by name, and the original ones; none of ours on other records."""
    if not headers or headers[-1][0] != COUNT:
        return {}, headers
    count = number(headers[-1][1])
    if count is None or not 1 <= count <= len(headers):
        return {}, headers
    cut = len(headers) - count
    return dict(headers[cut:]), headers[:cut]


def _text(value: object) -> bytes:
    text = str(value).encode("utf-8", "replace")
    if len(text) <= _TEXT_CAP:
        return text
    return text[:_TEXT_CAP].decode("utf-8", "ignore").encode()  # the cut may go through a character


def number(value: bytes | None) -> int | None:
    """A header's number from 0 up to 2**63 - 1, or None."""
    if value is None or not value.isdigit() or len(value) > 19:
        return None
    number = int(value)
    return number if number <= _LARGEST_NUMBER else None


def _earlier(first_failure_ms: int | None, written_ms: int | None) -> int | None:
    """A copy is written after the first failure: a later one is damaged, and would make the retry window endless."""
    known = [time for time in (first_failure_ms, written_ms) if time]
    return min(known, default=None)


def _late(late_ms: int | None, first_failure_ms: int | None, written_ms: int | None) -> int:
    """No more than the time that passed: a damaged header must not make the retry window endless."""
    passed = 0 if first_failure_ms is None or written_ms is None else written_ms - first_failure_ms
    return min(late_ms or 0, passed)


def _origin_text(origin: Origin) -> bytes:
    timestamp = "" if origin.timestamp_ms is None else origin.timestamp_ms
    return f"{origin.partition.topic}/{origin.partition.number}/{origin.offset}/{timestamp}".encode()


def origin_of(value: bytes | None) -> Origin | None:
    """What `invoke.origin` says, or None."""
    parts = (value or b"").split(b"/")
    if len(parts) != 4:
        return None
    topic, partition, offset = parts[0].decode("ascii", "replace"), number(parts[1]), number(parts[2])
    if not topic or partition is None or offset is None:
        return None
    return Origin(Partition(topic, partition), offset, number(parts[3]))
