"""The settings of `hold`: when nothing new is posted, and how that ends by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from connector.config.section import Section
from connector.config.units import DAY, HOUR, MINUTE, SECOND, Duration


class Intervals(Section):
    """Waits between two tries of one record. Each is twice the one before, and scatters, so that pods do not try
    together."""

    first: Duration = Field(default=30 * SECOND, ge=0.1, le=HOUR)
    """Wait before the first try."""

    longest: Duration = Field(default=15 * MINUTE, ge=0.1, le=DAY)
    """Longest wait. Long by default, because an account may be locked after a few refusals of its password."""

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if self.longest < self.first:
            raise ValueError("longest must not be shorter than first")
        return self


class Probes(Intervals):
    """The same for an endpoint that is down: a probe costs it nothing."""

    first: Duration = Field(default=2 * SECOND, ge=0.1, le=HOUR)
    """Wait before the first probe."""

    longest: Duration = Field(default=30 * SECOND, ge=0.1, le=DAY)
    """Longest wait: an endpoint that is back is noticed within it."""


class Endpoint(Section):
    """When the endpoint counts as down: nearly everything fails for reasons that may pass."""

    minimum: int = Field(default=20, ge=1, le=100_000)
    """Failures in a row from which on it counts as down, unless so many failed before that this may be chance; and the
    fewest posts for `share` to count. A larger number posts more into an endpoint that is down."""

    share: float = Field(default=0.9, ge=0.1, le=1)
    """Share of all posts of the window from which on nothing new is posted, when chance does not explain it: of 100
    posts all have to fail, of 600 at least 94 %."""

    window: Duration = Field(default=10 * SECOND, ge=SECOND, le=HOUR)
    """How far back posts count, and how far apart failures in a row may lie, without the time that a post in vain was
    under way: fewer are no outage, and each record goes its own way to the retry topic."""

    probes: Probes = Probes()
    """When one record is tried."""


class Brake(Section):
    """When so much goes to the dead letters that something else than the records must be wrong."""

    then: Literal["hold", "warn"] = "hold"
    """`hold` keeps records of the classes that became too many in their place, until their share is over or `connector
    resume --hold brake`; `warn` only says so."""

    window: Duration = Field(default=MINUTE, ge=SECOND, le=DAY)
    """Records of the last so long are looked at. What expired does not count."""

    share: float = Field(default=0.5, ge=0.01, le=1)
    """Share of them that became dead letters, from which on it brakes."""

    minimum: int = Field(default=100, ge=1, le=1_000_000)
    """Fewest dead letters in the window for the share to count."""

    rate: int | None = Field(default=None, ge=1, le=100_000_000)
    """Dead letters in the window from which on it brakes whatever their share is. Default: no such bound."""


class Hold(Section):
    """Reasons to post nothing new. A hold settles the answers under way, keeps its partitions and dead-letters nothing.
    It ends by itself when its reason is gone."""

    canary: Intervals = Intervals()
    """When a record is tried while the deployment is at fault (credentials, role, certificate, address)."""

    endpoint: Endpoint = Endpoint()
    """The hold for an endpoint that is down."""

    brake: Brake = Brake()
    """The brake on mass dead-lettering."""

    paused_file: Path | None = None
    """File that says what is paused, looked at every second: a line each of `*` (everything), a topic, or a
    `topic:partition`; what follows a `#` is a comment. Missing or empty: nothing. One that cannot be used changes
    nothing, and pauses everything after a start. Meant for a mounted ConfigMap, so that it holds for the whole
    deployment and survives restarts."""


class Pace(Section):
    """How fast, and who gets how much of it."""

    rate: float | None = Field(default=None, ge=0.01, le=1_000_000)
    """Most requests a second of the whole deployment, retries, probes and canaries among them. Each process takes the
    part that its partitions are of each topic's, 96 % of it by the main topic. Default: no bound."""

    burst: int = Field(default=1, ge=1, le=1_000_000)
    """Requests that may go at once after a pause, of the whole deployment: 1 spaces them evenly."""

    floor: int = Field(default=1, ge=1, le=1000)
    """Fewest posts under way. Between it and `delivery.in_flight` the number is looked for from which on more only wait
    at the vendor; where both are the same, the number is fixed."""

    longest_pause: Duration = Field(default=15 * MINUTE, ge=SECOND, le=DAY)
    """Longest pause that a `Retry-After` can ask for; a longer one is cut to it."""

    retry_share: float = Field(default=0.5, ge=0.01, le=0.99)
    """Share of the posts that the retry topic gets while the main topic has something to post too."""

    service_share: float = Field(default=0.8, ge=0.01, le=1)
    """Share of the posts under way that one service id may have, so that a slow one leaves room for the others. 1, or a
    single id in `openmarket.service_ids`: no such bound."""
