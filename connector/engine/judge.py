"""What the answers to all posts say together: of the deployment, of the endpoint, and of what goes to the dead letters.

Where one record goes was decided from its own answer; here it may be told to stay where it is, with everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from connector.core.destination import KEEP, SETTLED, Again, Destination, refused_alone
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.retry_after import seconds_of
from connector.core.suspects import Suspects
from connector.core.tries import Intervals, Tried, Tries
from connector.core.window import Asks, Streak, Window
from connector.engine.brake import Brake, BrakeRules
from connector.engine.context import Context
from connector.engine.holds import Holds, Reason
from connector.engine.limits import Limits
from connector.engine.partition import Delivery
from connector.engine.schedule import Schedule
from connector.engine.timers import Timer

_NOBODY_PASSED = 5.0
"""Seconds without a witness after which a record that seemed to be refused alone is taken for one of many."""

_LAST_CHANCE, _LONGEST_LAST_CHANCE = 900.0, 3600.0
"""Seconds of a hold after which a record that may have been delivered before is tried for it, when there is no other;
then at waits that double up to the longest. Each such try may make a dead letter, so they are few, whatever there is;
and a hold ends within an hour of what it is for. Without a hold its retry would come as soon as the first of them, by
the vendor's advice of 15 minutes."""


_TRICKLE = 3
"""An endpoint where some posts passed counts as down altogether after so many times the minimum of tries in vain: where
one in twenty passes, 60 tries find one in 95 % of all holds."""


