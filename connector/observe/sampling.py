"""Floods of equal log lines are thinned, and what was left out is counted."""

from __future__ import annotations

from collections.abc import Iterator

Key = tuple[str, str]


class Sampler:
    """At most `lines` in this many `seconds` for each (event, code). Time is an argument, in monotonic seconds."""

    def __init__(self, lines: int, seconds: float = 1.0) -> None:
        self._lines = lines
        self._seconds = seconds
        self._windows: dict[Key, tuple[float, int]] = {}

    def admit(self, key: Key, now: float) -> bool:
        """Whether this line may be written; one that may not is counted as left out."""
        began, seen = self._windows.get(key, (now, 0))
        self._windows[key] = (began, seen + 1)
        return seen < self._lines

    def over(self, now: float) -> Iterator[tuple[Key, int]]:
        """Close the windows whose time is over; yield each key that left lines out, with how many."""
        for key, (began, seen) in list(self._windows.items()):
            if now - began >= self._seconds:
                del self._windows[key]
                if seen > self._lines:
                    yield key, seen - self._lines
