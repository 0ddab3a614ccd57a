"""The W3C trace context that a producer put on its record."""

from __future__ import annotations

import re
from typing import NamedTuple

from connector.core.record import Headers

_WELL_FORMED = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = rb"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(rb"(%b)=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]" % _KEY)
_MOST_MEMBERS = 32
_LONG = 128
_LONGEST = 512
_LARGEST = 65_536  # bytes of which anything is read


class TraceContext(NamedTuple):
    """A well-formed `traceparent`, and the `tracestate` that belongs to it."""

    parent: str
    state: str | None = None

    def headers(self) -> dict[str, str]:
        """As they go on with a request."""
        return {"traceparent": self.parent, **({} if self.state is None else {"tracestate": self.state})}


def trace_of(headers: Headers) -> TraceContext | None:
    """The trace context of a record; None without a well-formed `traceparent`, whatever `tracestate` says."""
    parent = traceparent_of(headers)
    return None if parent is None else TraceContext(parent, _tracestate_of(headers))


def traceparent_of(headers: Headers, header: str = "traceparent") -> str | None:
    """Return the first well-formed `traceparent` (W3C Trace Context, version 00's form), or None."""
    for name, value in headers:
        if name == header and value is not None and _WELL_FORMED.fullmatch(value):
            return value.decode("ascii")
    return None


def _tracestate_of(headers: Headers) -> str | None:
    """All of them as one, at most 512 characters; None if a part of it is not W3C Trace Context's level 1.

    Of one that is longer the members of more than 128 characters go first, and then the last ones, as the standard
    says. Of two members with one key the first one stays.
    """
    values = [value for name, value in headers if name == "tracestate" and value is not None]
    if not values or sum(map(len, values)) > _LARGEST:
        return None
    found = [member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))]
    if len(found) > _MOST_MEMBERS:
        return None
    members: dict[bytes, bytes] = {}
    for member in found:
        if (matched := _MEMBER.fullmatch(member)) is None:
            return None
        members.setdefault(matched[1], member)
    return b",".join(_short(list(members.values()))).decode("ascii") or None


def _short(members: list[bytes]) -> list[bytes]:
    for place in range(len(members) - 1, -1, -1):
        if _length(members) > _LONGEST and len(members[place]) > _LONG:
            del members[place]
    while _length(members) > _LONGEST:
        members.pop()
    return members


def _length(members: list[bytes]) -> int:
    return sum(map(len, members)) + len(members) - 1


class SpanIds(NamedTuple):
    """What a `traceparent` says, in its own hexadecimal digits. `sampled`: its maker keeps the trace."""

    trace_id: str
    span_id: str
    sampled: bool


def span_ids(traceparent: str) -> SpanIds:
    """The parts of a well-formed `traceparent`."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanIds(trace_id, span_id, bool(int(flags, 16) & 1))
