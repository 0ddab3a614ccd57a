"""Reports that a process has no partition of the main topic: no error, there are more processes than partitions."""

from __future__ import annotations

from collections.abc import Callable

from connector.observe.events import KafkaEvents

_SETTLED = 10.0
"""Seconds without any before it is said: partitions that move belong to nobody for a moment."""


class Idleness:
    """A line for each change. `partitions` counts those of the main topic that are ours now."""

    def __init__(self, events: KafkaEvents, topic: str, partitions: Callable[[], int]) -> None:
        self._events = events
        self._topic = topic
        self._partitions = partitions
        self._since: float | None = None
        self._said = False

    def look(self, now: float) -> None:
        """Now and then, once the group was joined; `now` in seconds of a clock that never goes back."""
        if self._partitions():
            self._since = None
            if self._said:
                self._said = False
                self._events.main_topic_again(self._topic)
            return
        self._since = now if self._since is None else self._since
        if not self._said and now - self._since >= _SETTLED:
            self._said = True
            self._events.nothing_of_main_topic(self._topic)
