"""Whether the vendor's endpoint is down for many: enters its hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connector.core.outcome import Outcome
from connector.core.tries import Intervals, Tries
from connector.core.window import Asks, Streak, Window
from connector.engine.holds import Holds, Reason
from connector.engine.limits import Limits
from connector.engine.partition import Delivery
from connector.engine.timers import Now

_TRICKLE = 3
"""An endpoint where some posts passed counts as down altogether after this many times the minimum of vain tries: where
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


class Endpoint:
    """Counts how posts end. `streak`: the last posts that failed in a row."""

    def __init__(
        self, rules: EndpointRules, holds: Holds, limits: Limits, now: Now, chance: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._holds = holds
        self._limits = limits
        self._now = now
        self._chance = chance
        self._posts = Window(rules.window)
        self._asks = Asks(rules.window)
        self.streak = Streak(rules.window)
        # Accepted posts since a hold was left, and when that was: few of them, and it was just now, only some pass.
        self._passed_since = 0
        self._left_at = float("-inf")

    def accepted(self, at: float) -> None:
        """A post was accepted at this time."""
        self._posts.add(at, marked=False)
        self._asks.accepted()
        self._passed_since += 1

    def answered(self, delivery: Delivery) -> None:
        """A post was answered with a verdict on its record, though not accepted."""
        self._posts.add(self._now.seconds, marked=False)
        self.ends_streak(delivery)

    def failed(self) -> None:
        """A post failed, and its record is not to blame."""
        self._posts.add(self._now.seconds, marked=True)

    def asks_everybody(self) -> bool:
        """Whether a wish to wait, which was just made, is meant for all posts."""
        now = self._now.seconds
        return self._asks.asked(now, self._posts.counts(now).total)

    def ends_streak(self, delivery: Delivery) -> None:
        """It passed, or was answered."""
        doubted = len(self.streak) >= self._rules.minimum
        if self.streak.passed(delivery.began) and doubted and not self._holds.active:
            self._limits.begin_anew()

    def is_suspected(self, delivery: Delivery, outcome: Outcome) -> bool:
        """One more post failed. Begin a hold if the endpoint is down. True: it only seems to be; nothing new is posted
        until all that is under way is answered, since one of them may pass."""
        now, rules = self._now.seconds, self._rules
        failures, counts = self.streak.failed(delivery.began, now), self._posts.counts(now)
        if counts.total >= rules.minimum and counts.surely_above(rules.share):
            what = f"of the last {counts.total} posts {counts.share:.0%} failed"
            self._hold(outcome, what, now, some_pass=failures < counts.marked)
        elif failures >= rules.minimum and not counts.explains(failures):
            if not self._limits.under_way:
                self._hold(outcome, f"the last {failures} posts failed", now)
                return False
            self._limits.drain()
            return True
        return False

    def begin_anew(self, *, left: bool) -> None:
        """A hold ended: what was before does not count. `left`: it was the endpoint's own."""
        self._posts.clear()
        self.streak.clear()
        if left:
            self._passed_since, self._left_at = 0, self._now.seconds

    def _hold(self, outcome: Outcome, what: str, now: float, *, some_pass: bool = False) -> None:
        rules = self._rules
        reason = Reason(outcome.code, f"{what}; the last: {outcome.why}", outcome.remedy, {"status": outcome.status})
        only_some = now - self._left_at < 2 * rules.probes.longest and self._passed_since < rules.minimum
        trickle = _TRICKLE * rules.minimum if some_pass or only_some else 0
        self._holds.enter("endpoint", reason, Tries(rules.probes, now, self._chance(), trickle=trickle))
