"""What the answers to all posts say together: of the deployment, of the endpoint, and of what goes to the dead letters.

Where one record goes was decided from its own answer; here it may be told to stay where it is, with everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from connector.core.destination import KEEP, SETTLED, Again, Destination, refused_alone
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.poison import PoisonIsolation
from connector.core.retry_after import seconds_of
from connector.core.tries import Intervals, Tried, Tries
from connector.engine.brake import Brake, BrakeRules
from connector.engine.context import Context
from connector.engine.endpoint import Endpoint, EndpointRules
from connector.engine.holds import Holds, Reason
from connector.engine.last_chances import LastChances
from connector.engine.limits import Limits
from connector.engine.partition import Delivery
from connector.engine.schedule import Schedule
from connector.engine.timers import Timer

_NOBODY_PASSED = 5.0
"""Seconds in which no other record passes, after which one that seemed to be refused alone is taken for one of many."""


class HoldRules(NamedTuple):
    """When to hold, and when to try. `longest_pause` (seconds) bounds what a `Retry-After` asks for."""

    canary: Intervals
    endpoint: EndpointRules
    brake: BrakeRules
    longest_pause: float


class Judge:
    """Enters holds and ends them; a record that waited here gets its place in the schedule back."""

    def __init__(
        self,
        rules: HoldRules,
        holds: Holds,
        limits: Limits,
        schedule: Schedule,
        context: Context,
        chance: Callable[[], float],
    ) -> None:
        self._rules = rules
        self._holds = holds
        self._limits = limits
        self._schedule = schedule
        self._now, self._timers = context.now, context.timers
        self._chance = chance
        self.brake = Brake(rules.brake, rules.canary, holds, schedule, context, chance)
        self._endpoint = Endpoint(rules.endpoint, holds, limits, context.now, chance)
        self._poison: PoisonIsolation[Delivery] = PoisonIsolation()
        self._alone: dict[Delivery, Timer] = {}
        self._pause: Timer | None = None
        self._last_chances = LastChances(context.timers)
        self._accepted_at = self._renewed_at = float("-inf")
        self._tried_before = Tried()

    @property
    def aside(self) -> int:
        """Records that wait for a hold's end, or for others to pass, and are not to be tried."""
        return len(self._alone) + len(self.brake)

    def answered(self, delivery: Delivery, destination: Destination, *, probed: bool) -> Destination | None:
        """Have the last word on where a record goes; None: it waits here. `probed`: it was tried during a hold."""
        if destination is SETTLED:
            now = self._accepted_at = delivery.began + delivery.post_seconds
            self._limits.answered(delivery)
            self._endpoint.accepted(now)
            self.brake.passed(now)
            if self._holds.active or self._poison or self._endpoint.streak:
                self._passes(delivery, probed)
            return destination
        if delivery.assignment.gone:
            if probed:
                self.tried(delivery)
            return destination
        outcome = delivery.outcome
        if delivery.request is None or outcome is None:
            self._poison.clear(delivery)
            return self._letter(delivery, destination, Delivered.NEVER_SENT)
        self.brake.posted()
        if outcome.overloaded and outcome.delivered is not Delivered.NEVER_SENT:
            self._limits.failed(delivery, refused=outcome.asks_to_wait)
        elif outcome.delivered is not Delivered.NEVER_SENT:
            self._limits.answered(delivery)
        if outcome.fate is not Fate.HOLD or outcome.delivered is Delivered.MAYBE:
            self._poison.clear(delivery)
        found = self._of_fate(delivery, destination, outcome, probed)
        if outcome.delivered is Delivered.MAYBE and ("endpoint" in self._holds or "deployment" in self._holds):
            self._last_chances.spare()
        if probed:
            self.tried(delivery)
            if found is destination and self._holds.active and outcome.delivered is not Delivered.MAYBE:
                return KEEP
        return found

    def rank(self, delivery: Delivery) -> tuple[int, int, int, int] | None:
        """The lower, the sooner to be tried: no repeat of what may be delivered; another record, service, partition.

        None: not now.
        """
        maybe = delivery.history.maybe_delivered
        if maybe and self._last_chances.spared:
            return None
        return maybe, delivery.trials, *self._tried_before.rank(delivery.record.partition, delivery.service_id)

    def renewed(self) -> None:
        """There are new credentials: see at once whether they are better, with one post.

        Also of an endpoint that is down: under TLS 1.3 a certificate that was taken for a while and is refused now,
        since it expired or was withdrawn, shows as connections that break.
        """
        self._renewed_at = self._now.seconds
        self._limits.begin_anew()
        self.try_now("deployment")
        self.try_now("endpoint")

    def try_now(self, kind: Literal["deployment", "endpoint"]) -> bool:
        """Try a record now; False when there is no such hold."""
        hold = self._holds[kind]
        if hold is None or hold.tries is None:
            return False
        hold.tries.at_once(self._now.seconds)
        self._last_chances.spare_none()
        return True

    def forget_gone(self) -> None:
        """Partitions left: what waits here of them is not ours any more."""
        self._poison.forget(lambda delivery: delivery.assignment.gone)
        for delivery in [delivery for delivery in self._alone if delivery.assignment.gone]:
            self._alone.pop(delivery).cancel()
        self.brake.forget_gone()

    # Answers, by fate.

    def _passes(self, delivery: Delivery, probed: bool) -> None:
        self._endpoint.ends_streak(delivery)
        if probed:
            self._end("endpoint", delivery)
        self._show_well(delivery, probed)

    def _of_fate(
        self, delivery: Delivery, destination: Destination, outcome: Outcome, probed: bool
    ) -> Destination | None:
        if outcome.fate is Fate.RETRY:
            return self._failed(delivery, destination, outcome)
        self._endpoint.answered(delivery)
        if probed:
            self._end("endpoint", delivery)
        if outcome.fate is Fate.HOLD:
            return self._refused(delivery, destination, outcome)
        if outcome.proves:
            self._show_well(delivery, probed)
        elif "deployment" in self._holds and outcome.delivered is not Delivered.MAYBE:
            return KEEP  # who knows what an account that is not let in is told
        return self._letter(delivery, destination, outcome.delivered)

    def _refused(self, delivery: Delivery, destination: Destination, outcome: Outcome) -> Destination | None:
        now = self._now.seconds
        self._note(delivery)
        if outcome.delivered is Delivered.MAYBE:
            self._hold_deployment(delivery, outcome, now)
            return self._letter(delivery, destination, outcome.delivered)
        if outcome.delivered is Delivered.NEVER_SENT:
            # Before a byte of it was sent: no record's fault, even when others pass on connections that stand.
            self._poison.clear(delivery)
            self._hold_deployment(delivery, outcome, now)
            return KEEP
        if self._poison.refused(delivery, now):
            self._hold_deployment(delivery, outcome, now)
            return KEEP
        self._wait_for_others(delivery, outcome)
        return None

    def _failed(self, delivery: Delivery, destination: Destination, outcome: Outcome) -> Destination | None:
        self._endpoint.failed()
        self._pause_for(outcome, self._now.seconds)
        suspected = self._endpoint.is_suspected(delivery, outcome)
        if (suspected or "endpoint" in self._holds) and outcome.delivered is not Delivered.MAYBE:
            # Not in the retry topic, record by record; a record that may have been delivered counts that in its copy.
            delivery.tries = 0
            return KEEP
        return destination if isinstance(destination, Again) else self._letter(delivery, destination, outcome.delivered)

    def _letter(self, delivery: Delivery, destination: Destination, delivered: Delivered) -> Destination | None:
        found = self.brake.catch(delivery, destination, delivered)
        if found is KEEP:
            self._note(delivery)
        return found

    # Holds.

    def _hold_deployment(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        if "deployment" in self._holds:
            return
        record = delivery.record
        details = {
            "topic": record.partition.topic,
            "partition": record.partition.number,
            "offset": record.offset,
            "event_id": delivery.event_id,
            "status": outcome.status,
            "vendor_code": outcome.vendor_code,
            "request_id": outcome.request_id,
        }
        # Where another one passed just now, this one is probably refused alone: a post of another one shows it. So does
        # any when this one was posted with credentials that are no longer in force. Not where no connection was opened:
        # by the first canary's time those that stand are closed, and it opens its own.
        canary = self._rules.canary
        passed = now - self._accepted_at < canary.first and outcome.delivered is not Delivered.NEVER_SENT
        tries = Tries(canary, now, self._chance(), others_at_once=passed)
        if delivery.began < self._renewed_at:
            tries.at_once(now)
        self._holds.enter("deployment", Reason(outcome.code, outcome.why, outcome.remedy, details), tries)

    def _pause_for(self, outcome: Outcome, now: float) -> None:
        """A wish to wait that is meant for everybody; one record alone waits in its place, with its end user."""
        seconds = seconds_of(outcome.retry_after, self._now.ms, self._rules.longest_pause)
        if not seconds or not (self._endpoint.asks_everybody() or "retry_after" in self._holds):
            return
        ends = now + seconds
        if self._pause is not None:
            if ends <= self._pause.at:
                return
            self._pause.cancel()
        self._pause = self._timers.at(ends, self._pause_is_over)
        reason = Reason(outcome.code, f"asked to wait {seconds:g} s", "nothing: posting goes on then")
        self._holds.enter("retry_after", reason)

    def _pause_is_over(self) -> None:
        self._pause = None
        self._limits.begin_anew()
        self._holds.leave("retry_after")

    # What ends them.

    def tried(self, delivery: Delivery) -> None:
        """A record was tried during a hold: whatever is still in force waits longer."""
        now = self._now.seconds
        self._note(delivery)
        for hold in self._holds.in_force:
            if hold.tries is not None and hold.began <= delivery.began and hold.tries.due_for_others <= now:
                hold.tries.failed(delivery.began, now, self._chance())

    def _note(self, delivery: Delivery) -> None:
        delivery.trials += 1
        self._tried_before.note(delivery.record.partition, delivery.service_id)

    def _end(self, kind: Literal["deployment", "endpoint"], delivery: Delivery) -> None:
        """What a record showed that was tried ends a hold, if it was in force before the record was posted."""
        hold = self._holds[kind]
        if hold is None or delivery.began < hold.began:
            return
        self._endpoint.begin_anew(left=kind == "endpoint")
        self._last_chances.spare_none()
        self._limits.begin_anew()
        self._holds.leave(kind)

    def _show_well(self, delivery: Delivery, probed: bool) -> None:
        """The vendor let the account in: a record that is refused now is refused alone."""
        if probed:
            self._end("deployment", delivery)
        for refused, wait in self._poison.passed(delivery, delivery.began):
            if wait is None and not refused.posting:
                self._confirm_poison(refused)
                wait = 0.0
            if (waiting := self._alone.pop(refused, None)) is not None:
                waiting.cancel()
                self._alone[refused] = self._timers.after(wait or 0.0, self._try_again, refused)

    def _confirm_poison(self, delivery: Delivery) -> None:
        """It was refused alone often enough: a dead letter, whenever its turn comes."""
        assert delivery.outcome is not None
        refusals = self._poison.refusals(delivery)
        self._poison.clear(delivery)
        delivery.refused = refused_alone(delivery.history, delivery.outcome, refusals, self._now.ms)
        delivery.request = None

    def _try_again(self, delivery: Delivery) -> None:
        del self._alone[delivery]
        self._schedule.requeue(delivery)

    def _wait_for_others(self, delivery: Delivery, outcome: Outcome) -> None:
        waiting = self._timers.after(_NOBODY_PASSED, self._nobody_passed, delivery, outcome)
        self._alone[delivery] = waiting

    def _nobody_passed(self, delivery: Delivery, outcome: Outcome) -> None:
        if self._holds.active and self._holds.next_tries() is None:
            self._wait_for_others(delivery, outcome)  # during a pause nobody can
            return
        self._hold_deployment(delivery, outcome, self._now.seconds)
        self._try_again(delivery)
