"""What one record passes, top to bottom: decode, event, build, post, classify, route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from connector.core.destination import (
    SETTLED,
    Again,
    Destination,
    Policy,
    expired,
    expiry_ms,
    refused,
    route,
)
from connector.core.envelope import History, fresh, opened
from connector.core.event import event_from
from connector.core.mapping.errors import NOT_OURS, NotOurs
from connector.core.outcome import Delivered, Fate, Outcome, Table
from connector.core.record import Headers, Record
from connector.core.redact import safe_event_id, safe_service_id, scrub
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.reply import Answer, NoReply
from connector.core.request import InvokeRequest, RequestRules, build
from connector.core.signals import SchemaNeeded
from connector.core.trace import trace_of
from connector.engine.partition import Assignment, Delivery
from connector.engine.ports import Decoder
from connector.engine.timers import Now
from connector.observe.events import Events

_ACCEPTED: Final = Fate.ACCEPTED
"""By this name for every event: a member costs a look-up each time that it is named."""


class PipelineRules(NamedTuple):
    """What the pipeline decides by: the vendor's limits, the table of outcomes, and the policy for failures."""

    request: RequestRules
    outcomes: Table
    policy: Policy


class Pipeline:
    """Takes a record from bytes to a destination. Knows nothing of offsets, topics or other records."""

    def __init__(
        self,
        rules: PipelineRules,
        decoder: Decoder,
        now: Now,
        events: Events,
        chance: Callable[[], float],
    ) -> None:
        self._rules = rules
        self._decoder = decoder
        self._now = now
        self._events = events
        self.chance = chance

    def prepare(self, record: Record, assignment: Assignment) -> Delivery | SchemaNeeded | NotOurs:
        """Everything before the post, without waiting: a request to post, or a refusal, or a schema to fetch first; or
        that the settings say to pass it over."""
        history, headers = _history(record, assignment)
        # A mapping may read the record around the event, whose id and times must be the same for every copy.
        seen = record.placed(*history.origin, headers) if assignment.delayed else record
        fields = self._decoder.decode(seen)
        if isinstance(fields, SchemaNeeded):
            return fields if seen is record else fields._replace(partition=record.partition, offset=record.offset)
        if isinstance(fields, NotOurs):
            if not assignment.delayed:
                return fields
            fields = NO_MORE_OURS  # it was when its copy was written, and somebody waits for it
        delivery = Delivery(assignment, record, history, headers)
        delivery.trace = trace_of(headers) if headers else None
        event = fields if isinstance(fields, Refusal) else event_from(fields)
        if isinstance(event, Refusal):
            delivery.refused = refused(event, history)
            return delivery
        delivery.end_user = delivery.lane = event.phone_number.removeprefix("+")
        request = build(event, self._rules.request)
        is_well_formed = isinstance(request, InvokeRequest)
        delivery.event_id = safe_event_id(event.event_id, event.phone_number, is_well_formed=is_well_formed)
        if isinstance(request, Refusal):
            delivery.refused = refused(request, history)
            delivery.shown_service = safe_service_id(event.service_id, event.phone_number)
            return delivery
        is_listed = self._rules.request.service_ids is not None
        delivery.shown_service = safe_service_id(request.service_id, event.phone_number, is_listed=is_listed)
        for kind in request.normalizations:
            self._events.normalized(kind)
        delivery.request = request
        delivery.created_ms = event.created_at_ms
        delivery.expires_ms = expiry_ms(event, history, self._rules.policy)
        return delivery

    def look_at_time(self, delivery: Delivery) -> None:
        """Refuse it if it is past its time. To be asked right before it is delivered, after every wait."""
        if delivery.expires_ms is None or delivery.request is None:
            return
        late_ms = self._now.ms - delivery.expires_ms
        if late_ms >= 0:
            delivery.request = None
            delivery.refused = expired(delivery.history, f"{late_ms // 1000} s past its time")

    def begin(self, delivery: Delivery) -> None:
        """It is about to be posted."""
        delivery.began = self._now.seconds
        delivery.posting = True

    def answered(self, delivery: Delivery, answer: Answer) -> Destination:
        """It was posted, and this came back: say where it goes."""
        delivery.posting = False
        delivery.post_seconds = seconds = self._now.seconds - delivery.began
        delivery.outcome = outcome = self._classify(answer, delivery.end_user)
        self._events.answered(outcome, seconds, delivery.service_id)
        if outcome.fate is _ACCEPTED:
            return SETTLED
        return self._route(delivery, outcome, answer)

    def _classify(self, answer: Answer, end_user: str) -> Outcome:
        outcome = self._rules.outcomes.classify(answer)
        if outcome.request_id is not None and end_user in outcome.request_id:
            # Free text of whoever answered: kept as it is, unless it echoes the phone number.
            outcome = outcome._replace(request_id=scrub(outcome.request_id))
        return outcome

    def _route(self, delivery: Delivery, outcome: Outcome, answer: Answer) -> Destination:
        if outcome.delivered is Delivered.MAYBE:
            self._events.maybe_delivered(outcome.code)
        elif outcome.delivered is Delivered.NEVER_SENT and isinstance(answer, NoReply):
            self._events.never_sent(answer.failure)
        now_ms = self._now.ms
        destination = route(
            outcome,
            delivery.history,
            self._rules.policy,
            expires_ms=delivery.expires_ms,
            tries_in_place=delivery.tries,
            posted_ms=now_ms - round(delivery.post_seconds * 1000),
            now_ms=now_ms,
            chance=self.chance(),
        )
        delivery.tries += isinstance(destination, Again)
        return destination


NO_MORE_OURS = Refusal(
    Stage.EVENT,
    (Problem(NOT_OURS, "schema", "a copy of the retry topic that the mapping would skip now", "look at the mapping"),),
)
"""A record that was posted once is not passed over, whatever became of the mapping meanwhile."""


def _history(record: Record, assignment: Assignment) -> tuple[History, Headers]:
    return opened(record) if assignment.delayed else (fresh(record), record.headers)
