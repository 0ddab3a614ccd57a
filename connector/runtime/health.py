"""Whether the process is in the group, and whether it still turns: what `/readyz` and `/livez` hang on."""

from __future__ import annotations


class Health:
    """What the process knows of itself. Times are seconds of a clock that never goes back."""

    def __init__(self, now: float) -> None:
        self._loop_turned = self._owner_turned = now
        self._has_joined = self._leaves = False

    @property
    def is_joined(self) -> bool:
        """Whether the group was joined, and nobody has begun to leave it."""
        return self._has_joined and not self._leaves

    def joined(self) -> None:
        """The group was joined."""
        self._has_joined = True

    def leaves(self) -> None:
        """Nothing new is taken from here on."""
        self._leaves = True

    def turned(self, loop: float, owner: float) -> None:
        """When the event loop and the slowest of the threads that own a consumer turned last."""
        self._loop_turned, self._owner_turned = loop, owner

    def loop_turn_age(self, now: float) -> float:
        """Seconds since the event loop last turned."""
        return max(0.0, now - self._loop_turned)

    def owner_turn_age(self, now: float) -> float:
        """Seconds since the slowest of the threads that own a consumer last turned."""
        return max(0.0, now - self._owner_turned)

    def turn_age(self, now: float) -> float:
        """Seconds since the slowest of them all last turned."""
        return max(self.loop_turn_age(now), self.owner_turn_age(now))
