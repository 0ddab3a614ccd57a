"""What a part of the engine needs around it to be tested alone: the time, its timers, and the outbox."""

from __future__ import annotations

import structlog

from connector.core.record import Partition
from connector.core.schedule import RetryPlan
from connector.core.signals import Commit
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.messages import Effect
from connector.engine.partition import Assignment
from connector.engine.timers import Now, Timers
from connector.engine.turns import Turns
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from tests.engine.stage import MAIN, RETRY

UNCOMMITTED = 500


class Surroundings:
    """The parts that others stand on."""

    def __init__(self, now: Now | None = None) -> None:
        self.now = now or Now(0.0, 1_800_000_000_000)
        self.timers, self.outbox = Timers(self.now), list[Effect]()
        logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
        self.events = Events(Metrics(), logger, log_accepted=False)
        self.context = Context(self.now, self.timers, self.outbox, self.events)
        self.budget = Budget(100, 1 << 12, 4)
        self.blocks = Blocks(Turns(), self.budget, RetryPlan(900_000, 86_400_000), self.context)
        self.commits = Commits(UNCOMMITTED, self.blocks, self.context)

    def wait(self, seconds: float) -> None:
        """Let time pass, from one deadline to the next."""
        end = self.now.seconds + seconds
        while self.timers.first <= end:
            self._be(max(self.now.seconds, self.timers.first))
            self.timers.ring()
        self._be(end)

    def _be(self, seconds: float) -> None:
        self.now.ms += round((seconds - self.now.seconds) * 1000)
        self.now.seconds = seconds


def assigned(number: int = 0, *, delayed: bool = False) -> Assignment:
    """A partition that came just now, with nothing in it."""
    return Assignment(Partition(RETRY if delayed else MAIN, number), Commit(0, ""), delayed=delayed)
