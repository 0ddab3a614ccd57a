"""Where a record goes next: settled, a copy for the retry or the dead-letter topic, its own place, or once more.

Decided here, done by the engine.
"""

from __future__ import annotations

from typing import NamedTuple

from connector.core.envelope import Cause, History
from connector.core.event import InvocationEvent
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.refusal import Refusal, Stage
from connector.core.retry_after import seconds_of
from connector.core.schedule import RetryPlan, next_due

EXPIRED = "expired"
RETRIES_EXHAUSTED = "retries_exhausted"
MAYBE_DELIVERED = "maybe_delivered"
REFUSED_ALONE = "refused_alone"
OWN_CODES = frozenset({EXPIRED, RETRIES_EXHAUSTED, MAYBE_DELIVERED, REFUSED_ALONE})
"""Classes of dead letters that neither a refusal nor the table of outcomes names."""


class Policy(NamedTuple):
    """The settings that decide. Durations in ms, in-place backoff in seconds.

    `in_place` are the waits before a request that was never sent, or was turned away unread, is tried again in its
    place; after the last one it goes to the retry topic. `longest_pause` (seconds) bounds what a `Retry-After` asks.
    """

    retry: RetryPlan
    max_event_age_ms: int
    maybe_delivered_repeats: int
    in_place: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    longest_pause: float = 900.0


class Settled(NamedTuple):
    """Accepted by the vendor: nothing more to do."""


class ToRetry(NamedTuple):
    """Write a copy to the retry topic; `history` is what it will carry."""

    history: History
    cause: Cause


class ToDeadLetter(NamedTuple):
    """Write a copy to the dead-letter topic."""

    history: History
    cause: Cause


class Keep(NamedTuple):
    """Not the record is at fault but the deployment, or the endpoint: leave it where it is."""


class Again(NamedTuple):
    """Never sent, or turned away unread: the same request once more after `wait` seconds."""

    wait: float


Destination = Settled | ToRetry | ToDeadLetter | Keep | Again

SETTLED = Settled()
KEEP = Keep()


def refused(refusal: Refusal, history: History) -> ToDeadLetter:
    """A record that can never be posted is a dead letter."""
    return ToDeadLetter(history, Cause(refusal.stage, refusal.code, refusal.reason))


def expiry_ms(event: InvocationEvent, history: History, policy: Policy) -> int | None:
    """Return from when on an event is too old to be posted, or None when nothing says how old it is.

    The age counts from `createdAt`, else from the original record's timestamp.
    """
    born = event.created_at_ms if event.created_at_ms is not None else history.origin.timestamp_ms
    limit = None if born is None else born + policy.max_event_age_ms
    if event.expires_at_ms is None:
        return limit
    return event.expires_at_ms if limit is None else min(limit, event.expires_at_ms)


def expired(history: History, detail: str) -> ToDeadLetter:
    """Stale is worse than late: an event past its time is not posted."""
    return ToDeadLetter(history, Cause(Stage.ROUTE, EXPIRED, detail))


def refused_alone(history: History, outcome: Outcome, refusals: int, now_ms: int) -> ToDeadLetter:
    """Refused for what looked like a fault of the deployment, again and again, while others passed."""
    failed = _failed(history, outcome, now_ms)._replace(attempts=history.attempts + refusals)
    return ToDeadLetter(failed, _cause(outcome, REFUSED_ALONE, f"{refusals} times, while others passed; "))


def route(  # noqa: PLR0913 - all that decides, by name
    outcome: Outcome,
    history: History,
    policy: Policy,
    *,
    expires_ms: int | None,
    tries_in_place: int,
    posted_ms: int,
    now_ms: int,
    chance: float,
) -> Destination:
    """Decide where a record that was posted at `posted_ms` goes. `tries_in_place` counts those since it was taken."""
    if outcome.fate is Fate.ACCEPTED:
        return SETTLED
    if outcome.fate is Fate.HOLD and outcome.delivered is not Delivered.MAYBE:
        return KEEP  # else it goes on its way, which counts how often it may have been delivered
    unread = outcome.delivered is Delivered.NEVER_SENT or outcome.asks_to_wait
    if unread and tries_in_place < len(policy.in_place):
        pause = seconds_of(outcome.retry_after, now_ms, policy.longest_pause) or 0.0
        return Again(max(policy.in_place[tries_in_place], pause))
    failed = _failed(history, outcome, now_ms)
    if history.due_ms is not None and posted_ms > history.due_ms:
        failed = failed._replace(late_ms=failed.late_ms + posted_ms - history.due_ms)
    if outcome.fate is Fate.DEAD_LETTER:
        return ToDeadLetter(failed, _cause(outcome))
    if outcome.delivered is Delivered.MAYBE and not _may_repeat(failed, policy):
        return ToDeadLetter(failed, _cause(outcome, MAYBE_DELIVERED, "may have been delivered already; "))
    return _later(outcome, failed, policy, expires_ms, now_ms, chance)


def _later(
    outcome: Outcome, failed: History, policy: Policy, expires_ms: int | None, now_ms: int, chance: float
) -> Destination:
    first = now_ms if failed.first_failure_ms is None else failed.first_failure_ms
    due = next_due(policy.retry, first, now_ms, chance, failed.late_ms)
    if due is None:
        return ToDeadLetter(failed, _cause(outcome, RETRIES_EXHAUSTED, "the retry window is over; "))
    if expires_ms is not None and due >= expires_ms:
        return ToDeadLetter(failed, _cause(outcome, EXPIRED, "it expires before its next attempt; "))
    return ToRetry(failed._replace(due_ms=due), _cause(outcome))


def _failed(history: History, outcome: Outcome, now_ms: int) -> History:
    return history._replace(
        attempts=history.attempts + 1,
        first_failure_ms=now_ms if history.first_failure_ms is None else history.first_failure_ms,
        maybe_delivered=history.maybe_delivered + (outcome.delivered is Delivered.MAYBE),
    )


def _may_repeat(failed: History, policy: Policy) -> bool:
    return failed.maybe_delivered <= policy.maybe_delivered_repeats


def _cause(outcome: Outcome, code: str | None = None, prefix: str = "") -> Cause:
    return Cause(
        Stage.INVOKE,
        code or outcome.code,
        f"{prefix}{outcome.why}",
        outcome.status,
        outcome.vendor_code,
        outcome.request_id,
    )
