"""The W3C trace context that a producer put on its record."""

from __future__ import annotations

import re
from typing import NamedTuple

from connector.core.record import Headers

_WELL_FORMED = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(headers: Headers, header: str = "traceparent") -> str | None:
    """Return the first well-formed `traceparent` (W3C Trace Context, version 00's form), or None."""
    for name, value in headers:
        if name == header and value is not None and _WELL_FORMED.fullmatch(value):
            return value.decode("ascii")
    return None


class SpanIds(NamedTuple):
    """What a `traceparent` says, in its own hexadecimal digits. `sampled`: whoever made it keeps the trace."""

    trace_id: str
    span_id: str
    sampled: bool


def span_ids(traceparent: str) -> SpanIds:
    """The parts of a well-formed `traceparent`."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanIds(trace_id, span_id, bool(int(flags, 16) & 1))
