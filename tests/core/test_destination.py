"""Where a record goes next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.destination import (
    EXPIRED,
    KEEP,
    MAYBE_DELIVERED,
    REFUSED_ALONE,
    RETRIES_EXHAUSTED,
    SETTLED,
    Again,
    Destination,
    Policy,
    ToDeadLetter,
    ToRetry,
    expired,
    expiry_ms,
    refused,
    refused_alone,
    route,
)
from connector.core.envelope import History, Origin
from connector.core.event import InvocationEvent
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.record import Partition
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.schedule import RetryPlan

NOW = 1_000_000_000
POSTED = NOW - 100
POLICY = Policy(
    RetryPlan(delay_ms=900_000, window_ms=86_400_000),
    max_event_age_ms=172_800_000,
    maybe_delivered_repeats=1,
    in_place=(0.1, 0.2),
)
FRESH = History(Origin(Partition("invocations", 0), 1, NOW))


def outcome(fate: Fate, delivered: Delivered = Delivered.NO) -> Outcome:
    return Outcome(fate, "some_code", "why", "remedy", delivered, 500, "1010", "REQ-1")


def routed(
    answer: Outcome,
    history: History = FRESH,
    policy: Policy = POLICY,
    expires_ms: int | None = None,
    tries: int = 0,
) -> Destination:
    return route(
        answer, history, policy, expires_ms=expires_ms, tries_in_place=tries, posted_ms=POSTED, now_ms=NOW, chance=0.5
    )


def test_accepted_is_settled() -> None:
    """Nothing more to do."""
    assert routed(outcome(Fate.ACCEPTED)) is SETTLED


def test_a_fault_of_the_deployment_keeps_the_record_in_its_place() -> None:
    """A hold is never a dead letter."""
    assert routed(outcome(Fate.HOLD)) is KEEP


def test_a_failure_for_good_is_a_dead_letter_with_its_cause() -> None:
    """The cause names what was answered, and the attempt counts."""
    destination = routed(outcome(Fate.DEAD_LETTER))
    assert isinstance(destination, ToDeadLetter)
    assert destination.cause == (Stage.INVOKE, "some_code", "why", 500, "1010", "REQ-1")
    assert destination.history.attempts == 1
    assert destination.history.first_failure_ms == NOW


def test_a_failure_for_now_is_due_after_the_delay() -> None:
    """With a chance of one half the jitter is nothing."""
    destination = routed(outcome(Fate.RETRY))
    assert isinstance(destination, ToRetry)
    assert destination.history == FRESH._replace(attempts=1, first_failure_ms=NOW, due_ms=NOW + 900_000)


def test_the_first_failure_stays_the_first() -> None:
    """The window counts from it, over restarts."""
    earlier = FRESH._replace(attempts=3, first_failure_ms=NOW - 1_000)
    destination = routed(outcome(Fate.RETRY), earlier)
    assert isinstance(destination, ToRetry)
    assert (destination.history.attempts, destination.history.first_failure_ms) == (4, NOW - 1_000)


def test_past_the_window_retries_are_exhausted() -> None:
    """The vendor's advice is 24 hours."""
    destination = routed(outcome(Fate.RETRY), FRESH._replace(attempts=96, first_failure_ms=NOW - 86_000_000))
    assert isinstance(destination, ToDeadLetter)
    assert destination.cause.code == RETRIES_EXHAUSTED


def test_a_record_that_expires_before_its_next_attempt_is_a_dead_letter_at_once() -> None:
    """Nothing is gained by letting it wait."""
    destination = routed(outcome(Fate.RETRY), expires_ms=NOW + 900_000)
    assert isinstance(destination, ToDeadLetter)
    assert destination.cause.code == EXPIRED


def test_what_was_turned_away_unread_keeps_its_place_for_as_long_as_it_was_asked_to_wait() -> None:
    """A 429, or a 503 with `Retry-After`: nothing was done for it, and 15 minutes late would be late."""
    turned_away = Outcome(Fate.RETRY, "c", "w", "r", Delivered.NO, 429, retry_after="7", overloaded=True)
    assert routed(turned_away) == Again(7.0)
    assert routed(turned_away._replace(retry_after=None), tries=1) == Again(0.2)
    assert routed(turned_away._replace(status=503)) == Again(7.0)
    assert isinstance(routed(turned_away._replace(status=503, retry_after=None)), ToRetry)
    assert isinstance(routed(turned_away, tries=2), ToRetry)


def test_what_may_have_been_delivered_is_never_tried_again_in_its_place() -> None:
    """A gateway's 504 with `Retry-After`: a repeat has to be counted in the copy's headers."""
    maybe = Outcome(Fate.RETRY, "c", "w", "r", Delivered.MAYBE, 504, retry_after="7", overloaded=True)
    assert isinstance(routed(maybe), ToRetry)


def test_a_pause_that_is_asked_for_is_cut_to_the_longest() -> None:
    turned_away = Outcome(Fate.RETRY, "c", "w", "r", Delivered.NO, 429, retry_after="100000", overloaded=True)
    assert routed(turned_away) == Again(POLICY.longest_pause)


