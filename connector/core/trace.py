"""The W3C trace context that a producer put on its record."""

from __future__ import annotations

import re

from connector.core.record import Headers

_WELL_FORMED = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(headers: Headers) -> str | None:
    """Return the first well-formed `traceparent` (W3C Trace Context, version 00's form), or None."""
    for name, value in headers:
        if name == "traceparent" and value is not None and _WELL_FORMED.fullmatch(value):
            return value.decode("ascii")
    return None
