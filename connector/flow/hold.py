"""Reasons to post nothing new: the deployment is at fault, not the record.

A hold keeps every record in its place; answers still arriving are settled and committed, and Kafka is polled on.
"""

from __future__ import annotations

from typing import NamedTuple

from connector.core.outcome import Outcome
from connector.core.record import Record
from connector.flow.ports import Clock
from connector.observe.events import Events

DEPLOYMENT = "deployment"


class Hold(NamedTuple):
    """Since when (ms since the epoch), why, and what to do about it; `request_id` is what the vendor's support asks."""

    kind: str
    code: str
    why: str
    remedy: str
    request_id: str | None
    since_ms: int


class Holds:
    """The holds in force, by kind. A deployment hold ends with the process."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self._clock = clock
        self._events = events
        self._in_force: dict[str, Hold] = {}

    @property
    def active(self) -> bool:
        """Whether nothing new may be posted."""
        return bool(self._in_force)

    @property
    def in_force(self) -> tuple[Hold, ...]:
        """The holds, for people."""
        return tuple(self._in_force.values())

    def enter(self, kind: str, record: Record, event_id: str | None, outcome: Outcome) -> None:
        """Hold from now on, for the answer to this record; a second answer of the same kind changes nothing."""
        if kind in self._in_force:
            return
        now_ms = self._clock.now_ms()
        self._in_force[kind] = Hold(kind, outcome.code, outcome.why, outcome.remedy, outcome.request_id, now_ms)
        self._events.hold_entered(kind, record, event_id, outcome)
