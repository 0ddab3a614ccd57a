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
    """Failures in a row after which the endpoint counts as down, unless posts fail so often anyway that this may be
    chance; also the number of posts in the window from which their share of failures counts: 90 %, if chance does not
    explain it, so that of 100 posts all have to fail, of 600 at least 94 %. A larger number posts more into an endpoint
    that is down."""

    window: Duration = Field(default=10 * SECOND, ge=SECOND, le=HOUR)
    """Period over which posts are counted, and the longest time between two failures in a row, not counting the time
    that the failed post itself took. Failures that lie further apart are no outage: each record goes to the retry
    topic by itself."""

    probes: Probes = Probes()
    """When one record is tried."""


class Brake(Section):
    """Stops when so many records become dead letters that something other than the records must be wrong."""

    then: Literal["hold", "warn"] = "hold"
    """`hold` keeps records of the classes that became too frequent in place until their share has dropped, or until
    `connector resume --hold brake`; `warn` only says so."""

    window: Duration = Field(default=MINUTE, ge=SECOND, le=DAY)
    """Period over which records are counted. Expired ones do not count."""

    share: float = Field(default=0.5, ge=0.01, le=1)
    """Share of those records that became dead letters at which the brake engages."""

    minimum: int = Field(default=100, ge=1, le=1_000_000)
    """Minimum number of dead letters in the window for the share to count."""


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
    """Maximum requests per second across the whole deployment, including retries, probes and canaries. Each process
    takes a share according to its partitions, 96 % of it by those of the main topic, and spaces its requests evenly.
    Default: no limit."""

    floor: int = Field(default=1, ge=1, le=5000)
    """Minimum number of posts in flight. Between it and `delivery.in_flight` the connector looks for the number beyond
    which further posts only queue at the vendor; the same value for both fixes the number."""

    retry_share: float = Field(default=0.5, ge=0.01, le=0.99)
    """Share of the posts that the retry topic gets while the main topic also has something to post."""

    service_share: float = Field(default=0.8, ge=0.01, le=1)
    """Share of the posts in flight that one service id may have, so that a slow one leaves room for the others. What
    they leave it borrows while nobody else waits and it is answered within a second. With 1, or a single id in
    `openmarket.service_ids`, there is no such limit."""