def test_a_record_that_was_refused_alone_is_a_dead_letter_that_says_so() -> None:
    """With what was answered, and how often."""
    letter = refused_alone(FRESH, outcome(Fate.HOLD), 4, NOW)
    assert letter.cause == (
        Stage.INVOKE,
        REFUSED_ALONE,
        "4 times, while others passed; why",
        500,
        "1010",
        "REQ-1",
    )
    assert (letter.history.attempts, letter.history.first_failure_ms) == (4, NOW)


def test_what_came_late_takes_nothing_off_the_window() -> None:
    """A hold of a day: the attempt that was due within the window is made, and its failure is not the last."""
    due_ms = NOW - 80_000_000
    held = FRESH._replace(attempts=12, first_failure_ms=due_ms - 10_000_000, due_ms=due_ms)
    destination = routed(outcome(Fate.RETRY), held)
    assert isinstance(destination, ToRetry)
    assert destination.history.late_ms == POSTED - due_ms
    again = destination.history._replace(due_ms=POSTED)
    assert isinstance(routed(outcome(Fate.RETRY), again), ToRetry)


def test_an_attempt_that_came_early_is_not_late() -> None:
    destination = routed(outcome(Fate.RETRY), FRESH._replace(attempts=1, first_failure_ms=NOW, due_ms=NOW + 5))
    assert isinstance(destination, ToRetry)
    assert destination.history.late_ms == 0


def test_what_was_never_sent_is_tried_again_in_its_place_and_then_later() -> None:
    """With growing waits, and after the last one in the retry topic."""
    unsent = outcome(Fate.RETRY, Delivered.NEVER_SENT)
    assert routed(unsent, tries=0) == Again(0.1)
    assert routed(unsent, tries=1) == Again(0.2)
    assert isinstance(routed(unsent, tries=2), ToRetry)


@pytest.mark.parametrize(("earlier", "repeats", "retried"), [(0, 1, True), (1, 1, False), (1, 2, True), (0, 0, False)])
def test_a_maybe_delivered_record_is_repeated_so_often_in_its_life(earlier: int, repeats: int, retried: bool) -> None:
    """Each repeat may text a person twice."""
    policy = POLICY._replace(maybe_delivered_repeats=repeats)
    destination = routed(outcome(Fate.RETRY, Delivered.MAYBE), FRESH._replace(maybe_delivered=earlier), policy)
    assert isinstance(destination, ToRetry) is retried
    assert isinstance(destination, ToRetry | ToDeadLetter)
    assert destination.history.maybe_delivered == earlier + 1
    assert (destination.cause.code == MAYBE_DELIVERED) is not retried


@given(
    st.sampled_from(Fate),
    st.sampled_from(Delivered),
    st.integers(0, 3),
    st.integers(0, 100_000_000),
    st.none() | st.integers(0, 2 * NOW),
    st.integers(0, 4),
)
def test_only_an_accepted_record_is_settled_without_a_copy(
    fate: Fate, delivered: Delivered, maybe: int, age: int, expires: int | None, tries: int
) -> None:
    """Whatever the answer and the history, every other record stays, or a copy of it is written."""
    history = FRESH._replace(first_failure_ms=NOW - age, maybe_delivered=maybe)
    destination = routed(outcome(fate, delivered), history, expires_ms=expires, tries=tries)
    assert (destination is SETTLED) is (fate is Fate.ACCEPTED)
    assert (destination is KEEP) is (fate is Fate.HOLD and delivered is not Delivered.MAYBE)


def event(created: int | None, expires: int | None) -> InvocationEvent:
    return InvocationEvent("e", "0A", "12515550123", None, {}, created, expires)


@pytest.mark.parametrize(
    ("created", "expires", "stamp", "limit"),
    [
        (100, None, 7, 100 + POLICY.max_event_age_ms),
        (None, None, 7, 7 + POLICY.max_event_age_ms),
        (None, None, None, None),
        (None, 500, None, 500),
        (100, 500, 7, 500),
        (100, POLICY.max_event_age_ms * 9, 7, 100 + POLICY.max_event_age_ms),
    ],
)
def test_an_event_expires_at_its_own_time_or_at_the_greatest_age(
    created: int | None, expires: int | None, stamp: int | None, limit: int | None
) -> None:
    """Whichever comes first; the age counts from createdAt, else from the original record's timestamp."""
    history = History(Origin(Partition("invocations", 0), 1, stamp))
    assert expiry_ms(event(created, expires), history, POLICY) == limit


def test_a_refused_record_is_a_dead_letter_of_its_stage() -> None:
    """Its class is that of the first problem, and it was never attempted."""
    refusal = Refusal(Stage.EVENT, (Problem("bad_field", "phoneNumber", "a number", "send text"),))
    destination = refused(refusal, FRESH)
    assert (destination.cause.stage, destination.cause.code) == (Stage.EVENT, "bad_field")
    assert destination.history == FRESH


def test_an_expired_record_is_a_dead_letter_of_class_expired() -> None:
    """It was not posted: the attempt does not count."""
    destination = expired(FRESH, "3 s past its time")
    assert (destination.cause.code, destination.history.attempts) == (EXPIRED, 0)
