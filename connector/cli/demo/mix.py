"""What the demo's producer writes: mostly good events, and a few of everything that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import NamedTuple

from connector.cli.demo.books import Expected
from connector.cli.generate import SERVICE_ID, events
from connector.core.event import Value
from connector.simulator.scenario import Lognormal, Reject, Rule, Scenario, When

MARKER = "demo-marker"
"""Header by which a dead letter's original is known: the connector gives original headers back byte for byte."""

Fields = dict[str, object]
Encode = Callable[[Mapping[str, object]], bytes]
"""An event as bytes, in single-object encoding."""

_LATENCY = Lognormal(p50=0.03, p99=0.3)
_FOR_NOW_SHARE = 0.05
_FOR_GOOD_SHARE = 0.02
_HOUR_MS = 3_600_000


class Scripted(NamedTuple):
    """One record to produce, and what shall become of it. `vendor`: the cause by which the simulator refuses it."""

    marker: str
    key: bytes | None
    value: bytes | None
    expected: Expected
    vendor: str | None = None


def _with(name: str, value: object) -> Callable[[Fields], Fields]:
    return lambda fields: fields | {name: value}


def _with_variables(**scopes: Mapping[str, Value]) -> Callable[[Fields], Fields]:
    return _with("variables", scopes)


RULE_BREAKERS: Mapping[str, Callable[[Fields], Fields]] = {
    "bad_event_id": _with("eventId", "gate change, 2 of 3"),
    "bad_service_id": _with("serviceId", "../../admin"),
    "service_id_not_allowed": _with("serviceId", "FFFFFFFFFFFF"),
    "bad_phone_number": _with("phoneNumber", "1 (202) 555-0112"),
    "national_phone_number": _with("phoneNumber", "07700900123"),
    "bad_time": _with("createdAt", 1_790_000_000),
    "unknown_scope": _with_variables(service={"gate": "B12"}),
    "duplicate_scope": _with_variables(session={"gate": "B12"}, Session={"seat": "12A"}),
    "bad_key": _with_variables(session={"gate number": "B12"}),
    "duplicate_key": _with_variables(session={"gate": "B12", "Gate": "B14"}),
    "reserved_key": _with_variables(session={"empty": "row 12"}),
    "built_in_key": _with_variables(user={"id": "MJHF"}),
    "value_too_long": _with_variables(session={"notice": "x" * 4097}),
    "value_not_bmp": _with_variables(session={"notice": "Your gate has changed \N{AIRPLANE}\N{GRINNING FACE}"}),
    "value_not_finite": _with_variables(session={"delayHours": float("nan")}),
    "body_too_large": _with_variables(session={"notice": "x" * 4096, "terms": "y" * 4096}),
}
"""Class of refusal → how to break that rule, and only that one."""

UNBROKEN = frozenset({"number_out_of_range", "more_problems"})
"""Classes that no event of our schema can begin with: its integers have 64 bits, and the second only ends a list."""

NOT_EVENTS: Mapping[str, Callable[[bytes], bytes | None]] = {
    "tombstone": lambda _event: None,
    "empty_value": lambda _event: b"",
    "bad_frame": lambda _event: b'{"eventId": "JSON and not Avro"}',
    "unknown_schema": lambda event: event[:2] + bytes(8) + event[10:],
    "undecodable": lambda event: event[:-4],
    "trailing_bytes": lambda event: event + b"\n",
}
"""Class of refusal → how to make a value that is no event out of one in single-object encoding."""


def script(count: int, seed: int, now_ms: int, encode: Encode) -> list[Scripted]:
    """Return `count` records in the order to produce them, the same ones for the same seed.

    `now_ms`: when the events were created, ms since the epoch.
    """
    random = Random(seed)  # noqa: S311 - the same mix again, not secrets
    generated = events(count, seed, created_at_ms=now_ms)
    records = [*_broken(generated, encode), *_not_events(generated, encode), _expired(generated, now_ms, encode)]
    records += [_well_formed(fields, random.random(), encode) for fields in generated]
    random.shuffle(records)
    return records


def vendors_day(records: list[Scripted], seed: int) -> Scenario:
    """The simulator's scenario in which everything happens as expected."""
    turned_away: dict[tuple[str, int | None], set[str]] = {}
    for record in records:
        if record.vendor is not None:
            first = None if record.expected.dead_letter else record.expected.posts - 1
            turned_away.setdefault((record.vendor, first), set()).add(record.marker)
    rules = [
        Rule(when=When(markers=frozenset(markers), first=first, of="invocation"), do=Reject(cause=cause))
        for (cause, first), markers in turned_away.items()
    ]
    return Scenario(seed=seed, latency=_LATENCY, rules=tuple(rules))


def _broken(generated: Iterator[Fields], encode: Encode) -> Iterator[Scripted]:
    for code, broken in RULE_BREAKERS.items():
        fields = next(generated)
        yield _record(fields, encode(broken(fields)), Expected(0, code))


def _not_events(generated: Iterator[Fields], encode: Encode) -> Iterator[Scripted]:
    for code, spoilt in NOT_EVENTS.items():
        fields = next(generated)
        yield _record(fields, spoilt(encode(fields)), Expected(0, code))


def _expired(generated: Iterator[Fields], now_ms: int, encode: Encode) -> Scripted:
    fields = next(generated)
    return _record(fields, encode(fields | {"expiresAt": now_ms - _HOUR_MS}), Expected(0, "expired"))


def _well_formed(fields: Fields, chance: float, encode: Encode) -> Scripted:
    """Turned away once or twice for now, or for good in one of two ways, or good."""
    fates = (
        (_FOR_NOW_SHARE / 2, Expected(2), "temporary"),
        (_FOR_NOW_SHARE / 2, Expected(3), "temporary"),
        (_FOR_GOOD_SHARE / 2, Expected(1, "vendor_permanent"), "permanent"),
        (_FOR_GOOD_SHARE / 2, Expected(1, "invalid_payload"), "built_in"),
    )
    for share, expected, cause in fates:
        chance -= share
        if chance < 0:
            return _record(fields, encode(fields), expected, cause)
    return _record(fields, encode(fields), Expected())


def _record(fields: Fields, value: bytes | None, expected: Expected, vendor: str | None = None) -> Scripted:
    key = str(fields["phoneNumber"]).encode()
    return Scripted(str(fields["eventId"]), key, value, expected, vendor)


ALLOWED_SERVICE_IDS = (SERVICE_ID,)
