"""Why a record cannot go further on the road: a value, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override


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

    @override
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


SETTINGS_BEHIND: Mapping[str, str] = {
    "bad_frame": "schemas.framing",
    "unknown_schema": "schemas.registry and schemas.folder",
    "incompatible_schema": "schemas.bare_schema",
    "undecodable": "schemas.framing and schemas.bare_schema",
    "schema_violation": "schemas.json_schema",
    "mapping_misfit": "mapping.events",
    "mapping_not_ours": "mapping.events and mapping.others",
    "mapping_null": "mapping.events",
    "mapping_bad_value": "mapping.events",
    "mapping_no_entry": "mapping.events",
    "service_id_not_allowed": "openmarket.service_ids",
    "bad_key": "openmarket.key_characters",
    "expired": "delivery.max_event_age and the clocks of producers",
}
"""Classes of refusal that a wrong setting of this deployment causes as well as a producer does, and the settings to
look at. Expiry only where Kafka says that the record is new: after a long stop all that waits may have expired."""
