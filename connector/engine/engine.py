"""What happened goes in, what is to be done comes out: the only file that knows all the parts.

After each input one bounded pump asks what may go now, until nothing may: there are no wake-ups, so none is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from math import inf
from operator import attrgetter
from typing import Literal, NamedTuple, assert_never

from connector.core.record import Partition, Record
from connector.core.schedule import RetryPlan
from connector.core.signals import (
    Asleep,
    Assigned,
    Committed,
    Counted,
    Failed,
    Gap,
    Lost,
    Revoking,
    Taken,
)
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.copies import Copies, Targets
from connector.engine.deliveries import Deliveries
from connector.engine.handover import Handover
from connector.engine.heads import Heads
from connector.engine.holds import Holds
from connector.engine.judge import HoldRules, Judge
from connector.engine.ledger import Ledger
from connector.engine.limits import Bounds, Limit, Limits, PaceRules
from connector.engine.messages import (
    Answered,
    Broken,
    CaughtUp,
    Copied,
    Effect,
    Fetched,
    GiveRoom,
    GiveUp,
    Input,
    Leave,
    Noted,
    Recalled,
    Tick,
)
from connector.engine.partition import Assignment, Delivery
from connector.engine.parts import Parts
from connector.engine.pauses import Pauser
from connector.engine.pipeline import Pipeline
from connector.engine.recent import Recent
from connector.engine.schedule import Ordering, Schedule, TurnRules
from connector.engine.shares import Shares
from connector.engine.stops import Blocked, Faulty, NeedsSchema, NotDue, Stop
from connector.engine.timers import Now, Timers
from connector.engine.translated import Translated
from connector.engine.turns import Turns
from connector.observe.events import Events

_TURNS = 100
"""Records that one input may make us decode, before others get a turn."""


class Topics(NamedTuple):
    """Where records come from, and where copies go. `delayed` are the retry topics that are read."""

    delayed: frozenset[str]
    targets: Targets


class EngineRules(NamedTuple):
    """How records wait: for their next attempt, for each other, for the vendor's sake, and while something is wrong.

    `ledger`: what is settled is noted there; "required": before it counts as settled. None: there is none.
    `deduplicate_ms`: for so long an event that was accepted is not posted again. None: it is.
    `translated`: what becomes of a partition whose commit was made in another cluster.
    `hmac_of`: what stands for an end user in the ledger.
    """

    plan: RetryPlan
    ordering: Ordering
    pace: PaceRules
    hold: HoldRules
    ledger: Literal["required", "optional"] | None = None
    deduplicate_ms: int | None = None
    translated: Translated = "stop"
    hmac_of: Callable[[str], bytes] | None = None


class Engine:
    """Decides about all records of this process. Knows no clock, task or library: `handle` is told the time.

    `wants_turn`: there is more to look at than one input may take; a `Tick` goes on with it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        topics: Topics,
        bounds: Bounds,
        rules: EngineRules,
        limit: Limit,
        now: Now,
        events: Events,
    ) -> None:
        self._now = now
        self._slots = bounds.in_flight
        self._outbox: list[Effect] = [GiveRoom(bounds.records, bounds.size)]
        self._timers = Timers(now)
        self._opens_at = inf
        self.wants_turn = False
        self.rings_at = inf
        """When time alone may change something (seconds); infinity: never."""
        self.assignments: dict[Partition, Assignment] = {}
        context = Context(now, self._timers, self._outbox, events)
        turn_rules = TurnRules(rules.ordering, rules.pace.retry_share, bounds.in_flight)
        self._budget = budget = Budget(bounds.records, bounds.size, bounds.in_flight)
        self.holds = Holds(now, events)
        self._blocks = blocks = Blocks(Turns(), budget, rules.plan, context)
        self.commits = commits = Commits(bounds.uncommitted, blocks, context)
        self.limits = limits = Limits(rules.pace, limit, bounds, self.holds, commits, self.assignments, now)
        self._heads = heads = Heads(blocks, budget, commits, pipeline, context)
        self._schedule = Schedule(turn_rules, heads, budget, limits, pipeline, context)
        self.judge = Judge(rules.hold, self.holds, limits, self._schedule, context, pipeline.chance)
        self.pauser = Pauser(self.holds, blocks, self._schedule, self.assignments, now, events)
        copies = Copies(topics.targets, blocks, commits, context)
        required = rules.ledger == "required"
        self._ledger = ledger = None if rules.ledger is None else Ledger(commits, context, required=required)
        window_ms, hmac_of = rules.deduplicate_ms, rules.hmac_of
        self.recent = None if window_ms is None else Recent(window_ms, hmac_of=hmac_of, blocks=blocks, context=context)
        parts = Parts(
            context=context,
            budget=budget,
            blocks=blocks,
            commits=commits,
            limits=limits,
            schedule=self._schedule,
            judge=self.judge,
            copies=copies,
            ledger=ledger,
            recent=self.recent,
            holds=self.holds,
            assignments=self.assignments,
        )
        self._deliveries = Deliveries(parts, pipeline)
        self._at_work = self._deliveries.at_work
        self._shares = Shares(topics.delayed, now, self._timers)
        self._handover = Handover(parts, self._deliveries, self.pauser, self._shares, topics.delayed, rules.translated)

    # What it shows.

    @property
    def in_flight(self) -> int:
        """Deliveries that are posted or settled: without those whose copies cannot be written now."""
        return self.limits.in_flight

    @property
    def in_hand(self) -> int:
        """Records taken and not settled."""
        return sum(len(assignment.open) for assignment in self.assignments.values())

    @property
    def waiting_for_ledger(self) -> int:
        """Records that are settled once their entries in the ledger are acknowledged."""
        return 0 if self._ledger is None else self._ledger.waiting

    def waiting(self) -> dict[str, int]:
        """How many records in hand wait for what."""
        lanes = (waiting for assignment in self.assignments.values() for waiting in assignment.lanes.values())
        return {
            "lane": sum(len(waiting) for waiting in lanes if waiting),
            "service": self._schedule.kept_back,
            "next_try": self._schedule.not_due,
            "hold": self.judge.aside,
        }

    def partitions_waiting(self) -> Counter[str]:
        """How many partitions take nothing new, by reason."""
        return Counter(
            reason
            for assignment in self.assignments.values()
            for reason in (assignment.blocks or (("due time",) if assignment.asleep else ()))
        )

    # What happens.

    def pass_time(self, seconds: float, ms: int) -> None:
        """It is so late now: `seconds` that never go back, `ms` of the wall clock."""
        self._now.seconds, self._now.ms = seconds, ms

    def handle(self, happened: Input) -> list[Effect]:
        """Return what is to be done, in this order, now that this has happened. `pass_time` comes first."""
        self._timers.ring()
        self._take_in(happened)
        if self._handover.under_way:
            self._handover.end_drains()
        self._pump()
        if self._budget.freed:
            self._outbox.append(GiveRoom(self._budget.freed, self._budget.freed_bytes))
            self._budget.freed = self._budget.freed_bytes = 0
        self.rings_at = min(self._timers.first, self._opens_at)
        effects = self._outbox[:]
        self._outbox.clear()
        return effects

    def _take_in(self, happened: Input) -> None:  # noqa: C901 - a case for each input
        match happened:
            case Answered(delivery, answer):
                self._deliveries.answered(delivery, answer)
            case Taken(records):
                self._take(records)
            case Tick():
                pass
            case Committed():
                self.commits.answered(happened)
            case Copied(copy, failed):
                self._deliveries.copied(copy, failed)
            case Noted():
                self._deliveries.noted(happened)
            case Recalled():
                assert self.recent is not None
                self.recent.recalled(happened)
            case Gap(partition, first, end):
                if (assignment := self.assignments.get(partition)) and self._heads.pass_over(assignment, first, end):
                    self.commits.passed_over(assignment)
            case Assigned():
                self._handover.assigned(happened)
            case Revoking(partitions, budget):
                self._handover.revoking(partitions, budget)
            case Lost(partitions):
                self._handover.lost(partitions)
            case Asleep(partition):
                if assignment := self.assignments.get(partition):
                    self._blocks.asleep(assignment)
            case Counted(partitions):
                self._shares.counted(partitions)
            case Fetched(fetch, missing):
                self._blocks.fetched(fetch, missing)
            case Broken(effect, error):
                self._deliveries.broke(effect, error)
            case CaughtUp():
                self._handover.caught_up()
            case Leave(budget):
                self._handover.stop(budget)
            case Failed(code, remedy):
                self._outbox.append(GiveUp(code, remedy))
            case _:
                assert_never(happened)

    def _pump(self) -> None:
        """Start all that may start."""
        if self._shares.stale:
            self.limits.set_share(self._shares.of(self.assignments))
        self.limits.pass_time()
        schedule = self._schedule
        self._heads.turns_left = _TURNS
        while len(self._at_work) - self.commits.waiting_copies < self._slots:
            found = schedule.next(self.judge.rank)
            if found is None:
                break
            if isinstance(found, Delivery):
                self._deliveries.begin(found)
            else:
                self._see_to(found)
        self.wants_turn = self._heads.turns_left <= 0
        self._opens_at = self.limits.opens_at()

    def _take(self, records: Iterable[Record]) -> None:
        for partition, run in groupby(records, key=attrgetter("partition")):
            batch = list(run)
            assignment = self.assignments.get(partition)
            if assignment is not None:
                self._heads.offer(assignment, batch)
            else:
                self._budget.free(batch)

    def _see_to(self, stop: Stop) -> None:
        """A partition lost its turn: see to what lets it go on."""
        match stop:
            case Blocked(assignment, reason):
                self._blocks.add(assignment, reason)
            case NeedsSchema(assignment, needed):
                self._blocks.fetch(assignment, needed)
            case NotDue(assignment, offset, wait_ms):
                self._blocks.wait_until_due(assignment, offset, wait_ms)
            case Faulty(assignment, error):
                self._blocks.stop(assignment, error)
            case _:
                assert_never(stop)
