"""Events in, a report out: what `run` would refuse, and what it would post and nobody meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from connector.core.destination import EXPIRED
from connector.core.event import InvocationEvent
from connector.core.lint.counting import Frequent
from connector.core.lint.findings import Finding, Notes, Place, Report, Seen, Severity
from connector.core.lint.keys import Keys
from connector.core.lint.phone_numbers import PhoneNumbers, Plans
from connector.core.redact import mask_phone, safe_name, safe_service_id
from connector.core.refusal import Problem
from connector.core.usual import MAX_VALUE

VALUE_NEAR_LIMIT = "value_near_limit"
TIME_IN_FUTURE = "time_in_future"
EXPIRES_TOO_SOON = "expires_too_soon"
ONE_END_USER = "one_end_user"
UNKNOWN_SERVICE_ID = "unknown_service_id"

_NEAR = MAX_VALUE * 9 // 10
_CLOCKS_DIFFER_MS = 10 * 60_000
_FEWEST_EVENTS = 100
_HALF = 0.5
_MOST_END_USERS = 10_000
_MOST_SERVICES = 1_000
_SERVICES_SHOWN = 5
_MINUTE_MS = 60_000

_REMEDIES: Mapping[str, str] = {
    EXPIRED: "set expiresAt in ms since the epoch, UTC, after the event's own time; an event past it is never posted",
    VALUE_NEAR_LIMIT: f"shorten it: from {MAX_VALUE + 1} characters on it is refused",
    TIME_IN_FUTURE: "write UTC, not local time, and look at the producer's clock: the age of such an event is not seen",
    EXPIRES_TOO_SOON: "give it more time: one post may take openmarket.timeouts.total, a retry waits for retry.delay",
    ONE_END_USER: "look whether it is a test's or a default number: its events wait for each other, for one person",
    UNKNOWN_SERVICE_ID: "list openmarket.service_ids: the vendor accepts an id that does not exist, and reaches nobody",
}


class Expectations(NamedTuple):
    """What the settings say. `now_ms`: ms since the epoch. `soon_ms`: what one post may take.

    `has_allow_list` is false where any service id is posted.
    """

    now_ms: int
    soon_ms: int
    has_allow_list: bool


class Lint:
    """Counts what is wrong. Memory does not grow with the number of events."""

    def __init__(self, expectations: Expectations, plans: Plans, partitions: int | None) -> None:
        """`partitions` is how many the topic has, None for a file."""
        self._expectations = expectations
        self._records = 0
        self._refused = 0
        self._passed_over = 0
        self._notes = Notes()
        self._keys = None if partitions is None else Keys(partitions)
        self._numbers = PhoneNumbers(plans)
        self._end_users: Frequent[str, Place] = Frequent(_MOST_END_USERS)
        self._services: Frequent[str, Place] = Frequent(_MOST_SERVICES)

    def add(self, seen: Seen) -> None:
        """A record, or a line."""
        self._records += 1
        if self._keys is not None and seen.place.partition is not None:
            self._keys.add(seen.producer, seen.place.partition, seen.key, seen.place)
        problems = self._refusing(seen)
        if problems:
            self._refused += 1
            for problem in problems:
                self._notes.add(Severity.REFUSED, problem, seen)
        elif seen.event is not None:
            self._look_at(seen, seen.event)

    def pass_over(self) -> None:
        """A record that `run` leaves alone."""
        self._records += 1
        self._passed_over += 1

    def report(self) -> Report:
        """All of it."""
        found = [*self._notes.findings(), *self._numbers.findings(), *self._of_end_users(), *self._of_services()]
        if self._keys is not None:
            found += self._keys.findings()
        found.sort(key=lambda each: (each.severity is Severity.SUSPECT, -each.events, each.rule, each.field))
        return Report(self._records, self._refused, self._passed_over, tuple(found))

    def _refusing(self, seen: Seen) -> tuple[Problem, ...]:
        if seen.refusal is not None:
            return seen.refusal.problems
        if seen.expires_ms is None or seen.expires_ms > seen.produced_ms:
            return ()
        field = "createdAt" if seen.event is not None and seen.event.expires_at_ms is None else "expiresAt"
        return (Problem(EXPIRED, field, "past when the event was written", _REMEDIES[EXPIRED]),)

    def _look_at(self, seen: Seen, event: InvocationEvent) -> None:
        for place, (scope, keys) in enumerate(event.variables.items(), 1):
            for number, (key, value) in enumerate(keys.items(), 1):
                if isinstance(value, str) and len(value) > _NEAR:
                    field = f"variables.{safe_name(scope, place)}.{safe_name(key, number)}"
                    self._suspect(VALUE_NEAR_LIMIT, field, "up to {} characters", seen, len(value))
        self._look_at_times(seen, event)
        self._numbers.add(event.phone_number.removeprefix("+"), seen)
        self._end_users.add(event.phone_number.removeprefix("+"), seen.place)
        if not self._expectations.has_allow_list:
            self._services.add(safe_service_id(event.service_id, event.phone_number) or "[not shown]", seen.place)

    def _look_at_times(self, seen: Seen, event: InvocationEvent) -> None:
        ahead = {
            "createdAt": (event.created_at_ms or 0) - seen.produced_ms,
            "the record's timestamp": seen.produced_ms - self._expectations.now_ms,
        }
        for field, ahead_ms in ahead.items():
            if ahead_ms > _CLOCKS_DIFFER_MS:
                self._suspect(TIME_IN_FUTURE, field, "up to {} minutes ahead", seen, ahead_ms // _MINUTE_MS)
        if seen.expires_ms is not None and seen.expires_ms - seen.produced_ms < self._expectations.soon_ms:
            text = f"less than {self._expectations.soon_ms / 1000:g} s after it was written"
            self._suspect(EXPIRES_TOO_SOON, "expiresAt", text, seen)

    def _suspect(self, rule: str, field: str, text: str, seen: Seen, size: int = 0) -> None:
        self._notes.add(Severity.SUSPECT, Problem(rule, field, text, _REMEDIES[rule]), seen, size)

    def _of_end_users(self) -> Iterator[Finding]:
        most = self._end_users.first
        if most is None or self._end_users.total < _FEWEST_EVENTS:
            return
        share = (most.times + self._end_users.error) / self._end_users.total
        if share >= _HALF:
            text = f"one has {share:.0%} of the events"
            example = {"phoneNumber": mask_phone(most.key)}
            remedy = _REMEDIES[ONE_END_USER]
            yield Finding(
                Severity.SUSPECT, ONE_END_USER, "phoneNumber", most.times, text, remedy, (most.where,), example
            )

    def _of_services(self) -> Iterator[Finding]:
        ids = sorted(self._services, key=lambda each: (each.times, each.key))
        if not ids:
            return
        rarest = ", ".join(f"{each.key} ({each.times:,})" for each in ids[:_SERVICES_SHOWN])
        text = f"any id is posted, and {len(ids):,} are there; the rarest: {rarest}"
        yield Finding(
            Severity.SUSPECT,
            UNKNOWN_SERVICE_ID,
            "serviceId",
            self._services.total,
            text,
            _REMEDIES[UNKNOWN_SERVICE_ID],
            tuple(each.where for each in ids[:1]),
        )
