"""A record of a dead-letter or retry topic, read by its headers: ours, or those of Kafka Connect, Spring and share
groups."""

from __future__ import annotations

from typing import NamedTuple

from connector.core import envelope
from connector.core.envelope import Origin
from connector.core.record import Headers, Partition, Record
from connector.core.trace import traceparent_of

OURS, CONNECT, SPRING, SHARE_GROUP, UNKNOWN = "connector", "kafka_connect", "spring", "share_group", "unknown"
"""Who wrote a letter. A share group's are Kafka's own (KIP-1191)."""

SUMMARY = "summary"
HEADERS_DROPPED = "headers_dropped"

_SPRING = "kafka_dlt-"
_SHARE = "__dlq.errors."
_NO_CLASS = "none"


class DeadLetter(NamedTuple):
    """What a letter says. `original` are the headers of the record that failed; times are ms since the epoch.

    `lacking` says why that record cannot be restored as it was: its value is replaced by a `summary`, or its headers
    were dropped or could not be read (`headers_dropped`). `redrives` is how often it was redriven before, `traceparent`
    the span that wrote the letter, where it was traced.
    """

    record: Record
    written_by: str
    original: Headers
    code: str
    stage: str | None = None
    reason: str | None = None
    status: int | None = None
    vendor_code: str | None = None
    request_id: str | None = None
    attempts: int = 0
    first_failure_ms: int | None = None
    last_failure_ms: int | None = None
    maybe_delivered: int = 0
    due_ms: int | None = None
    origin: Origin | None = None
    redrives: int = 0
    lacking: str | None = None
    traceparent: str | None = None

    @property
    def first(self) -> Record:
        """The record that failed, in its own place as far as the letter tells, with its own headers."""
        record, origin = self.record, self.origin
        if origin is None:
            return record._replace(headers=self.original)
        first_ms = origin.timestamp_ms if origin.timestamp_ms is not None else self.first_failure_ms
        return record.placed(origin.partition, origin.offset, first_ms or record.timestamp_ms, self.original)

    @property
    def time_ms(self) -> int | None:
        """When it was written, as far as anybody knows."""
        return self.last_failure_ms if self.last_failure_ms is not None else self.record.timestamp_ms


def letter_of(record: Record) -> DeadLetter:
    """Read a letter of anybody. Never raises: what is damaged is left out."""
    ours, theirs = envelope.split(record.headers)
    if ours:
        return _of_ours(record, ours, theirs)
    named = dict(record.headers)
    if envelope.CONNECT_PREFIX + "topic" in named:
        return _of_connect(record, named)
    if _SPRING + "original-topic" in named:
        return _of_spring(record, named)
    if _SHARE + "topic" in named:
        return _of_share_group(record, named)
    return DeadLetter(record, UNKNOWN, record.headers, _NO_CLASS)


def redrives_of(original: Headers) -> int:
    """How often a record was redriven, by its own headers; the highest count that is there."""
    counts = [envelope.number(value) or 0 for name, value in original if name == envelope.REDRIVES]
    return max(counts, default=0)


def redriven_headers(original: Headers, traceparent: str | None = None) -> Headers:
    """The original headers, how often the record was redriven with this time, and the span that wrote its letter."""
    kept = [header for header in original if header[0] != envelope.REDRIVES]
    if traceparent is not None:
        kept = [header for header in kept if header[0] != envelope.TRACEPARENT]
        kept.append((envelope.TRACEPARENT, traceparent.encode()))
    return (*kept, (envelope.REDRIVES, str(redrives_of(original) + 1).encode()))


def text_of(value: bytes | None) -> str | None:
    """A header's value as text that a terminal can show; None for none."""
    if value is None:
        return None
    return "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in value.decode("utf-8", "replace")
    )


