"""Why a record cannot go further on the road: a value, never an exception."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Stage(StrEnum):
    """The station of the road where a failure happened, in the road's order."""

    DECODE = "decode"
    EVENT = "event"
    REQUEST = "request"
    INVOKE = "invoke"
    ROUTE = "route"


class Problem(NamedTuple):
    """One thing wrong with a record.

    `code` is a bounded snake_case class (metric label, header); `field` names the field as the producer wrote
    it, without its value; `shape` describes the value without showing it ("string of 17 characters");
    `remedy` says what the producer should do.
    """

    code: str
    field: str
    shape: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.code} ({self.shape}); {self.remedy}"


class Refusal(NamedTuple):
    """A record that can never be posted as it is, with every problem found, the first naming its class."""

    stage: Stage
    problems: tuple[Problem, ...]

    @property
    def code(self) -> str:
        """The class of the dead letter: the first problem's code."""
        return self.problems[0].code

    @property
    def reason(self) -> str:
        """All problems in one text that carries no value of the event."""
        return " · ".join(map(str, self.problems))
