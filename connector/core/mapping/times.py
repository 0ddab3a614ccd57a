"""Times of a producer's event: read from text or number, written as text. Zones are those of the tz database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from connector.core.mapping.errors import UnmappableError
from connector.core.redact import shape

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_ZONES_REMEMBERED = 600  # there are as many
_SAMPLE = datetime(2026, 11, 30, 17, 45, 12, 345_000, tzinfo=UTC)

ISO = "iso"
PER_MS = {"seconds": 1000.0, "millis": 1.0, "micros": 0.001, "nanos": 0.000_001}
"""Units of numbers that count from 1970, and how many ms each is."""


@lru_cache(_ZONES_REMEMBERED)
def zone_of(name: str) -> tzinfo:
    """A zone such as Europe/Berlin. Raises ValueError, which shows the name: it is a setting's."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name} is no zone of this machine's tz database, such as Europe/Berlin or UTC") from None


def named_zone(name: object, path: object) -> tzinfo | None:
    """The zone that an event names at a path. Raises UnmappableError."""
    if name is None:
        return None
    try:
        return zone_of(str(name))
    except ValueError:
        raise UnmappableError(f"{path}: {shape(name)} that is no zone", "write a name such as Europe/Berlin") from None


def check_format(layout: str, *, reading: bool) -> None:
    """Raise ValueError for a layout that cannot write a time, or read what it wrote."""
    try:
        text = _SAMPLE.strftime(layout)
        if reading:
            datetime.strptime(text, layout)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        raise ValueError("must be a layout of Python's strptime, such as %d.%m.%Y %H:%M") from None
    if "%" not in layout:
        raise ValueError("must have a part of a time in it, such as %H:%M")


def reader(layout: str) -> Callable[[object, tzinfo | None], int]:
    """What reads a time as ms since the epoch: `iso`, a unit of PER_MS, or a layout of strptime.

    The zone is that of texts without one of their own. Of a local time that comes twice the first is meant.
    """
    if layout in PER_MS:
        factor = PER_MS[layout]
        return lambda value, _: _counted(value, factor)
    if layout == ISO:
        return lambda value, zone: _ms(_read(value, datetime.fromisoformat, "ISO 8601, 2026-11-30T17:45:00Z"), zone)

    def read(text: str) -> datetime:
        return datetime.strptime(text, layout)  # noqa: DTZ007 - `_ms` gives it a zone

    return lambda value, zone: _ms(_read(value, read, layout), zone)


def written(value: int, layout: str, zone: tzinfo | None) -> str:
    """A time in this layout of strftime, in UTC where there is no zone. Raises UnmappableError."""
    try:
        return _moment(value).astimezone(zone or UTC).strftime(layout)
    except (OverflowError, ValueError):  # the first and the last day there is, in another zone
        raise UnmappableError("a time outside the years 1 to 9999", "leave it out where there is none") from None


def iso(value: int) -> str:
    """A time as ISO 8601 in UTC, with ms where there are any. Raises UnmappableError."""
    return _moment(value).isoformat(timespec="milliseconds" if value % 1000 else "seconds").replace("+00:00", "Z")


def whole(text: str, otherwise: str) -> int:
    """The whole number that a text is. Raises UnmappableError with `otherwise`: 1_0 is ten to Python alone."""
    try:
        if "_" not in text:
            return int(text)
    except ValueError:
        pass
    raise UnmappableError(otherwise, "write a whole number")


def _counted(value: object, factor: float) -> int:
    if isinstance(value, str):
        value = whole(value, "text that is no number")
    if not isinstance(value, int | float):
        raise UnmappableError("no number", "write a whole number")
    if isinstance(value, int):  # without a float in between, which would round
        return value * round(factor) if factor >= 1 else value // round(1 / factor)
    try:
        return round(value * factor)
    except (OverflowError, ValueError):
        raise UnmappableError("a number that is no time", "write a finite number") from None


def _read(value: object, read: Callable[[str], datetime], layout: str) -> datetime:
    try:
        return read(str(value))
    except ValueError:
        raise UnmappableError("a text that is no such time", f"write it as {layout}") from None


def _ms(found: datetime, zone: tzinfo | None) -> int:
    if found.tzinfo is None:
        if zone is None:
            raise UnmappableError("a time without a zone", "write it with one, or name it in the mapping: zone")
        found = found.replace(tzinfo=zone)
    return (found - _EPOCH) // _MS


def _moment(value: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        raise UnmappableError("a time outside the years 1 to 9999", "write ms since the epoch") from None
