"""Whether too many records become dead letters: a producer shipped a bug, or a classification is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from connector.core.destination import EXPIRED, KEEP, Destination, ToDeadLetter
from connector.core.outcome import Delivered
from connector.core.refusal import SETTINGS_BEHIND
from connector.core.tries import Intervals, Tries
from connector.core.window import Counts, Window
from connector.engine.context import Context
from connector.engine.holds import Holds, Reason
from connector.engine.partition import Delivery
from connector.engine.schedule import Schedule

_DISARM = "connector resume --hold brake"

_NEW_MS = 60_000
"""Age, in ms by Kafka's time of a record, up to which it cannot have expired by waiting for us."""

_PART = 0.1
"""Part of the dead letters of the window that a class must have for the brake to be about it."""


class BrakeRules(NamedTuple):
    """The brake engages when at least `minimum` records and `share` of all became dead letters within `window` seconds.

    `holds` False: it only says so.
    """

    holds: bool
    window: float
    share: float
    minimum: int

    def trips(self, counts: Counts) -> bool:
        """Whether that is too much."""
        return counts.marked >= self.minimum and counts.share >= self.share


class Brake:
    """Keeps dead letters from being written, of the classes that became too many; everything else goes on.

    Only while nothing at all passes does it stop posting: then one record is tried at the intervals of `tries`. Until
    the first post of this process it keeps back each record whose refusal a wrong setting of ours may have caused.
    """

    def __init__(
        self,
        rules: BrakeRules,
        tries: Intervals,
        holds: Holds,
        schedule: Schedule,
        context: Context,
        chance: Callable[[], float],
    ) -> None:
        self._rules = rules
        self._tries = tries
        self._holds = holds
        self._schedule = schedule
        self._now, self._events = context.now, context.events
        self._chance = chance
        self._letters = Window(rules.window)
        self._of_class: dict[str, Window] = {}
        self._kept: deque[Delivery] = deque()
        self._doubted: deque[Delivery] = deque()
        self._posts = self._brakes = False
        self._armed_from = float("-inf")

    def __len__(self) -> int:
        """Records that wait for its end and are not to be tried."""
        return len(self._kept) + len(self._doubted)

    def passed(self, now: float) -> None:
        """A record did not become a dead letter."""
        self._letters.add(now, marked=False)
        if not self._posts:
            self.posted()
        if not self._brakes or (hold := self._holds["brake"]) is None:
            return
        if hold.stops_posting:
            self._holds.stop_posting("brake", False)
        if self._is_over(now):
            self._let_go()

    def posted(self) -> None:
        """A record was posted: our settings are not what refuses all of them."""
        self._posts = True
        if self._doubted:
            self._let_go()

    def catch(self, delivery: Delivery, destination: Destination, delivered: Delivered) -> Destination | None:
        """Where the record goes: not to the dead letters while too many of its class do. None: it waits here."""
        if not isinstance(destination, ToDeadLetter) or delivery.was_kept:
            return destination
        now, code = self._now.seconds, destination.cause.code
        if not self._posts and self._rules.holds and self._may_be_ours(delivery, code):
            self._doubt(delivery, code)
            return None
        if code == EXPIRED:
            return destination
        self._letters.add(now, marked=True)
        self._of_class.setdefault(code, Window(self._rules.window)).add(now, marked=True)
        if self._rules.trips(counts := self._letters.counts(now)):
            if now >= self._armed_from:
                self._put_on(delivery, destination, counts, now)
            else:
                self._disarm(now)
        if not self._brakes or delivered is Delivered.MAYBE or not self._is_one_of_many(code, now):
            return destination
        if delivery.request is not None and self._stop_or_go_on(counts):
            return KEEP  # what was posted is what there is to try
        delivery.was_kept = True
        self._kept.append(delivery)
        return None

    def release(self) -> bool:
        """Let what was kept go to the dead letters, until they are few again; False when it was not on."""
        if "brake" not in self._holds:
            return False
        self._posts = True
        self._disarm(self._now.seconds)
        self._let_go()
        return True

    def forget_gone(self) -> None:
        """Partitions left: what waits here of them is not ours any more."""
        self._kept = deque(delivery for delivery in self._kept if not delivery.assignment.gone)
        if self._doubted:
            self._doubted = deque(delivery for delivery in self._doubted if not delivery.assignment.gone)
            if not (self._doubted or self._brakes):
                self._holds.leave("brake")

    def _may_be_ours(self, delivery: Delivery, code: str) -> bool:
        """Whether a wrong setting of this deployment may be why the record was refused."""
        if code != EXPIRED:
            return code in SETTINGS_BEHIND
        written_ms = delivery.record.timestamp_ms
        return written_ms is not None and abs(self._now.ms - written_ms) < _NEW_MS

    def _doubt(self, delivery: Delivery, code: str) -> None:
        """Nobody knows yet whether it is the producer who is wrong, or this deployment."""
        self._doubted.append(delivery)
        why = f"no event could be posted since the start, and {SETTINGS_BEHIND[code]} may be the reason"
        self._hold(code, why, f"compare {SETTINGS_BEHIND[code]} with what producers send", delivery, None)

    def _hold(self, code: str, why: str, remedy: str, delivery: Delivery, tries: Tries | None) -> None:
        place, offset = delivery.record.partition, delivery.record.offset
        details = {
            "topic": place.topic,
            "partition": place.number,
            "offset": offset,
            "event_id": delivery.event_id,
            "service_id": delivery.shown_service,
        }
        shows = f"connector render --topic {place.topic} --partition {place.number} --offset {offset}"
        reason = Reason(code, why, f"see one: `{shows}`; {remedy}; or let them go: `{_DISARM}`", details)
        self._holds.enter("brake", reason, tries, stops_posting=False)

    def _put_on(self, delivery: Delivery, destination: ToDeadLetter, counts: Counts, now: float) -> None:
        rules, code = self._rules, destination.cause.code
        why = f"{counts.marked} of {counts.total} records became dead letters within {rules.window:g} s"
        if rules.holds:
            self._brakes = True
            tries = Tries(self._tries, now, self._chance())
            self._hold(code, f"{why}; the last: {code}", "mend the producer, or the classification", delivery, tries)
            self._holds.give_tries("brake", tries)  # what was doubted at the start is held without any
            if delivery.request is not None:
                self._stop_or_go_on(counts)
        else:
            self._disarm(now)
            self._events.brake_warned(code, why)

    def _stop_or_go_on(self, counts: Counts) -> bool:
        """Stop posting when it is in vain, as nothing passed within the window, else go on; whether it stops."""
        stops = counts.marked == counts.total
        hold = self._holds["brake"]
        if hold is not None and stops != hold.stops_posting:
            self._holds.stop_posting("brake", stops)
        return stops

    def _is_one_of_many(self, code: str, now: float) -> bool:
        """Whether its class is what the brake is about, and not one of the few that there are on any day."""
        return self._of_class[code].counts(now).marked >= _PART * self._letters.counts(now).marked

    def _is_over(self, now: float) -> bool:
        """Whether the share is surely below the bound again, or a whole window had no dead letter."""
        total, marked = self._letters.counts(now)
        return not marked or Counts(total, total - marked).surely_above(1 - self._rules.share)

    def _disarm(self, now: float) -> None:
        """Brake no more until they were few for a whole window."""
        self._armed_from = now + self._rules.window

    def _let_go(self) -> None:
        self._brakes = False
        self._holds.leave("brake")
        for waiting in (self._kept, self._doubted):
            while waiting:
                self._schedule.requeue(waiting.pop())