class EndpointRules(NamedTuple):
    """The endpoint counts as down when `minimum` posts in a row failed, all that were under way are answered, and none
    passed that was posted after the first of them; unless so many may fail by chance, as the others did.

    And when of all posts of the last `window` seconds, `minimum` or more, surely the `share` failed.
    """

    window: float
    share: float
    minimum: int
    probes: Intervals


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
        self._posts = Window(rules.endpoint.window)
        self._asks = Asks(rules.endpoint.window)
        # Accepted posts since a hold was left, and when that was: few of them, and it was just now, only some pass.
        self._passed_since = 0
        self._left_at = float("-inf")
        self._streak = Streak(rules.endpoint.window)
        self._suspects: Suspects[Delivery] = Suspects()
        self._alone: dict[Delivery, Timer] = {}
        self._pause: Timer | None = None
        self._sparing: Timer | None = None
        self._spare_for = _LAST_CHANCE
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
            self._posts.add(now, marked=False)
            self._asks.accepted()
            self._passed_since += 1
            self.brake.passed(now)
            if self._holds.active or self._suspects or self._streak:
                self._passes(delivery, probed)
            return destination
        if delivery.assignment.gone:
            if probed:
                self.tried(delivery)
            return destination
        outcome = delivery.outcome
        if delivery.request is None or outcome is None:
            self._suspects.acquit(delivery)
            return self._letter(delivery, destination, Delivered.NEVER_SENT)
        self.brake.posted()
        if outcome.overloaded and outcome.delivered is not Delivered.NEVER_SENT:
            self._limits.failed(delivery, refused=outcome.asks_to_wait)
        elif outcome.delivered is not Delivered.NEVER_SENT:
            self._limits.answered(delivery)
        if outcome.fate is not Fate.HOLD or outcome.delivered is Delivered.MAYBE:
            self._suspects.acquit(delivery)
        found = self._of_fate(delivery, destination, outcome, probed)
        if outcome.delivered is Delivered.MAYBE:
            self._spare_last_chances()
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
        if maybe and self._sparing is not None:
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
        self._spare_none()
        return True

    def forget_gone(self) -> None:
        """Partitions left: what waits here of them is not ours any more."""
        self._suspects.forget(lambda delivery: delivery.assignment.gone)
        for delivery in [delivery for delivery in self._alone if delivery.assignment.gone]:
            self._alone.pop(delivery).cancel()
        self.brake.forget_gone()

    # Answers, by fate.

    def _passes(self, delivery: Delivery, probed: bool) -> None:
        self._ends_streak(delivery)
        if probed:
            self._end("endpoint", delivery)
        self._show_well(delivery, probed)

    def _of_fate(
        self, delivery: Delivery, destination: Destination, outcome: Outcome, probed: bool
    ) -> Destination | None:
        if outcome.fate is Fate.RETRY:
            return self._failed(delivery, destination, outcome)
        self._posts.add(self._now.seconds, marked=False)
        self._ends_streak(delivery)
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
            self._suspects.acquit(delivery)
            self._hold_deployment(delivery, outcome, now)
            return KEEP
        if self._suspects.refused(delivery, now):
            self._hold_deployment(delivery, outcome, now)
            return KEEP
        self._wait_for_witness(delivery, outcome)
        return None

    def _failed(self, delivery: Delivery, destination: Destination, outcome: Outcome) -> Destination | None:
        now = self._now.seconds
        self._posts.add(now, marked=True)
        self._pause_for(outcome, now)
        suspected = self._look_at_endpoint(outcome, self._streak.failed(delivery.began, now), now)
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

    def _look_at_endpoint(self, outcome: Outcome, failures: int, now: float) -> bool:
        """See whether it is down, or seems to be: then what is under way is waited for, as somebody may pass."""
        rules, counts = self._rules.endpoint, self._posts.counts(now)
        if counts.total >= rules.minimum and counts.surely_above(rules.share):
            what = f"of the last {counts.total} posts {counts.share:.0%} failed"
            self._hold_endpoint(outcome, what, now, some_pass=failures < counts.marked)
        elif failures >= rules.minimum and not counts.explains(failures):
            if not self._limits.under_way:
                self._hold_endpoint(outcome, f"the last {failures} posts failed", now)
                return False
            self._limits.drain()
            return True
        return False

    def _ends_streak(self, delivery: Delivery) -> None:
        doubted = len(self._streak) >= self._rules.endpoint.minimum
        if self._streak.passed(delivery.began) and doubted and not self._holds.active:
            self._limits.begin_anew()

    def _hold_endpoint(self, outcome: Outcome, what: str, now: float, *, some_pass: bool = False) -> None:
        rules = self._rules.endpoint
        reason = Reason(outcome.code, f"{what}; the last: {outcome.why}", outcome.remedy, {"status": outcome.status})
        only_some = now - self._left_at < 2 * rules.probes.longest and self._passed_since < rules.minimum
        trickle = _TRICKLE * rules.minimum if some_pass or only_some else 0
        self._holds.enter("endpoint", reason, Tries(rules.probes, now, self._chance(), trickle=trickle))

    def _pause_for(self, outcome: Outcome, now: float) -> None:
        """A wish to wait that is meant for everybody; one record alone waits in its place, with its end user."""
        seconds = seconds_of(outcome.retry_after, self._now.ms, self._rules.longest_pause)
        if not seconds or not (self._asks.asked(now, self._posts.counts(now).total) or "retry_after" in self._holds):
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
        self._posts.clear()
        self._streak.clear()
        if kind == "endpoint":
            self._passed_since, self._left_at = 0, self._now.seconds
        self._spare_none()
        self._limits.begin_anew()
        self._holds.leave(kind)

    def _spare_last_chances(self) -> None:
        """Whoever answers so now leaves open for any record whether it was delivered."""
        if self._sparing is None and ("endpoint" in self._holds or "deployment" in self._holds):
            self._sparing = self._timers.after(self._spare_for, self._spare_no_longer)
            self._spare_for = min(self._spare_for * 2, _LONGEST_LAST_CHANCE)

    def _spare_no_longer(self) -> None:
        self._sparing = None

    def _spare_none(self) -> None:
        if self._sparing is not None:
            self._sparing.cancel()
            self._sparing = None
        self._spare_for = _LAST_CHANCE

    def _show_well(self, delivery: Delivery, probed: bool) -> None:
        """The vendor let the account in: whoever is refused now is refused alone."""
        if probed:
            self._end("deployment", delivery)
        for suspect, wait in self._suspects.passed(delivery, delivery.began):
            if wait is None and not suspect.posting:
                self._condemn(suspect)
                wait = 0.0
            if (waiting := self._alone.pop(suspect, None)) is not None:
                waiting.cancel()
                self._alone[suspect] = self._timers.after(wait or 0.0, self._try_again, suspect)

    def _condemn(self, delivery: Delivery) -> None:
        """It was refused alone often enough: a dead letter, whenever its turn comes."""
        assert delivery.outcome is not None
        refusals = self._suspects.refusals(delivery)
        self._suspects.acquit(delivery)
        delivery.refused = refused_alone(delivery.history, delivery.outcome, refusals, self._now.ms)
        delivery.request = None

    def _try_again(self, delivery: Delivery) -> None:
        del self._alone[delivery]
        self._schedule.requeue(delivery)

    def _wait_for_witness(self, delivery: Delivery, outcome: Outcome) -> None:
        waiting = self._timers.after(_NOBODY_PASSED, self._nobody_passed, delivery, outcome)
        self._alone[delivery] = waiting

    def _nobody_passed(self, delivery: Delivery, outcome: Outcome) -> None:
        if self._holds.active and self._holds.next_tries() is None:
            self._wait_for_witness(delivery, outcome)  # during a pause nobody can
            return
        self._hold_deployment(delivery, outcome, self._now.seconds)
        self._try_again(delivery)
