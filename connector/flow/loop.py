"""MANY records: what the source says is carried out, workers deliver side by side, what is settled is committed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from connector.core.destination import SETTLED
from connector.core.record import Partition, Record
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
)
from connector.deadline import in_time
from connector.flow.assignment import Assignment, Delivery
from connector.flow.commits import Committer
from connector.flow.deliver import Road
from connector.flow.dispatch import Dispatcher, Ordering
from connector.flow.gate import Gate, Limit, PaceRules
from connector.flow.hold import Holds
from connector.flow.judge import HoldRules, Judge
from connector.flow.pause import Pauser
from connector.flow.ports import Clock, Decoder, Sink, Source
from connector.flow.settle import Rest, Settler, Targets
from connector.flow.share import Shares
from connector.flow.sleep import Sleepers
from connector.flow.standstill import Standstill
from connector.observe.events import Events, where

_LOOK_AGAIN = 0.01
"""Seconds between looks whether a worker is free for what must go before its partition."""


class Limits(NamedTuple):
    """How much at once. `in_flight` posts; `uncommitted` records answered and not in an acknowledged commit;
    `records` and `size` (bytes of keys, values and headers) bound what is in memory."""

    in_flight: int
    uncommitted: int
    records: int
    size: int


class Topics(NamedTuple):
    """Where records come from, and where copies go. `delayed` are the retry topics that are read."""

    delayed: frozenset[str]
    targets: Targets


class World(NamedTuple):
    """The neighbours of the flow, behind their ports."""

    source: Source
    sink: Sink
    decoder: Decoder
    clock: Clock
    events: Events


class Rules(NamedTuple):
    """How records wait: for their next attempt, for each other, for the vendor's sake, and while something is wrong."""

    plan: RetryPlan
    ordering: Ordering
    pace: PaceRules
    hold: HoldRules


