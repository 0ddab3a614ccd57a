"""Decoded Avro fields → invocation event: what upstream asked for, its types checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Value = None | str | int | float | bool
Variables = Mapping[str, Mapping[str, Value]]


class InvocationEvent(NamedTuple):
    """One request of a producer to start a service for one end user. Times are ms since the epoch."""

    event_id: str
    service_id: str
    phone_number: str
    mobile_operator_id: int | None
    variables: Variables
    created_at_ms: int | None
    expires_at_ms: int | None
