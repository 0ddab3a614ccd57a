"""Reasons to post nothing new, in force side by side: each is entered and left on its own.

A hold keeps every record in its place; answers still arriving are settled and committed, and Kafka is polled on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from connector.core.tries import Tries
from connector.engine.timers import Now
from connector.observe.events import Events

Kind = Literal["deployment", "endpoint", "brake", "manual", "retry_after"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The deployment is at fault; the endpoint is down; too many dead letters; somebody said so; the vendor said so."""


class Reason(NamedTuple):
    """Why, for a person: `code` is bounded, `details` may be shown."""

    code: str
    why: str
    remedy: str
    details: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Hold:
    """One that is in force. `began` in seconds of the clock that never goes back. `tries`: when a record is tried;
    None: none is, until it is left. `stops_posting` False: it keeps back only what it is about."""

    kind: Kind
    reason: Reason
    since_ms: int
    began: float
    tries: Tries | None
    stops_posting: bool = True


class Holds:
    """The holds in force, by kind."""

    def __init__(self, now: Now, events: Events) -> None:
        self._now = now
        self._events = events
        self._in_force: dict[Kind, Hold] = {}
        self.active = False
        """Whether one of them stops posting: nothing new may be posted, but for one record to try."""

    def __getitem__(self, kind: Kind) -> Hold | None:
        return self._in_force.get(kind)

    def __contains__(self, kind: Kind) -> bool:
        return kind in self._in_force

    @property
    def in_force(self) -> tuple[Hold, ...]:
        """All of them."""
        return tuple(self._in_force.values())

    def next_tries(self) -> tuple[float, float] | None:
        """When any record may be tried, and when one that was not refused yet; None while a hold tries none."""
        stopping = [hold for hold in self._in_force.values() if hold.stops_posting]
        tries = [hold.tries for hold in stopping if hold.tries is not None]
        if len(tries) < len(stopping):
            return None
        return min(each.due for each in tries), min(each.due_for_others for each in tries)

    def enter(self, kind: Kind, reason: Reason, tries: Tries | None = None, *, stops_posting: bool = True) -> None:
        """Hold from now on; what is held already goes on being held for its first reason."""
        if kind not in self._in_force:
            self._in_force[kind] = Hold(kind, reason, self._now.ms, self._now.seconds, tries, stops_posting)
            self._see_active()
            self._events.hold_entered(kind, reason.code, reason.why, reason.remedy, reason.details)

    def give_tries(self, kind: Kind, tries: Tries) -> None:
        """From now on this one, which is in force, tries records at these times, unless it does already."""
        if (hold := self._in_force[kind]).tries is None:
            self._in_force[kind] = replace(hold, tries=tries)

    def stop_posting(self, kind: Kind, stops: bool) -> None:
        """From now on this one, which is in force, stops posting, or keeps back only what it is about."""
        self._in_force[kind] = replace(self._in_force[kind], stops_posting=stops)
        self._see_active()

    def leave(self, kind: Kind) -> None:
        """This one ends, if it is in force."""
        if (hold := self._in_force.pop(kind, None)) is not None:
            self._see_active()
            self._events.hold_left(kind, self._now.seconds - hold.began)

    def _see_active(self) -> None:
        self.active = any(hold.stops_posting for hold in self._in_force.values())
