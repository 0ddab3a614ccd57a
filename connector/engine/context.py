"""What every part of the engine has."""

from __future__ import annotations

from typing import NamedTuple

from connector.engine.messages import Effect
from connector.engine.timers import Now, Timers
from connector.observe.events import Events


class Context(NamedTuple):
    """The time, what is to be done later and what is to be done now, and whom happenings are told."""

    now: Now
    timers: Timers
    outbox: list[Effect]
    events: Events
