"""Avro's logical types as text: what a person may read in a message. A value on the wire alone is a bare number."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

MOST_DIGITS = 4096
"""Digits of a decimal: a variable's value may have as many characters."""

_MOST_DECIMAL_BYTES = 1700  # some 4,090 digits
_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}


class OutOfRangeError(ValueError):
    """A value that its logical type does not have. Its text shows no value."""


class Logical(NamedTuple):
    """A logical type that the specification allows at its place, and how its value is written out."""

    name: str
    text: Callable[[Any], str]


def logical_of(schema: Mapping[str, Any]) -> Logical | None:
    """Return the logical type of a primitive or fixed; None for none, an unknown one, or one at the wrong type.

    The last two are no logical types to any reader (Avro specification, "Logical Types").
    """
    match schema:
        case {"type": "int", "logicalType": "date" as name}:
            return Logical(name, _date)
        case {"type": "int", "logicalType": "time-millis" as name}:
            return Logical(name, _time("millis"))
        case {"type": "long", "logicalType": "time-micros" as name}:
            return Logical(name, _time("micros"))
        case {"type": "long", "logicalType": str(name)} if name.removeprefix("local-").startswith("timestamp-"):
            unit = name.rpartition("-")[2]
            known = name in {f"timestamp-{unit}", f"local-timestamp-{unit}"} and unit in _PER_SECOND
            return Logical(name, _timestamp(unit, "" if name.startswith("local-") else "Z")) if known else None
        case {"type": "string", "logicalType": "uuid" as name}:
            return Logical(name, str)
        case {"type": "fixed", "size": 16, "logicalType": "uuid" as name}:
            return Logical(name, _uuid)
        case {"type": "fixed", "size": 12, "logicalType": "duration" as name}:
            return Logical(name, _duration)
        case {"type": "bytes", "logicalType": "big-decimal" as name}:
            return Logical(name, _no_text)
        case {"type": "bytes" | "fixed", "logicalType": "decimal" as name, "precision": int(precision)}:
            scale = schema.get("scale", 0)
            fits = type(scale) is int and 0 <= scale <= precision and precision > 0
            return Logical(name, _decimal(scale) if precision <= MOST_DIGITS else _no_text) if fits else None
    return None


def can_be_text(logical: Logical) -> bool:
    """Whether there is a text for it: a decimal may have too many digits, or carry its scale in each value."""
    return logical.text is not _no_text


def shortest(number: bytes) -> float:
    """Return the double whose text is the shortest that reads back as the same float of 4 bytes, little endian.

    A float has some seven digits: as a double, 0.1 has seventeen, 0.10000000149011612.
    """
    exact: float = struct.unpack("<f", number)[0]
    for digits in range(6, 9):
        short = float(f"{exact:.{digits}g}")
        if struct.pack("<f", short) == number:
            return short
    return float(f"{exact:.9g}")


def _no_text(_: Any) -> str:
    raise OutOfRangeError("a logical type without a text")


def _date(days: int) -> str:
    try:
        return date.fromordinal(_EPOCH + days).isoformat()
    except (ValueError, OverflowError):
        raise OutOfRangeError("a date outside the years 1 to 9999") from None


def _time(unit: str) -> Callable[[int], str]:
    def text(value: int) -> str:
        seconds, rest = divmod(value, _PER_SECOND[unit])
        if not 0 <= seconds < _DAY:
            raise OutOfRangeError("a time outside the day")
        return _clock(seconds, rest, unit)

    return text


def _timestamp(unit: str, zone: str) -> Callable[[int], str]:
    def text(value: int) -> str:
        seconds, rest = divmod(value, _PER_SECOND[unit])
        days, seconds = divmod(seconds, _DAY)
        return f"{_date(days)}T{_clock(seconds, rest, unit)}{zone}"

    return text


def _clock(seconds: int, rest: int, unit: str) -> str:
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:0{len(str(_PER_SECOND[unit])) - 1}}" if rest else text


def _decimal(scale: int) -> Callable[[bytes], str]:
    def text(value: bytes) -> str:
        if not 0 < len(value) <= _MOST_DECIMAL_BYTES:
            raise OutOfRangeError("a decimal without bytes, or of too many digits")
        number = int.from_bytes(value, "big", signed=True)
        digits = str(abs(number)).rjust(scale + 1, "0")
        sign = "-" if number < 0 else ""
        return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"

    return text


def _uuid(value: bytes) -> str:
    return str(UUID(bytes=value))


def _duration(value: bytes) -> str:
    months, days, millis = struct.unpack("<III", value)
    seconds, rest = divmod(millis, 1_000)
    fraction = f".{rest:03}" if rest else ""
    date_part = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    if not millis and date_part:
        return f"P{date_part}"
    return f"P{date_part}T{seconds}{fraction}S"
