"""What is looked at each second: signs of life, readiness, topics that are missing."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from connector.edge.kafka.source import KafkaSource
from connector.engine.ports import Clock
from connector.observe.events import Events
from connector.runtime.glancing import Glancer
from connector.runtime.health import Health
from connector.runtime.idle import Idleness
from connector.runtime.reach import Reach
from connector.runtime.view import View

_SECONDS = 1.0


class Watched(NamedTuple):
    """Who looks, or is looked at."""

    source: KafkaSource
    reach: Reach
    view: View
    glancer: Glancer
    idleness: Idleness


class Heartbeat:
    """Turns once a second; that it does is the event loop's sign of life."""

    def __init__(self, watched: Watched, health: Health, events: Events, clock: Clock) -> None:
        self._source, self._reach, self._view, self._glancer, self._idleness = watched
        self._health = health
        self._events = events
        self._clock = clock
        self._missing: frozenset[str] = frozenset()
        self._joined = self._ready = False

    async def run(self, stop: asyncio.Event) -> None:
        """Turn until cancelled. Once told to stop, the group is not joined any more."""
        while True:
            self._look(stopping=stop.is_set())
            await asyncio.sleep(_SECONDS)

    def _look(self, *, stopping: bool) -> None:
        now = self._clock.monotonic()
        self._report_missing()
        self._reach.look(now, self._clock.now_ms())
        self._view.look()
        self._health.turned(now, self._source.turned_at)
        self._events.report_left_out(now)
        self._glancer.look()
        if self._source.joined and not self._joined and not stopping:
            self._joined = True
            self._reach.reached(now)
            self._health.joined()
        if self._view.is_ready() is not self._ready:
            self._ready = not self._ready
            if self._ready:
                self._events.ready()
        if self._joined and not stopping:
            self._idleness.look(now)

    def _report_missing(self) -> None:
        before, self._missing = self._missing, self._source.missing
        for topic in sorted(self._missing - before):
            self._events.topic_missing(topic)
        for topic in sorted(before - self._missing):
            self._events.topic_found(topic)
