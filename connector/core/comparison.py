"""What becomes of the same records under two configurations, or two versions, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import NamedTuple

import orjson

from connector.core.redact import safe_name
from connector.core.request import InvokeRequest

_MOST_KINDS = 1000
_PLACES = 3
_OTHER = "other"
_DIGEST = 2
"""Bytes. A record that differs is missed once in 65,536 times; and 150,000 phone numbers in ten billion have the same
digest, so that even somebody with the key cannot tell by trying which one was meant. Of a PIN they could."""

Values = Mapping[str, bytes]
"""Field → its value, or a digest of it."""


class Fate(NamedTuple):
    """What becomes of one record: the fields of its request, or the class for which it is refused."""

    values: Values | None
    refused: str | None = None


class Kind(NamedTuple):
    """A difference: in the field `name`, or from one fate to the other. "" is a request."""

    field: str | None
    one: str = ""
    other: str = ""


class Difference(NamedTuple):
    """How many records differ so, and the first of them: partition and offset."""

    kind: Kind
    records: int
    places: tuple[tuple[int, int], ...]


def values_of(request: InvokeRequest, event_id: str, expires_ms: int | None) -> Values:
    """The fields that decide what is posted, for whom, and until when, each as JSON."""
    content = orjson.loads(request.body)
    found: dict[str, object] = {"eventId": event_id, "serviceId": request.service_id, "expires": expires_ms}
    found |= {f"endUser.{name}": value for name, value in content["endUser"].items()}
    for scope, keys in content.get("variables", {}).items():
        for place, (key, value) in enumerate(keys.items(), 1):
            found[f"variables.{scope}.{safe_name(key, place)}"] = value
    return {name: orjson.dumps(value) for name, value in found.items()}


def digests(values: Values, key: bytes) -> Values:
    """A short digest of each value in its place, under a key of at most 64 bytes."""
    return {
        name: blake2b(name.encode() + b"\0" + value, key=key, digest_size=_DIGEST).digest()
        for name, value in values.items()
    }


class Comparison:
    """Pairs of fates in, counts out."""

    def __init__(self, most: int = _MOST_KINDS) -> None:
        self._most = most
        self._found: dict[Kind, tuple[int, list[tuple[int, int]]]] = {}
        self.records = 0
        self.same = 0
        self.gone = 0

    def add(self, place: tuple[int, int], one: Fate, other: Fate) -> None:
        """A record: its partition and offset, and what becomes of it under each."""
        self.records += 1
        kinds = list(_kinds(one, other))
        self.same += not kinds
        for kind in kinds:
            self._count(kind, place)

    def missing(self) -> None:
        """A record that only one of the two has seen: retention or compaction took it in between."""
        self.gone += 1

    @property
    def differing(self) -> int:
        """How many records differ in anything."""
        return self.records - self.same

    def differences(self) -> list[Difference]:
        """The most frequent first."""
        found = [Difference(kind, count, tuple(places)) for kind, (count, places) in self._found.items()]
        return sorted(found, key=lambda each: (-each.records, str(each.kind)))

    def _count(self, kind: Kind, place: tuple[int, int]) -> None:
        if kind not in self._found and len(self._found) >= self._most:
            kind = Kind(_OTHER)
        count, places = self._found.get(kind, (0, []))
        if len(places) < _PLACES:
            places.append(place)
        self._found[kind] = count + 1, places


def _kinds(one: Fate, other: Fate) -> Iterator[Kind]:
    if one.values is None or other.values is None:
        if (one.refused, one.values is None) != (other.refused, other.values is None):
            yield Kind(None, one.refused or "", other.refused or "")
        return
    if one.values == other.values:
        return
    for name in sorted({*one.values, *other.values}):
        if one.values.get(name) != other.values.get(name):
            yield Kind(name)


Placed = tuple[tuple[int, int], Fate]


def side_by_side(
    ones: Iterator[Placed], others: Iterator[Placed]
) -> Iterator[tuple[tuple[int, int], Fate | None, Fate | None]]:
    """Pair what has the same place. Both come in the order of their places; None where only the other one has it."""
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        place = min(each[0] for each in (one, other) if each is not None)
        mine = one[1] if one is not None and one[0] == place else None
        theirs = other[1] if other is not None and other[0] == place else None
        yield place, mine, theirs
        one = next(ones, None) if mine is not None else one
        other = next(others, None) if theirs is not None else other
