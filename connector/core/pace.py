"""Requests a second: says how long to wait, and never waits. Times are seconds that never go back."""

from __future__ import annotations

from typing import NamedTuple

FOR_RETRIES = 0.04
"""The part of the rate that goes by the partitions of the retry topics, and lies idle where nothing else is at hand: it
is what a process can post with that has none of the main topic. Not more, or the main topic would not reach 95 %."""

LATENESS = 0.005
"""Seconds by which a timer may ring late: what it missed may be made up, or a high rate would never be reached."""


class Part(NamedTuple):
    """How many partitions are ours, and how many there are."""

    ours: int
    all: int


def share_of(main: Part, retry: Part) -> float:
    """The part of the deployment's rate of a process that has these parts of the main and of the retry topics.

    Law: however each partition is given to one process or none, the shares add up to 1 at most, and those of the
    processes that have all of the main topic to 0.96 at least.
    """
    return (1 - FOR_RETRIES) * _fraction(main) + FOR_RETRIES * _fraction(retry)


def _fraction(part: Part) -> float:
    return part.ours / max(part.ours, part.all, 1)


class Bucket:
    """The generic cell rate algorithm: requests are spaced evenly.

    Law: within any `t` seconds at most 1 + `rate` · (t + `LATENESS`) requests go.
    """

    __slots__ = ("_due", "_interval")

    def __init__(self, rate: float) -> None:
        self._due = float("-inf")
        self.set(rate)

    def set(self, rate: float) -> None:
        """Another rate (requests a second, above 0) from now on; what went before stays counted."""
        self._interval = 1 / rate

    def wait(self, now: float) -> float:
        """Seconds until a request may go; 0: now."""
        return max(0.0, self._due - LATENESS - now)

    def take(self, now: float) -> None:
        """A request goes, after its wait was over."""
        self._due = max(now, self._due) + self._interval
