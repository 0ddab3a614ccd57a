"""Numbers and times as a person reads them on a small screen."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """ "0.4 s", "42 s", "12 min 5 s", "3 h 5 min": never more than two units."""
    if seconds == inf:
        return "longer"
    whole = int(max(0.0, seconds))
    if whole < 10:
        return f"{round(max(0.0, seconds), 3):.3g} s"
    parts = []
    for size, unit in _UNITS:
        number, whole = divmod(whole, size)
        parts.append(f"{number} {unit}" if number else "")
    first = next(place for place, part in enumerate(parts) if part)
    return " ".join(filter(None, parts[first : first + 2]))


def count(number: int, of: str) -> str:
    """ "1 record", "1,234 records"."""
    return f"{number:,} {of}" if number == 1 else f"{number:,} {of}s"


def clock(at_ms: int, now_ms: int) -> str:
    """The time in UTC, with the date where it is another day."""
    at, now = (datetime.fromtimestamp(each / 1000, UTC) for each in (at_ms, now_ms))
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"
