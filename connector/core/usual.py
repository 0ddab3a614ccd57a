"""The body of an event with nothing to refuse and nothing to put right, which nearly all are, in one look.

By itself, since it is compiled: what is judged value by value has numbers in it that a compiled float would round.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

from connector.core.event import InvocationEvent
from connector.core.redact import is_event_id

MAX_BODY = 8000
"""Bytes (vendor page: 8000, not 8192)."""
MAX_VALUE = 4096
"""Characters of a value. One sentence of the vendor page says "up to", another "less than": we let 4096 pass."""

is_phone_number = re.compile(r"[1-9][0-9]{5,15}").fullmatch
"""Takes a text; true of a phone number: 6 to 16 digits (vendor page), country code first."""

_LONG = 2**63
_YEAR_2000_MS = 946_684_800_000
_YEAR_2101_MS = 4_133_980_800_000


def is_plausible(time_ms: int) -> bool:
    """Whether these are ms since the epoch, of the years 2000 to 2100; seconds or microseconds are not."""
    return _YEAR_2000_MS <= time_ms < _YEAR_2101_MS


def usual_body(
    event: InvocationEvent,
    is_listed: Callable[[str], object],
    has_good_keys: Callable[[str, tuple[str, ...]], bool],
) -> bytes | None:
    """Return the body of an event with nothing to refuse or to put right, and texts in ASCII only; None: judge it.

    The callables are those of `RequestRules`. A law holds this to what judging it value by value makes of it.
    """
    event_id, service_id, number, operator, variables, created_ms, expires_ms = event
    if not (is_event_id(event_id) and is_listed(service_id) and is_phone_number(number)):
        return None
    if (created_ms is not None and not is_plausible(created_ms)) or (
        expires_ms is not None and not is_plausible(expires_ms)
    ):
        return None
    for scope, keys in variables.items():
        if not has_good_keys(scope, tuple(keys)):
            return None
        for value in keys.values():
            if type(value) is not str or len(value) > MAX_VALUE or not value.isascii():
                return None
    end_user: dict[str, object] = {"phoneNumber": number}
    if operator is not None:
        if not 0 < operator < _LONG:
            return None
        end_user["mobileOperatorId"] = operator
    body = orjson.dumps({"endUser": end_user, "variables": variables} if variables else {"endUser": end_user})
    return body if len(body) <= MAX_BODY else None
