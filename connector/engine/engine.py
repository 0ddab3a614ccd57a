"""What happened goes in, what is to be done comes out: the only file that knows all the parts.

After each input one bounded pump asks what may go now, until nothing may: nobody is woken, so nobody can be forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from math import inf
from operator import attrgetter
from typing import Literal, NamedTuple, assert_never

from connector.core.destination import Again, Destination, Keep, Settled, ToDeadLetter, ToRetry
from connector.core.ledger import Fate
from connector.core.record import Partition, Record
from connector.core.reply import Answer
from connector.core.schedule import RetryPlan
from connector.core.settled_map import decode
from connector.core.signals import (
    Asleep,
    Assigned,
    Commit,
    Committed,
    Counted,
    Failed,
    Gap,
    Lost,
    Revoking,
    Taken,
    WriteFailed,
)
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.copies import Copies, Targets
from connector.engine.copy import Copy
from connector.engine.drains import Drains
from connector.engine.heads import Heads
from connector.engine.holds import Holds
from connector.engine.judge import HoldRules, Judge
from connector.engine.ledger import Ledger
from connector.engine.limits import Bounds, Limit, Limits, PaceRules
from connector.engine.messages import (
    Answered,
    Broken,
    CaughtUp,
    Close,
    Copied,
    Effect,
    Fetch,
    Fetched,
    GiveRoom,
    GiveUp,
    Input,
    Leave,
    Noted,
    Post,
    Recalled,
    Release,
    Tick,
    Write,
)
from connector.engine.partition import Assignment, Block, Delivery
from connector.engine.pauses import Pauser
from connector.engine.recent import Recent
from connector.engine.road import Road
from connector.engine.schedule import Ordering, Schedule, TurnRules
from connector.engine.shares import Shares
from connector.engine.stops import Blocked, Faulty, NeedsSchema, NotDue, Stop
from connector.engine.timers import Now, Timers
from connector.engine.translated import Translated, doubt_of
from connector.engine.turns import Turns
from connector.observe.events import Events

_TURNS = 100
"""Records that one input may make us decode, before others get a turn."""


class Topics(NamedTuple):
    """Where records come from, and where copies go. `delayed` are the retry topics that are read."""

    delayed: frozenset[str]
    targets: Targets


class Rules(NamedTuple):
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
        road: Road,
        topics: Topics,
        bounds: Bounds,
        rules: Rules,
        limit: Limit,
        now: Now,
        events: Events,
    ) -> None:
        self._now = now
        self._events = events
        self._topics = topics
        self._translated = rules.translated
        self._slots = bounds.in_flight
        self._road = road
        self._outbox: list[Effect] = [GiveRoom(bounds.records, bounds.size)]
        self._timers = Timers(now)
        self._stopping = False
        self._at_work: set[Delivery] = set()
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
        self._heads = heads = Heads(blocks, budget, commits, road, context)
        self._schedule = Schedule(turn_rules, heads, budget, limits, road, context)
        self.judge = Judge(rules.hold, self.holds, limits, self._schedule, context, road.chance)
        self.pauser = Pauser(self.holds, blocks, self._schedule, self.assignments, now, events)
        self._copies = Copies(topics.targets, blocks, commits, context)
        required = rules.ledger == "required"
        self._ledger = None if rules.ledger is None else Ledger(commits, context, required=required)
        window_ms, hmac_of = rules.deduplicate_ms, rules.hmac_of
        self.recent = None if window_ms is None else Recent(window_ms, hmac_of=hmac_of, blocks=blocks, context=context)
        self._shares = Shares(topics.delayed, now, self._timers)
        self._drains = Drains(context)

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
            "next_try": self._schedule.put_off,
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
        if self._drains.under_way:
            self._end_drains()
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
                self._answered(delivery, answer)
            case Taken(records):
                self._take(records)
            case Tick():
                pass
            case Committed():
                self.commits.answered(happened)
            case Copied(copy, failed):
                self._copied(copy, failed)
            case Noted():
                self._noted(happened)
            case Recalled():
                assert self.recent is not None
                self.recent.recalled(happened)
            case Gap(partition, first, end):
                if (assignment := self.assignments.get(partition)) and self._heads.pass_over(assignment, first, end):
                    self.commits.passed_over(assignment)
            case Assigned():
                self._assign(happened)
            case Revoking(partitions, budget):
                self._leave(budget, self._ours(partitions), partitions)
            case Lost(partitions):
                self._lose(self._ours(partitions))
            case Asleep(partition):
                if assignment := self.assignments.get(partition):
                    self._blocks.asleep(assignment)
            case Counted(partitions):
                self._shares.counted(partitions)
            case Fetched(fetch, missing):
                self._blocks.fetched(fetch, missing)
            case Broken(effect, error):
                self._broke(effect, error)
            case CaughtUp():
                self._drains.caught_up()
            case Leave(budget):
                self._stopping = True
                self._leave(budget, list(self.assignments.values()), None)
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
                self._begin(found)
            else:
                self._see_to(found)
        self.wants_turn = self._heads.turns_left <= 0
        self._opens_at = self.limits.opens_at()

    # One record.

    def _begin(self, delivery: Delivery) -> None:
        delivery.assignment.begin(delivery.record.offset)
        self._at_work.add(delivery)
        if self.recent is not None and delivery.request is not None and self.recent.has(delivery):
            self._pass_duplicate(delivery)
        elif delivery.request is not None:
            self.limits.begin(delivery)
            self._road.begin(delivery)
            self._outbox.append(Post(delivery))
        else:
            self._answered(delivery, None)

    def _answered(self, delivery: Delivery, answer: Answer | None) -> None:
        """It was posted, and this came back; None: it was refused, and goes to the dead letters without a post."""
        probed = answer is not None and self.limits.end(delivery)
        try:
            destination = delivery.refused if answer is None else self._road.answered(delivery, answer)
            assert destination is not None
            found = self.judge.answered(delivery, destination, probed=probed)
            is_over = found is None or self._carry_out(delivery, found)
        except Exception as error:  # a bug of ours must stop one partition, not lose a record or all the others
            if probed:
                self.judge.tried(delivery)
            self._break_off(delivery, error)
        else:
            if is_over:
                self._put_down(delivery)

    def _carry_out(self, delivery: Delivery, destination: Destination) -> bool:
        """Whether nothing more is to be done until its turn comes again: False while its copy or entry is written."""
        if self.recent is not None and isinstance(destination, Settled):
            self.recent.accepted(delivery)
        if delivery.assignment.gone:
            self._events.late_answer(delivery.record, delivery.event_id, delivery.outcome)
            return True
        match destination:
            case Settled():
                self._report_accepted(delivery)
                if self._ledger is not None and self._ledger.keeps(delivery, Fate.ACCEPTED):
                    return False
                self._settle(delivery)
            case ToRetry() | ToDeadLetter():
                self._copies.start(delivery, destination)
                return False
            case Keep():
                self._schedule.requeue(delivery)
            case Again(wait):
                self._schedule.requeue_after(delivery, wait)
            case _:
                assert_never(destination)
        return True

    def _pass_duplicate(self, delivery: Delivery) -> None:
        """It was accepted already, as another record: it is settled without a post."""
        self._events.duplicate_event(delivery.record, delivery.event_id)
        if self._ledger is None or not self._ledger.keeps(delivery, Fate.DUPLICATE):
            self._settle(delivery)
            self._put_down(delivery)

    def _copied(self, copy: Copy, failed: WriteFailed | None) -> None:
        delivery = copy.delivery
        try:
            is_over = self._copies.answered(copy, failed)
            if is_over and failed is None and not delivery.assignment.gone:
                fate = Fate.RETRY if isinstance(copy.destination, ToRetry) else Fate.DEAD_LETTER
                if self._ledger is not None and self._ledger.keeps(delivery, fate, copy.destination):
                    return
                self._settle(delivery)
        except Exception as error:  # as above
            self._copies.drop(copy)
            self._break_off(delivery, error)
        else:
            if is_over:
                self._put_down(delivery)

    def _noted(self, noted: Noted) -> None:
        assert self._ledger is not None
        for delivery in self._ledger.answered(noted):
            self._settle(delivery)
            self._put_down(delivery)

    def _settle(self, delivery: Delivery) -> None:
        assignment, offset = delivery.assignment, delivery.record.offset
        assignment.tracker.finish(offset)
        del assignment.open[offset]
        self.commits.settled(assignment)
        self._budget.settle(assignment, delivery.size)
        self._schedule.leave_lane(delivery)

    def _put_down(self, delivery: Delivery) -> None:
        """It is settled, or waits for its turn again, or its partition has left."""
        assignment = delivery.assignment
        self._at_work.discard(delivery)
        assignment.at_work -= 1
        if Block.MEMORY in assignment.blocks:
            self._blocks.see_memory(assignment)

    def _break_off(self, delivery: Delivery, error: Exception) -> None:
        if not delivery.assignment.gone:
            self._blocks.stop(delivery.assignment, error)
        self._put_down(delivery)

    def _broke(self, effect: Post | Write | Fetch, error: Exception) -> None:
        match effect:
            case Post(delivery):
                if self.limits.end(delivery):
                    self.judge.tried(delivery)
                delivery.posting = False
                self._break_off(delivery, error)
            case Write(copy):
                self._copies.drop(copy)
                self._break_off(copy.delivery, error)
            case Fetch(assignment):
                self._blocks.stop(assignment, error)

    def _report_accepted(self, delivery: Delivery) -> None:
        outcome, created, now_ms = delivery.outcome, delivery.created_ms, self._now.ms
        assert outcome is not None
        self._events.accepted(
            delivery.record,
            delivery.history,
            delivery.event_id,
            outcome.request_id,
            delivery.post_seconds,
            None if created is None else (now_ms - created) / 1000,
            now_ms,
            trace_id=delivery.trace_id,
        )

    # Partitions.

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

    def _assign(self, event: Assigned) -> None:
        known = decode(event.metadata, event.position, event.identity, event.end, event.cluster_id)
        doubted = doubt_of(event, known)
        if isinstance(known, str):
            self._events.map_ignored(event.partition, known)
            known = ()
        if doubted is not None and self._translated == "stop":
            self._outbox.append(doubted.stop)
            return  # nothing of it may be posted until the process has ended
        if doubted is not None and self._translated == "hold":
            self.pauser.hold(event.partition, doubted.why)
        assignment = Assignment(
            event.partition,
            Commit(event.position, event.metadata),
            delayed=event.partition.topic in self._topics.delayed,
            identity=event.identity,
            known=known,
        )
        assignment.leaving = self._stopping
        self.assignments[event.partition] = assignment
        self._shares.stale = True
        self._events.assigned(event.partition, event.position)
        if self.recent is not None:
            self.recent.recall(assignment)
        self.pauser.look_at(assignment)

    def _ours(self, partitions: Iterable[Partition]) -> list[Assignment]:
        return [assignment for each in partitions if (assignment := self.assignments.get(each))]

    def _leave(self, budget: float, leaving: list[Assignment], revoked: frozenset[Partition] | None) -> None:
        """Take nothing more of these; they go after `budget`, or once all is answered and what waits in front of it."""
        self._drains.begin(leaving, revoked, budget)
        for assignment in leaving:
            assignment.leaving = True
            self._give_up_copies(assignment)
        if self._ledger is not None:
            self._ledger.leave()

    def _lose(self, lost: list[Assignment]) -> None:
        for assignment in lost:
            self.commits.forget(assignment)
        self._retire(lost)
        self._events.lost([assignment.partition for assignment in lost])

    def _end_drains(self) -> None:
        """Let partitions go that are drained, or that cannot wait any longer."""
        for drain in list(self._drains.under_way):
            # Posts of a partition that is gone already are left behind: nobody waits for what they come to.
            waits = any(not each.gone and (each.at_work or self._owes(each)) for each in drain.leaving)
            if waits and not drain.overdue:
                continue
            drained = not any(each.at_work or self._owes(each) for each in drain.leaving)
            self._drains.end(drain)
            self._report_left_behind(drain.leaving)
            offsets = self.commits.final(drain.leaving)
            self._retire(drain.leaving)
            if drain.revoked is None:
                self.commits.stop()
                self._outbox.append(Close(offsets, drained))
            else:
                self._outbox.append(Release(drain.revoked, offsets))
                self._events.revoked(drain.revoked, drained)

    def _owes(self, assignment: Assignment) -> bool:
        """Whether it has records left that must go before it does; not in a hold, which lets nothing go."""
        return not (assignment.mapped or self.holds.active) and self._schedule.owes(assignment)

    def _report_left_behind(self, leaving: Iterable[Assignment]) -> None:
        """Nobody here will use the answers of what is still posted: whoever comes next posts these records again."""
        going = {assignment for assignment in leaving if not assignment.gone}
        for delivery in self._at_work:
            if delivery.posting and delivery.assignment in going:
                self._events.left_behind(delivery.record, delivery.event_id)

    def _retire(self, leaving: Iterable[Assignment]) -> None:
        """From here on a late answer changes nothing."""
        for assignment in [a for a in leaving if not a.gone]:
            self.assignments.pop(assignment.partition, None)
            self.pauser.left(assignment.partition)
            self._blocks.forget(assignment)
            self._events.released(len(assignment.open))
            self._budget.forget(assignment)
            assignment.go()
            self._give_up_copies(assignment)
        for delivery in self._ledger.forget_gone() if self._ledger is not None else ():
            self._put_down(delivery)
        self._schedule.forget_gone()
        self.judge.forget_gone()
        for assignment in self.assignments.values():
            self._blocks.see_memory(assignment)
        self._shares.stale = True

    def _give_up_copies(self, assignment: Assignment) -> None:
        for copy in self._copies.leave(assignment):
            self._put_down(copy.delivery)
