"""Millions of letters counted by what their headers say, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from connector.core import envelope
from connector.core.letters.letter import letter_of, text_of
from connector.core.letters.marks import runs_of
from connector.core.record import Headers, Partition, Record

HOUR_MS = 3_600_000
OTHER = "other"
NOT_DECODED = "not decoded"

_TOPIC = envelope.CONNECT_PREFIX + "topic"
_CLASS = 9
"""Its place among our headers: Kafka Connect's nine come first. Stage and reason follow, and two headers or more."""
_LEAST = _CLASS + 5
_COUNT, _REASON_NAME, _STATUS_NAME = envelope.COUNT, envelope.REASON, envelope.HTTP_STATUS
_CODE_NAME, _DUPLICATE_NAME = envelope.VENDOR_CODE, envelope.POSSIBLE_DUPLICATE
_TOTALS: dict[bytes | None, int] = {b"%d" % total: total for total in range(1, 100)}
"""What the last of our headers says, for most letters: how many of them there are."""
_MOST_KINDS = 20_000
"""Combinations of what is counted; the reasons of those beyond are not told apart."""
_MOST_SERVICES = 1_000
_CONFLUENT, _GUID, _SINGLE_OBJECT = b"\x00", b"\x01", b"\xc3\x01"
_GLUE = (b"\x03\x00", b"\x03\x05")


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


class Counted(NamedTuple):
    """What a tally has counted, for another one to take."""

    kinds: dict[tuple[object, ...], int]
    examples: dict[tuple[object, ...], tuple[str, int, int]]
    foreign: dict[Kind, int]
    services: dict[str, int]
    letters: int
    redriven: int


class Tally:
    """Letters in, counts out. `service_of` reads the service id from a value and its headers; None: it cannot.

    `record_of` makes the record of a message, whatever that is. It is asked for few of ours.
    """

    def __init__(
        self,
        service_of: Callable[[bytes, Headers], str | None],
        record_of: Callable[[Any], Record],
        most_kinds: int = _MOST_KINDS,
        most_services: int = _MOST_SERVICES,
    ) -> None:
        self._most_kinds = most_kinds
        self._most_services = most_services
        self._service_of = service_of
        self._record_of = record_of
        self._kinds: dict[tuple[object, ...], int] = {}
        self._examples: dict[tuple[object, ...], tuple[str, int, int]] = {}
        self._foreign: dict[Kind, int] = {}
        self._services: dict[str, int] = {}
        self.letters = 0
        self.redriven = 0

    def add(self, message: Any, value: bytes | None, headers: Headers, time_ms: int) -> None:
        """Count a message; `time_ms` is Kafka's, -1 when there is none. One call for each: it has to be short."""
        if not headers or headers[-1][0] != _COUNT:
            self._add_other(self._record_of(message))
            return
        kind = _kind_of(headers, value, time_ms)
        self.letters += 1
        try:
            self._kinds[kind] += 1
        except KeyError:
            self._first(kind, self._record_of(message))
        service = self._service_of(value, headers) if value else None
        name = NOT_DECODED if service is None else service
        try:
            self._services[name] += 1
        except KeyError:
            self._count_service(name, 1)

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

    def counted(self) -> Counted:
        """Everything, as it is now."""
        return Counted(self._kinds, self._examples, self._foreign, self._services, self.letters, self.redriven)

    def take(self, other: Counted) -> None:
        """Add what another tally counted, within the same bounds."""
        for kind, count in other.kinds.items():
            kept = self._with_room(kind)
            self._kinds[kept] = self._kinds.get(kept, 0) + count
            if (place := other.examples.get(kind)) is not None:
                self._examples.setdefault(kept, place)
        for known, count in other.foreign.items():
            self._count_foreign(known, count)
        for service, count in other.services.items():
            self._count_service(service, count)
        self.letters += other.letters
        self.redriven += other.redriven

    def _first(self, kind: tuple[object, ...], record: Record) -> None:
        kind = self._with_room(kind)
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._examples.setdefault(kind, (record.partition.topic, record.partition.number, record.offset))

    def _with_room(self, kind: tuple[object, ...]) -> tuple[object, ...]:
        if kind in self._kinds or len(self._kinds) < self._most_kinds:
            return kind
        return (*kind[:2], b"", kind[3], b"", kind[5], kind[6], OTHER.encode())

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
            -1 if record.timestamp_ms is None else record.timestamp_ms // HOUR_MS,
            letter.maybe_delivered > 0,
            (letter.reason or "") if len(self._foreign) < self._most_kinds else OTHER,
        )
        self._count_foreign(kind, 1)
        self._count_service(self._service_of(record.value, record.headers) if record.value else None, 1)

    def _count_foreign(self, kind: Kind, count: int) -> None:
        if kind not in self._foreign and len(self._foreign) >= self._most_kinds:
            kind = Kind(OTHER, "", "", "", "", kind.hour, kind.is_possible_duplicate, OTHER)
        self._foreign[kind] = self._foreign.get(kind, 0) + count

    def _count_service(self, service: str | None, count: int) -> None:
        name = NOT_DECODED if service is None else service
        services = self._services
        if name not in services and len(services) >= self._most_services:
            name = OTHER
        services[name] = services.get(name, 0) + count


def _kind_of(headers: Headers, value: bytes | None, time_ms: int) -> tuple[object, ...]:
    """What a letter of ours is counted by. Its headers come in the order in which the connector writes them, so that
    they are found by their place; where something was left out for a full topic, by their names."""
    total = headers[-1][1]
    ours = _TOTALS.get(total) or envelope.number(total) or 0
    first = len(headers) - ours
    if ours >= _LEAST and first >= 0:
        place = first + _CLASS
        (_, code), (_, stage), (name, reason), (next_name, vendor_code), after = headers[place : place + 5]
        if name == _REASON_NAME:
            if next_name == _STATUS_NAME:
                next_name, vendor_code = after
            return (
                code,
                stage,
                vendor_code if next_name == _CODE_NAME else None,
                headers[first][1],
                value[:10] if value is not None and value[:2] == _SINGLE_OBJECT else _frame(value),
                time_ms // HOUR_MS,
                headers[-2][0] == _DUPLICATE_NAME,
                reason,
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
    if value[:1] == _CONFLUENT:
        return value[:5]
    size = 17 if value[:1] == _GUID else 18 if value[:2] in _GLUE else 0
    return value[:size] if len(value) >= size else b""


def _schema(frame: object) -> str:
    match frame:
        case bytes() if len(frame) == 10:
            return f"fingerprint {frame[2:].hex()}"
        case bytes() if len(frame) == 5:
            return f"id {int.from_bytes(frame[1:], 'big')}"
        case bytes() if len(frame) == 17:
            return f"GUID {UUID(bytes=frame[1:])}"
        case bytes() if len(frame) == 18:
            return f"AWS Glue {UUID(bytes=frame[2:])}"
        case bytes():
            return "none"
        case _:
            return "null value"


def _text(value: object) -> str:
    return (text_of(value) if isinstance(value, bytes) else None) or ""
