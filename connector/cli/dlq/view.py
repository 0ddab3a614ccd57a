"""Letters as people and programs see them: numbers masked and values as shapes unless somebody asks to see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from connector.core import envelope
from connector.core.letters.letter import DeadLetter, text_of
from connector.core.redact import mask_phone, safe_event_id, safe_name, safe_service_id, scrub, shape

Fields = Mapping[str, object]

_IDS = frozenset(
    {envelope.FIRST_FAILURE, envelope.LAST_FAILURE, envelope.DUE, envelope.ORIGIN, envelope.CONNECT_PREFIX + "offset"}
)
"""Headers of ours whose digits are times and offsets."""


def time_text(time_ms: int | None) -> str:
    """A time in UTC, to the second."""
    if time_ms is None or not 0 <= time_ms < 10**14:
        return "?"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def event_view(fields: Fields, reveal: bool) -> dict[str, object]:
    """The event's fields; variables by their shapes."""
    if reveal:
        return dict(fields)
    phone = str(fields.get("phoneNumber"))
    return {name: _masked(name, value, phone) for name, value in fields.items()}


def changed_view(name: str, value: object, reveal: bool) -> str:
    """A field before or after a change; of a number that is masked one still sees where its digits are."""
    if name == "phoneNumber" and isinstance(value, str) and not reveal:
        masked = "".join("#" if one.isalnum() else one for one in value[:-2])
        return text_of(f"{masked}{value[-2:]}".encode()) or ""
    if name == "serviceId":
        return service_text(value) if not reveal else str(value)
    return time_text(value) if isinstance(value, int) else "none" if value is None else str(value)


def service_text(service_id: object, phone: str = "") -> str:
    """A service id where it is one, or where it cannot be anything else."""
    return (safe_service_id(str(service_id), phone) or "[not an id]") if service_id else "?"


def key_view(key: bytes | None, reveal: bool) -> str | None:
    """The key, which often is the phone number."""
    text = text_of(key)
    return text if reveal or text is None else mask_phone(text)


def reason_view(letter: DeadLetter, reveal: bool) -> str:
    """The reason. Ours has no values; those of others may have any."""
    reason = letter.reason or ""
    return reason if reveal else scrub(reason)


def letter_view(letter: DeadLetter, fields: Fields | None, reveal: bool) -> dict[str, object]:
    """A letter as JSON has it."""
    origin = letter.origin
    return {
        "partition": letter.record.partition.number,
        "offset": letter.record.offset,
        "time_ms": letter.time_ms,
        "written_by": letter.written_by,
        "class": letter.code,
        "stage": letter.stage,
        "reason": reason_view(letter, reveal),
        "http_status": letter.status,
        "vendor_code": letter.vendor_code,
        "request_id": letter.request_id
        if letter.request_id is None or reveal
        else scrub_id(letter.request_id, letter, fields),
        "attempts": letter.attempts,
        "first_failure_ms": letter.first_failure_ms,
        "maybe_delivered": letter.maybe_delivered,
        "redrives": letter.redrives,
        "due_ms": letter.due_ms,
        "origin": None
        if origin is None
        else {"topic": origin.partition.topic, "partition": origin.partition.number, "offset": origin.offset},
        "key": key_view(letter.record.key, reveal),
        "event": None if fields is None else event_view(fields, reveal),
    }


def header_rows(letter: DeadLetter, fields: Fields | None, reveal: bool) -> Iterator[tuple[str, str]]:
    """Every header, those of the original record first; what a producer wrote is shown by its size."""
    left = list(letter.original)
    for place, header in enumerate(letter.record.headers, 1):
        name, value = header
        if left and header == left[0]:  # the original ones are among the others in their own order
            left.pop(0)
            yield (name, text_of(value) or "") if reveal else (safe_name(name, place), shape(value))
        else:
            shown = text_of(value) or ""
            if name == envelope.REQUEST_ID and not reveal:
                yield name, scrub_id(shown, letter, fields)
            else:
                yield name, shown if reveal or name in _IDS else scrub(shown)


def scrub_id(request_id: str, letter: DeadLetter, fields: Fields | None) -> str:
    """The vendor's text: kept as it is, unless it echoes the phone number."""
    phone = str((fields or {}).get("phoneNumber") or text_of(letter.record.key) or "").removeprefix("+")
    return scrub(request_id) if phone and phone in request_id else request_id


def _masked(name: str, value: object, phone: str) -> object:
    match value:
        case str() if name == "phoneNumber":
            return mask_phone(value)
        case str() if name == "serviceId":
            return service_text(value, phone)
        case str() if name == "eventId":
            return safe_event_id(value, phone)
        case dict():
            return {safe_name(scope, at): _shapes(keys) for at, (scope, keys) in enumerate(value.items(), 1)}
        case None | int():
            return value
    return shape(value)


def _shapes(keys: object) -> object:
    if not isinstance(keys, dict):
        return shape(keys)
    return {safe_name(key, place): shape(value) for place, (key, value) in enumerate(keys.items(), 1)}
