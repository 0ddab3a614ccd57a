"""A bad day at the vendor, as data: JSON or YAML, parsed strictly (an unknown key or a wrong type is refused)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connector.simulator.answers import CAUSES

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Status = Annotated[int, Field(ge=200, le=599)]


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text lists every problem."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Fixed(_Strict):
    """Always the same."""

    kind: Literal["fixed"] = "fixed"
    seconds: Seconds = 0.0


class Uniform(_Strict):
    """Evenly between two bounds, in seconds."""

    kind: Literal["uniform"] = "uniform"
    low: Seconds
    high: Seconds


class Lognormal(_Strict):
    """Mostly quick, sometimes slow: median and 99th percentile in seconds."""

    kind: Literal["lognormal"] = "lognormal"
    p50: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    p99: Annotated[float, Field(gt=0, allow_inf_nan=False)]


Latency = Annotated[Fixed | Uniform | Lognormal, Field(discriminator="kind")]


class _Fault(_Strict):
    accepted: bool = False
    """Whether a valid request is accepted all the same, whatever the caller gets to see."""


class Reject(_Fault):
    """A rejection of the vendor's own: a cause of the table, its status, code and words replaceable."""

    kind: Literal["reject"] = "reject"
    cause: str = "temporary"
    status: Status | None = None
    code: int | str | None = None
    description: str | None = None
    echo: bool = False
    """Whether the description ends with the phone number and a value of the request."""

    @model_validator(mode="after")
    def _known_cause(self) -> Reject:
        if self.cause not in CAUSES:
            raise ValueError(f"no such cause; known are {', '.join(CAUSES)}")
        return self


class TooMany(_Fault):
    """Too many requests: 429, or another status, with `Retry-After`."""

    kind: Literal["too_many"] = "too_many"
    status: Status = 429
    retry_after: Annotated[int, Field(ge=0)] | str | None = 1
    """Seconds; a text is sent as it is; null sends no header."""
    as_date: bool = False
    """Whether seconds are sent as an HTTP date."""


class Reset(_Fault):
    """The connection is reset: before the body is read, or after it."""

    kind: Literal["reset"] = "reset"
    when: Literal["before_body", "after_body"] = "after_body"


class Hang(_Fault):
    """No answer, ever, while the connection stays open."""

    kind: Literal["hang"] = "hang"


class Truncate(_Fault):
    """A good status line, and a body that breaks off before its announced end."""

    kind: Literal["truncate"] = "truncate"
    status: Status = 202


class Html(_Fault):
    """A page of a proxy or gateway, without `X-Request-Id`."""

    kind: Literal["html"] = "html"
    status: Status = 502


class Redirect(_Fault):
    """A redirect that must not be followed."""

    kind: Literal["redirect"] = "redirect"
    status: Status = 307
    location: str = "/login"


class Late(_Fault):
    """Accepted at once, answered after `seconds`."""

    kind: Literal["late"] = "late"
    seconds: Seconds
    accepted: bool = True


class NoRequestId(_Fault):
    """A 2xx without `X-Request-Id`: not the vendor's."""

    kind: Literal["no_request_id"] = "no_request_id"
    status: Status = 202


class Drip(_Fault):
    """A body of `size` bytes, one byte every `seconds`: the line is never silent for long."""

    kind: Literal["drip"] = "drip"
    status: Status = 500
    seconds: Seconds = 0.1
    size: Annotated[int, Field(ge=1)] = 100_000


class Huge(_Fault):
    """A body of `size` bytes."""

    kind: Literal["huge"] = "huge"
    status: Status = 500
    size: Annotated[int, Field(ge=1, le=1 << 30)] = 10_000_000


class Close(_Fault):
    """The answer as it would be, with `Connection: close`."""

    kind: Literal["close"] = "close"
    accepted: bool = True


Fault = Annotated[
    Reject | TooMany | Reset | Hang | Truncate | Html | Redirect | Late | NoRequestId | Drip | Huge | Close,
    Field(discriminator="kind"),
]


class When(_Strict):
    """Which requests a rule is for: all conditions must hold."""

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The part of the requests, drawn by seed, request and attempt: the order of arrival does not matter."""
    phone_numbers: frozenset[str] | None = None
    service_ids: frozenset[str] | None = None
    """Compared without case."""
    markers: frozenset[str] | None = None
    """Values of the ledger's marker variable."""
    first: Annotated[int, Field(ge=0)] | None = None
    """Only the first requests, this many, `of` the same phone number, the same invocation, or of all."""
    of: Literal["phone_number", "invocation", "all"] = "phone_number"
    after: Seconds = 0.0
    """Seconds since the scenario was set."""
    until: Seconds | None = None

    @property
    def needs_body(self) -> bool:
        """Whether it can be told only once the body was read."""
        by_body = self.phone_numbers is not None or self.markers is not None
        return by_body or (self.first is not None and self.of != "all")


class Rule(_Strict):
    """A fault, and the requests that meet it. `latency` null: the scenario's."""

    when: When = When()
    do: Fault | None = None
    """Null: answered as by the page; for a rule that only changes the latency, or exempts from later rules."""
    latency: Latency | None = None

    @property
    def before_body(self) -> bool:
        """Whether it strikes before the body is read."""
        return isinstance(self.do, Reset) and self.do.when == "before_body"

    @model_validator(mode="after")
    def _possible(self) -> Rule:
        if self.before_body and self.when.needs_body:
            raise ValueError("a reset before the body cannot depend on what the body says")
        return self


class Servers(_Strict):
    """From `after` seconds on, this many servers work side by side."""

    after: Seconds = 0.0
    count: Annotated[int, Field(ge=1)]


class Capacity(_Strict):
    """The vendor as a queue: N servers, each busy for `service_time` with a request; a full queue answers 429."""

    servers: Annotated[tuple[Servers, ...], Field(min_length=1)]
    service_time: Latency = Fixed(seconds=0.02)
    queue: Annotated[int, Field(ge=0)] = 10
    """Requests that may wait for a server."""
    turned_away: TooMany = TooMany()


class PasswordChange(_Strict):
    """From `after` seconds on, only this password is good."""

    after: Seconds
    password: str


class Scenario(_Strict):
    """The first rule whose conditions hold is the one; none: the page alone decides.

    A rule comes before the page: a gateway's error page also meets a request that the vendor would refuse.
    """

    seed: int = 0
    latency: Latency = Fixed()
    rules: tuple[Rule, ...] = ()
    capacity: Capacity | None = None
    passwords: tuple[PasswordChange, ...] = ()


def parse(text: str | bytes) -> Scenario:
    """Read a scenario from JSON or YAML; ScenarioError lists every problem."""
    try:
        # Through JSON, because strictness then knows that an array is all JSON has for tuples and sets.
        document = orjson.dumps(yaml.safe_load(text) or {})
        return Scenario.model_validate_json(document)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ScenarioError("; ".join(problems)) from None
    except (yaml.YAMLError, orjson.JSONEncodeError, RecursionError) as error:
        raise ScenarioError(f"neither JSON nor YAML: {error}") from None


def load(path: Path) -> Scenario:
    """Read a scenario file; ScenarioError for its content, OSError for the file."""
    return parse(path.read_bytes())
