"""Requests a second with a burst: says how long to wait, and never waits. Times are seconds that never go back."""

from __future__ import annotations

LATENESS = 0.005
"""Seconds by which a timer may ring late: what it missed may be made up, or a high rate would never be reached."""


class Bucket:
    """The generic cell rate algorithm: requests are spaced evenly, but for `burst` that may go at once after a pause.

    Law: within any `t` seconds at most `burst` + `rate` · (t + `LATENESS`) requests go. A burst below 1 is 1: one has
    to be able to go.
    """

    __slots__ = ("_due", "_interval", "_tolerance")

    def __init__(self, rate: float, burst: float) -> None:
        self._due = float("-inf")
        self.set(rate, burst)

    def set(self, rate: float, burst: float) -> None:
        """Another rate (requests a second, above 0) and burst from now on; what went before stays counted."""
        self._interval = 1 / rate
        self._tolerance = max((burst - 1) * self._interval, LATENESS)

    def wait(self, now: float) -> float:
        """Seconds until a request may go; 0: now."""
        return max(0.0, self._due - self._tolerance - now)

    def take(self, now: float) -> None:
        """A request goes, after its wait was over."""
        self._due = max(now, self._due) + self._interval
