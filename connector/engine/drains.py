"""Partitions on their way out: asked back by the group, or all of them since the process stops."""

from __future__ import annotations

from connector.core.record import Partition
from connector.engine.context import Context
from connector.engine.messages import CatchUp
from connector.engine.partition import Assignment


class Drain:
    """What of `leaving` is under way is waited for, until it is `overdue` at `ends_at` (seconds). `revoked`: the
    partitions that were asked back, ours or not; None: the process stops."""

    __slots__ = ("ends_at", "leaving", "overdue", "revoked")

    def __init__(self, leaving: list[Assignment], revoked: frozenset[Partition] | None, ends_at: float) -> None:
        self.ends_at = ends_at
        self.leaving = leaving
        self.revoked = revoked
        self.overdue = False


class Drains:
    """Those under way, each with its deadline. It is judged after what has arrived by then: a process that stood still
    finds its deadlines over, and answers that came in time unread."""

    def __init__(self, context: Context) -> None:
        self._now, self._timers, self._outbox = context.now, context.timers, context.outbox
        self.under_way: list[Drain] = []

    def begin(self, leaving: list[Assignment], revoked: frozenset[Partition] | None, budget: float) -> None:
        """Wait this many seconds at most for what is under way of these."""
        drain = Drain(leaving, revoked, self._now.seconds + budget)
        self.under_way.append(drain)
        self._timers.at(drain.ends_at, self._outbox.append, CatchUp())

    def caught_up(self) -> None:
        """All that had arrived was told: whose time was over by then waits no longer."""
        for drain in self.under_way:
            drain.overdue = drain.overdue or self._now.seconds >= drain.ends_at

    def end(self, drain: Drain) -> None:
        """It is over."""
        self.under_way.remove(drain)
