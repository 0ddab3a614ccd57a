"""In a hold, records that may have been delivered before are spared: each try may make a dead letter of one."""

from __future__ import annotations

from connector.engine.timers import Timer, Timers

_FIRST, _LONGEST = 900.0, 3600.0
"""Seconds of a hold after which a record that may have been delivered before is tried for it, when there is no other;
then at waits that double up to the longest. Each such try may make a dead letter, so they are few, however many wait;
and a hold ends within an hour of the end of its cause. Without a hold such a record is retried after as long as
the first wait, by the vendor's advice of 15 minutes."""


class LastChances:
    """`spared`: no such record is tried now."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._sparing: Timer | None = None
        self._wait = _FIRST

    @property
    def spared(self) -> bool:
        """Whether none of them is tried."""
        return self._sparing is not None

    def spare(self) -> None:
        """The answers during this hold leave open for any record whether it was delivered."""
        if self._sparing is None:
            self._sparing = self._timers.after(self._wait, self._spare_no_longer)
            self._wait = min(self._wait * 2, _LONGEST)

    def spare_none(self) -> None:
        """The hold is over, or is to be tried at once."""
        if self._sparing is not None:
            self._sparing.cancel()
            self._sparing = None
        self._wait = _FIRST

    def _spare_no_longer(self) -> None:
        self._sparing = None