class Loop:
    """Runs until the source fails or its task is cancelled; `leave` ends it well."""

    def __init__(
        self,
        world: World,
        road: Road,
        topics: Topics,
        limits: Limits,
        rules: Rules,
        limit: Limit,
        chance: Callable[[], float],
    ) -> None:
        self._source = world.source
        self._events = world.events
        self._topics = topics
        self._limits = limits
        self._stopping = False
        self._background: set[asyncio.Task[None]] = set()
        self._in_hand: set[Delivery] = set()
        self.workers: list[asyncio.Task[None]] = []
        self.assignments: dict[Partition, Assignment] = {}
        self.holds = Holds(world.clock, world.events)
        self._sleepers = Sleepers(world.source, world.clock, rules.plan, self._look_again)
        self._standstill = Standstill(
            world.decoder,
            self._sleepers,
            world.events,
            look_again=self._look_again,
            in_background=self._in_background,
        )
        self.committer = Committer(
            world.source,
            world.clock,
            world.events,
            bound=limits.uncommitted,
            on_room=self._wake,
            on_map_room=self._standstill.map_has_room,
        )
        self.gate = Gate(
            world.clock,
            self.holds,
            limit,
            rules.pace,
            committer=self.committer,
            room=self._room,
            on_open=self._wake,
        )
        self.judge = Judge(
            rules.hold,
            self.holds,
            self.gate,
            world.clock,
            world.events,
            chance,
            put_back=lambda delivery: self._dispatcher.put_back(delivery),
            on_change=self._wake,
        )
        self._dispatcher = Dispatcher(
            road,
            world.source,
            world.events,
            self.gate,
            ordering=rules.ordering,
            retry_share=rules.pace.retry_share,
            most=limits.records,
            most_bytes=limits.size,
            least=limits.in_flight,
            rank=self.judge.rank,
            due=self._sleepers.is_due,
            fetch=self._standstill.fetch,
            stop=self._standstill.stop,
            skipped=self.committer.skipped,
            crowded=self._standstill.map_is_crowded,
            brimming=self._standstill.brims,
        )
        self._road = road
        self._settler = Settler(
            world.sink, world.source, topics.targets, world.clock, world.events, self.committer, self._sleepers
        )
        self.pauser = Pauser(
            self.holds,
            self._standstill,
            self._dispatcher,
            world.clock,
            world.events,
            assignments=lambda: self.assignments.values(),
            on_change=self._wake,
        )
        self._shares = Shares(world.clock, topics.delayed, on_change=self._share)

    @property
    def in_flight(self) -> int:
        """Deliveries in the hands of workers: without those whose copies cannot be written now."""
        return sum(assignment.posting for assignment in self.assignments.values()) - self.committer.waiting_copies

    @property
    def in_hand(self) -> int:
        """Records taken and not settled."""
        return sum(len(assignment.open) for assignment in self.assignments.values())

    def waiting(self) -> dict[str, int]:
        """How many records in hand wait for what."""
        lanes = sum(len(lane) for assignment in self.assignments.values() for lane in assignment.lanes.values())
        return {
            "lane": lanes,
            "service": self._dispatcher.at_bulkheads,
            "next_try": self._dispatcher.put_off_now,
            "hold": self.judge.aside,
        }

    def partitions_waiting(self) -> Counter[str]:
        """How many partitions take nothing new, by reason."""
        return Counter(
            reason
            for assignment in self.assignments.values()
            for reason in (assignment.stuck or (("due time",) if assignment.asleep else ()))
        )

    async def run(self) -> Failed:
        """Take and deliver until the source or a worker cannot go on; return why. Cancel it to stop taking."""
        self._source.start()
        self._source.give_room(self._limits.records, self._limits.size)
        self.workers = [asyncio.create_task(self._work()) for _ in range(self._limits.in_flight)]
        listening = asyncio.create_task(self._listen())
        try:
            failed = await self._first_to_fail(listening)
        finally:
            listening.cancel()
        self._events.source_failed(failed.code, failed.remedy)
        return failed

    async def _first_to_fail(self, listening: asyncio.Task[Failed]) -> Failed:
        """Workers end by a bug of ours only: the others would go on without it, and its record would wait for ever."""
        at_work = {listening, *self.workers}
        while True:
            ended, at_work = await asyncio.wait(at_work, return_when=asyncio.FIRST_COMPLETED)
            if listening in ended:
                return listening.result()
            for worker in ended:
                if not worker.cancelled() and (error := worker.exception()) is not None:
                    return Failed(
                        "worker_fault", f"a bug of ours ({type(error).__name__} at {where(error)}): report it"
                    )

    async def _listen(self) -> Failed:
        while True:
            event = await self._source.next()
            if isinstance(event, Taken):
                self._take(event.records)
            elif isinstance(event, Gap):
                self._pass_over(event)
            elif isinstance(event, Committed):
                self.committer.answered(event)
            elif isinstance(event, Assigned):
                self._assign(event)
            elif isinstance(event, Revoking):
                self._in_background(self._give_up(event))
            elif isinstance(event, Lost):
                self._lose(event.partitions)
            elif isinstance(event, Asleep):
                if assignment := self.assignments.get(event.partition):
                    self._sleepers.asleep(assignment)
            elif isinstance(event, Counted):
                self._shares.counted(event.partitions)
                self._share()
            else:
                return event

    async def leave(self, budget: float) -> bool:
        """Take nothing new, drain within `budget` seconds, commit, leave the group; whether all was drained."""
        self._stopping = True
        leaving = list(self.assignments.values())
        drained = await self._drain(leaving, budget)
        self._report_left_behind(leaving)
        for task in (*self.workers, *self._background):
            task.cancel()
        await asyncio.gather(*self.workers, *self._background, return_exceptions=True)
        # No await between the two: a hand-over that began there would commit nothing, and the close too late.
        offsets = self.committer.final(leaving)
        self.committer.stop()
        self.gate.stop()
        self.judge.stop()
        self._shares.stop()
        self._retire(leaving)
        await self._source.close(offsets)
        return drained

    async def _work(self) -> None:
        while True:
            delivery = await self._dispatcher.next()
            self._in_hand.add(delivery)
            rest: Rest | None = None
            try:
                rest = await self._deliver(delivery)
            except Exception as error:  # a bug of ours must stop one partition, not lose a record or all the others
                self._standstill.stop(delivery.assignment, error)
            finally:
                if rest is None:
                    self._put_down(delivery)
            if rest is not None:
                self._in_background(self._write(delivery, rest))

    async def _deliver(self, delivery: Delivery) -> Rest | None:
        """Post it and settle it; what is left to do when its copy cannot be written now."""
        posts = delivery.request is not None
        try:
            routed = await self._road.deliver(delivery)
        finally:
            probed = posts and self.gate.end(delivery)
        destination = self.judge.answered(delivery, routed, probed=probed)
        if destination is not SETTLED:
            self._wake()  # this worker may be busy with a copy, and its post is over
        return None if destination is None else await self._settler.settle(delivery, destination, self._dispatcher)

    async def _write(self, delivery: Delivery, rest: Rest) -> None:
        """No worker waits for a topic that takes no copies, or one partition could keep all others from theirs."""
        self.committer.copies_wait(1)
        try:
            await rest()
        except Exception as error:  # as in a worker
            self._standstill.stop(delivery.assignment, error)
        finally:
            self.committer.copies_wait(-1)
            self._put_down(delivery)

    def _put_down(self, delivery: Delivery) -> None:
        assignment = delivery.assignment
        self._in_hand.discard(delivery)
        assignment.end()
        self._see_room(assignment)

    def _see_room(self, assignment: Assignment) -> None:
        if assignment.brims and self._dispatcher.has_room(assignment):
            self._standstill.brims_no_more(assignment)

    def _room(self) -> int:
        """Posts more after which a crash would still repeat no more than the bounds of uncommitted and in flight.

        Beyond them, by what expired in a hold or what a map has no room for any more, one at a time makes room again.
        """
        exposed = self.committer.exposed + self.in_flight
        room = self._limits.uncommitted + self._limits.in_flight - exposed
        return 1 if room <= 0 and not self.in_flight and self.committer.at_rest else room

    def _take(self, records: Iterable[Record]) -> None:
        for partition, run in groupby(records, key=attrgetter("partition")):
            batch = list(run)
            assignment = self.assignments.get(partition)
            if assignment is not None:
                self._dispatcher.offer(assignment, batch)
            else:
                self._source.give_room(len(batch), sum(record.size for record in batch))

    def _pass_over(self, gap: Gap) -> None:
        assignment = self.assignments.get(gap.partition)
        if assignment is not None and self._dispatcher.pass_over(assignment, gap.first, gap.end):
            self.committer.passed_over(assignment)

    def _assign(self, event: Assigned) -> None:
        known = decode(event.metadata, event.position, event.identity, event.end)
        if isinstance(known, str):
            self._events.map_ignored(event.partition, known)
            known = ()
        assignment = Assignment(
            event.partition,
            Commit(event.position, event.metadata),
            delayed=event.partition.topic in self._topics.delayed,
            identity=event.identity,
            known=known,
        )
        if self._stopping:
            assignment.leaving.set()
        self.assignments[event.partition] = assignment
        self._share()
        self._events.assigned(event.partition, event.position)
        self.pauser.look_at(assignment)

    async def _give_up(self, event: Revoking) -> None:
        leaving = [a for partition in event.partitions if (a := self.assignments.get(partition))]
        drained = await self._drain(leaving, event.budget)
        self._report_left_behind(leaving)
        offsets = self.committer.final(leaving)
        self._retire(leaving)
        self._source.release(event.partitions, offsets)
        self._events.revoked(event.partitions, drained)

    def _lose(self, partitions: Iterable[Partition]) -> None:
        lost = [a for partition in partitions if (a := self.assignments.get(partition))]
        for assignment in lost:
            assignment.leaving.set()
            self.committer.forget(assignment)
        self._retire(lost)
        self._events.lost([assignment.partition for assignment in lost])

    async def _drain(self, leaving: Iterable[Assignment], budget: float) -> bool:
        """Take nothing more of these partitions; wait for what is in flight, and for what waits in front of it."""
        leaving = list(leaving)
        for assignment in leaving:
            assignment.leaving.set()
        with contextlib.suppress(TimeoutError):
            await in_time(self._rested(leaving), budget)
        return not any(assignment.posting or self._owes(assignment) for assignment in leaving)

    async def _rested(self, leaving: Iterable[Assignment]) -> None:
        for assignment in leaving:
            await assignment.idle.wait()
            while assignment.posting or self._owes(assignment):
                await asyncio.sleep(_LOOK_AGAIN)
                await assignment.idle.wait()

    def _report_left_behind(self, leaving: Iterable[Assignment]) -> None:
        """Nobody here will use the answers of what is still posted: whoever comes next posts these records again."""
        going = {assignment for assignment in leaving if not assignment.gone}
        for delivery in self._in_hand:
            if delivery.posting and delivery.assignment in going:
                self._events.left_behind(delivery.record, delivery.event_id)

    def _owes(self, assignment: Assignment) -> bool:
        return not self.holds.active and self._dispatcher.owes(assignment)

    def _retire(self, leaving: Iterable[Assignment]) -> None:
        """From here on a late answer changes nothing."""
        for assignment in [a for a in leaving if not a.gone]:
            assignment.over.set()
            self.assignments.pop(assignment.partition, None)
            self._sleepers.forget(assignment)
            self._dispatcher.forget(assignment)
            self._events.released(len(assignment.open))
            for record in assignment.open.values():
                self._source.give_room(1, record.size)
        self._dispatcher.forget_gone()
        self.judge.forget_gone()
        for assignment in self.assignments.values():
            self._see_room(assignment)
        self._share()
        self._wake()

    def _share(self) -> None:
        """Take the part of the deployment's rate that goes with our partitions."""
        self.gate.set_share(self._shares.of(self.assignments))
        self._wake()

    def _look_again(self, assignment: Assignment) -> None:
        self._dispatcher.ready(assignment)

    def _wake(self) -> None:
        self._dispatcher.wake()

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
