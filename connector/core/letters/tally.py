"""Millions of letters counted by what their headers say, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from connector.core import envelope
from connector.core.letters.letter import letter_of, text_of
from connector.core.letters.marks import runs_of
from connector.core.record import Headers, Partition, Record

HOUR_MS = 3_600_000
OTHER = "other"
NOT_DECODED = "not decoded"

_TOPIC = envelope.CONNECT_PREFIX + "topic"
_CLASS, _STAGE, _REASON = 9, 10, 11
"""Places among our headers: Kafka Connect's nine come first."""
_MOST_KINDS = 20_000
"""Combinations of what is counted; the reasons of those beyond are not told apart."""
_MOST_SERVICES = 1_000
_CONFLUENT, _SINGLE_OBJECT = b"\x00", b"\xc3\x01"


class Kind(NamedTuple):
    """What letters that are counted together have in common. `hour` counts from the epoch; -1 is not known."""

    code: str
    stage: str
    vendor_code: str
    topic: str
    schema: str
    hour: int
    is_possible_duplicate: bool
    reason: str


class Example(NamedTuple):
    """Where a letter lies."""

    partition: Partition
    offset: int


class Tally:
    """Letters in, counts out. `service_of` reads the service id from a value, or None where it cannot."""

    def __init__(
        self,
        service_of: Callable[[bytes], str | None],
        most_kinds: int = _MOST_KINDS,
        most_services: int = _MOST_SERVICES,
    ) -> None:
        self._most_kinds = most_kinds
        self._most_services = most_services
        self._service_of = service_of
        self._kinds: dict[tuple[object, ...], int] = {}
        self._examples: dict[tuple[object, ...], tuple[str, int, int]] = {}
        self._foreign: dict[Kind, int] = {}
        self._services: dict[str, int] = {}
        self.letters = 0
        self.redriven = 0

    def add(self, topic: str, number: int, offset: int, time_ms: int, key: bytes | None, value: bytes | None,
            headers: Headers) -> None:  # fmt: skip
        """Count a record; `time_ms` is Kafka's, -1 when there is none. One call for each: it has to be short."""
        last = headers[-1] if headers else ("", None)
        if last[0] != envelope.COUNT:
            self._add_other(Record(Partition(topic, number), offset, time_ms, key, value, headers))
            return
        kind = _kind_of(headers, value, time_ms)
        self.letters += 1
        try:
            self._kinds[kind] += 1
        except KeyError:
            self._first(kind, topic, number, offset)
        service = self._service_of(value) if value else None
        self._count_service(service)

    def kinds(self) -> Iterator[tuple[Kind, int, Example | None]]:
        """Everything counted, and where the first of each kind lies."""
        for kind, count in self._kinds.items():
            code, stage, vendor_code, topic, schema, hour, duplicate, reason = kind
            place = self._examples.get(kind)
            example = None if place is None else Example(Partition(place[0], place[1]), place[2])
            yield (
                Kind(
                    _text(code),
                    _text(stage),
                    _text(vendor_code),
                    _text(topic),
                    _schema(schema),
                    int(str(hour)),
                    bool(duplicate),
                    _text(reason),
                ),
                count,
                example,
            )
        for known, count in self._foreign.items():
            yield known, count, None

    @property
    def services(self) -> Counter[str]:
        """Letters by the service id of their event."""
        return Counter(self._services)

    def _first(self, kind: tuple[object, ...], topic: str, number: int, offset: int) -> None:
        if len(self._kinds) >= self._most_kinds:
            kind = (*kind[:2], b"", kind[3], b"", kind[5], kind[6], OTHER.encode())
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._examples.setdefault(kind, (topic, number, offset))

    def _add_other(self, record: Record) -> None:
        runs = runs_of(record)
        if runs is not None:
            self.redriven += sum(last - first + 1 for first, last in runs)
            return
        letter = letter_of(record)
        self.letters += 1
        kind = Kind(
            letter.code,
            letter.stage or "",
            letter.vendor_code or "",
            "" if letter.origin is None else letter.origin.partition.topic,
            _schema(_frame(record.value)),
            (record.timestamp_ms or 0) // HOUR_MS,
            letter.maybe_delivered > 0,
            (letter.reason or "") if len(self._foreign) < self._most_kinds else OTHER,
        )
        if kind not in self._foreign and len(self._foreign) >= self._most_kinds:
            kind = Kind(OTHER, "", "", "", "", kind.hour, kind.is_possible_duplicate, OTHER)
        self._foreign[kind] = self._foreign.get(kind, 0) + 1
        self._count_service(self._service_of(record.value) if record.value else None)

    def _count_service(self, service: str | None) -> None:
        name = NOT_DECODED if service is None else service
        services = self._services
        if name in services or len(services) < self._most_services:
            services[name] = services.get(name, 0) + 1
        else:
            services[OTHER] = services.get(OTHER, 0) + 1


def _kind_of(headers: Headers, value: bytes | None, time_ms: int) -> tuple[object, ...]:
    """What a letter of ours is counted by. Its headers come in the order in which the connector writes them, so that
    they are found by their place; where something was left out for a full topic, by their names."""
    first = len(headers) - (envelope.number(headers[-1][1]) or 0)
    if 0 <= first < len(headers) - _REASON and headers[first + _REASON][0] == envelope.REASON:
        at = first + _REASON + 1
        at += headers[at][0] == envelope.HTTP_STATUS
        vendor_code = headers[at]
        return (
            headers[first + _CLASS][1],
            headers[first + _STAGE][1],
            vendor_code[1] if vendor_code[0] == envelope.VENDOR_CODE else None,
            headers[first][1],
            _frame(value),
            time_ms // HOUR_MS,
            headers[-2][0] == envelope.POSSIBLE_DUPLICATE,
            headers[first + _REASON][1],
        )
    get = dict(headers[max(first, 0) :]).get
    return (
        get(envelope.CLASS),
        get(envelope.STAGE),
        get(envelope.VENDOR_CODE),
        get(_TOPIC) or (get(envelope.ORIGIN) or b"").partition(b"/")[0],
        _frame(value),
        time_ms // HOUR_MS,
        get(envelope.POSSIBLE_DUPLICATE) is not None,
        get(envelope.REASON),
    )


def schema_text(value: bytes | None) -> str:
    """What names the schema of a value: `id 7`, `fingerprint …`, `none`, or `null value`."""
    return _schema(_frame(value))


def _frame(value: bytes | None) -> bytes | None:
    """What names the schema: a registry's id or a fingerprint with what stands before it; b"" for none of them."""
    if value is None:
        return None
    if value[:2] == _SINGLE_OBJECT:
        return value[:10]
    return value[:5] if value[:1] == _CONFLUENT else b""


def _schema(frame: object) -> str:
    match frame:
        case bytes() if len(frame) == 10:
            return f"fingerprint {frame[2:].hex()}"
        case bytes() if len(frame) == 5:
            return f"id {int.from_bytes(frame[1:], 'big')}"
        case bytes():
            return "none"
        case _:
            return "null value"


def _text(value: object) -> str:
    return (text_of(value) if isinstance(value, bytes) else None) or ""