def _of_ours(record: Record, ours: dict[str, bytes | None], theirs: Headers) -> DeadLetter:
    number = envelope.number
    return DeadLetter(
        record=record,
        written_by=OURS,
        original=theirs,
        code=text_of(ours.get(envelope.CLASS)) or _NO_CLASS,
        stage=text_of(ours.get(envelope.STAGE)),
        reason=text_of(ours.get(envelope.REASON)),
        status=number(ours.get(envelope.HTTP_STATUS)),
        vendor_code=text_of(ours.get(envelope.VENDOR_CODE)),
        request_id=text_of(ours.get(envelope.REQUEST_ID)),
        attempts=number(ours.get(envelope.ATTEMPTS)) or 0,
        first_failure_ms=number(ours.get(envelope.FIRST_FAILURE)),
        last_failure_ms=number(ours.get(envelope.LAST_FAILURE)),
        maybe_delivered=number(ours.get(envelope.POSSIBLE_DUPLICATE)) or 0,
        due_ms=number(ours.get(envelope.DUE)),
        origin=_placed(ours, envelope.CONNECT_PREFIX) or envelope.origin_of(ours.get(envelope.ORIGIN)),
        redrives=redrives_of(theirs),
        lacking=_lacking(ours, theirs),
        traceparent=traceparent_of(tuple(ours.items()), envelope.TRACEPARENT),
    )


def _lacking(ours: dict[str, bytes | None], theirs: Headers) -> str | None:
    if envelope.VALUE_REPLACED in ours:
        return SUMMARY
    dropped = b"original" in (ours.get(envelope.HEADERS_DROPPED) or b"")
    unreadable = any(name == envelope.UNREADABLE_HEADERS for name, _ in theirs)
    return HEADERS_DROPPED if dropped or unreadable else None


def _of_connect(record: Record, named: dict[str, bytes | None]) -> DeadLetter:
    prefix = envelope.CONNECT_PREFIX
    return DeadLetter(
        record,
        CONNECT,
        _without(record.headers, prefix),
        _simple(named.get(prefix + "exception.class.name")),
        stage=text_of(named.get(prefix + "stage")),
        reason=text_of(named.get(prefix + "exception.message")),
        origin=_placed(named, prefix),
    )


def _of_spring(record: Record, named: dict[str, bytes | None]) -> DeadLetter:
    topic = text_of(named.get(_SPRING + "original-topic")) or ""
    partition, offset = _big_endian(named, "original-partition", 4), _big_endian(named, "original-offset", 8)
    known = topic and partition is not None and offset is not None
    fqcn = named.get(_SPRING + "exception-cause-fqcn") or named.get(_SPRING + "exception-fqcn")
    return DeadLetter(
        record,
        SPRING,
        _without(record.headers, _SPRING),
        _simple(fqcn),
        reason=text_of(named.get(_SPRING + "exception-message")),
        origin=Origin(Partition(topic, partition or 0), offset or 0, _big_endian(named, "original-timestamp", 8))
        if known
        else None,
    )


def _of_share_group(record: Record, named: dict[str, bytes | None]) -> DeadLetter:
    return DeadLetter(
        record,
        SHARE_GROUP,
        _without(record.headers, _SHARE),
        _NO_CLASS,
        reason=text_of(named.get(_SHARE + "message")),
        attempts=envelope.number(named.get(_SHARE + "delivery.count")) or 0,
        origin=_placed(named, _SHARE),
    )


def _placed(named: dict[str, bytes | None], prefix: str) -> Origin | None:
    topic = text_of(named.get(prefix + "topic"))
    partition, offset = envelope.number(named.get(prefix + "partition")), envelope.number(named.get(prefix + "offset"))
    if not topic or partition is None or offset is None:
        return None
    return Origin(Partition(topic, partition), offset, None)


def _big_endian(named: dict[str, bytes | None], name: str, size: int) -> int | None:
    value = named.get(_SPRING + name)
    return int.from_bytes(value, "big", signed=True) if value is not None and len(value) == size else None


def _simple(fqcn: bytes | None) -> str:
    """A Java class without its package."""
    return (text_of(fqcn) or "").rpartition(".")[2] or _NO_CLASS


def _without(headers: Headers, prefix: str) -> Headers:
    return tuple(header for header in headers if not header[0].startswith(prefix))
