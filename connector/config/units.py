"""Durations as `15m` and sizes as `8KiB`: text in the file, float seconds and int bytes in the program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0
KIB, MIB, GIB = 1024, 1024**2, 1024**3

_DURATIONS = {"ms": 0.001, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_SIZES = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
DURATION = r"^[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)$"
SIZE = r"^[0-9]{1,12}(B|KiB|MiB|GiB)$"


def parse_duration(text: object) -> float:
    """Seconds in `500ms`, `5s`, `15m`, `48h` or `1d`. A number without a unit is refused: nobody can tell which."""
    found = re.fullmatch(DURATION, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a duration with its unit, such as 500ms, 5s, 15m, 48h or 1d")
    unit = found.group(2)
    return float(found.string[: -len(unit)]) * _DURATIONS[unit]


def parse_size(text: object) -> int:
    """Bytes in `512B`, `8KiB`, `64MiB` or `1GiB`."""
    found = re.fullmatch(SIZE, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a size with its unit, such as 512B, 8KiB, 64MiB or 1GiB")
    unit = found.group(1)
    return int(found.string[: -len(unit)]) * _SIZES[unit]


def format_duration(seconds: float) -> str:
    """A text that `parse_duration` reads as `seconds` (whole milliseconds); hours up to two days, as people say."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0 and (unit != "d" or milliseconds > 2 * size):
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def format_size(size: int) -> str:
    """The shortest text that `parse_size` reads as `size`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return f"{size}B"


@dataclass(frozen=True, slots=True)
class Kind:
    """Marks a field as a duration or a size, so that bounds and defaults are shown in its own units."""

    name: str

    def show(self, number: float) -> str:
        """The number as somebody would write it in the file."""
        return format_duration(number) if self.name == "duration" else format_size(int(number))


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    Kind("duration"),
    WithJsonSchema({"type": "string", "pattern": DURATION}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, when_used="json"),
    Kind("size"),
    WithJsonSchema({"type": "string", "pattern": SIZE}),
]
