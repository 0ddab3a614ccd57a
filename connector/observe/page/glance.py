"""What one look at a process sees, as the page shows it. Times are ms since the epoch, ages and waits are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connector.core.pauses import Paused
from connector.core.record import Partition

DUE = "due time"
"""Why a partition of a retry topic waits when nothing is wrong."""


HOLD = "hold"
"""Why a partition waits during a hold that stops posting: the hold is shown itself."""


COMMIT = "commit"
"""Why a partition waits while as much is in no acknowledged commit as may be: so do all, as in a hold."""


class Wait(NamedTuple):
    """Why a partition takes nothing new, since when, and when its next record is due, where that is why."""

    reason: str
    since_ms: int
    due_ms: int | None = None


class Place(NamedTuple):
    """A partition of ours. `lag` None: not known now. `oldest`: age of its oldest unsettled record, None without."""

    partition: Partition
    lag: int | None
    in_hand: int
    oldest: float | None
    waits: tuple[Wait, ...]

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for a reason of its own, and not for the time that its retry is due."""
        return any(wait.reason not in {DUE, HOLD, COMMIT} for wait in self.waits)


class Held(NamedTuple):
    """A hold in force. `next_try` None: no record is tried. `stops_posting` False: it keeps back a part only."""

    kind: str
    code: str
    why: str
    remedy: str
    since_ms: int
    stops_posting: bool
    tries: int | None = None
    next_try: float | None = None


class Answered(NamedTuple):
    """Answers of one class: in the last minutes, since the process started, and what the class means."""

    code: str
    recent: int
    total: int
    meaning: str


class Times(NamedTuple):
    """Upper bounds of half and of 99 % of the last minutes' times; None: there was none. Infinite: beyond them all."""

    half: float | None
    most: float | None


class Glance(NamedTuple):
    """One look. `minutes` is the span of everything recent, `accepted_minute` what was accepted in the last one.

    `quiet`: for how long nothing was accepted, since it joined its group where nothing was yet. `oldest`: age of the
    oldest unsettled record. `is_shadow`: it delivers nothing, and "accepted" is what would have been posted.
    `kafka_since_ms`: since when no broker is reached, None while one is.
    """

    host: str
    version: str
    group: str
    base_url: str
    is_cie: bool
    now_ms: int
    started_ms: int
    is_joined: bool
    is_ready: bool
    kafka_since_ms: int | None
    missing: tuple[str, ...]
    holds: tuple[Held, ...]
    paused: tuple[Paused, ...]
    places: tuple[Place, ...]
    minutes: int
    accepted_minute: int
    accepted: int
    quiet: float
    was_accepted: bool
    oldest: float
    in_hand: int
    in_flight: int
    in_flight_limit: int
    uncommitted: int
    waiting: Mapping[str, int]
    answers: tuple[Answered, ...]
    post: Times
    end_to_end: Times
    runbooks: str | None = None
    is_shadow: bool = False

    @property
    def lag(self) -> int:
        """Records that can be read beyond what is settled, of all partitions whose lag is known."""
        return sum(place.lag or 0 for place in self.places)

    @property
    def behind(self) -> int:
        """Those of partitions that wait for nothing: somebody should be delivering them."""
        return sum(place.lag or 0 for place in self.places if not place.waits)
