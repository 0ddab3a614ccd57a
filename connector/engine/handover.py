"""Partitions that come and go: assigned, asked back, drained, let go or lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from connector.core.record import Partition
from connector.core.settled_map import decode
from connector.core.signals import Assigned, Commit
from connector.engine.deliveries import Deliveries
from connector.engine.drains import Drains
from connector.engine.messages import Close, Release
from connector.engine.partition import Assignment
from connector.engine.parts import Parts
from connector.engine.pauses import Pauser
from connector.engine.shares import Shares
from connector.engine.translated import Translated, doubt_of


class Handover:
    """A partition that leaves takes nothing new; it goes once what is under way is answered, or its time is over. A
    late answer finds it gone, and changes nothing. `under_way`: the drains of those that are leaving."""

    def __init__(
        self,
        parts: Parts,
        deliveries: Deliveries,
        pauser: Pauser,
        shares: Shares,
        delayed: Collection[str],
        translated: Translated,
    ) -> None:
        """`delayed` are the retry topics; `translated`: what becomes of a commit that was made in another cluster."""
        self._parts = parts
        self._deliveries = deliveries
        self._pauser = pauser
        self._shares = shares
        self._delayed = delayed
        self._translated = translated
        self._assignments = parts.assignments
        self._outbox, self._events = parts.context.outbox, parts.context.events
        self._drains = Drains(parts.context)
        self.under_way = self._drains.under_way
        self._stopping = False

    def assigned(self, event: Assigned) -> None:
        """A partition is ours now."""
        known = decode(event.metadata, event.position, event.identity, event.end, event.cluster_id)
        doubted = doubt_of(event, known)
        if isinstance(known, str):
            self._events.map_ignored(event.partition, known)
            known = ()
        if doubted is not None and self._translated == "stop":
            self._outbox.append(doubted.stop)
            return  # nothing of it may be posted until the process has ended
        if doubted is not None and self._translated == "hold":
            self._pauser.hold(event.partition, doubted.why)
        assignment = Assignment(
            event.partition,
            Commit(event.position, event.metadata),
            delayed=event.partition.topic in self._delayed,
            identity=event.identity,
            known=known,
        )
        assignment.leaving = self._stopping
        self._assignments[event.partition] = assignment
        self._shares.stale = True
        self._events.assigned(event.partition, event.position)
        if self._parts.recent is not None:
            self._parts.recent.recall(assignment)
        self._pauser.look_at(assignment)

    def revoking(self, partitions: frozenset[Partition], budget: float) -> None:
        """These are asked back: they go after `budget` seconds, or once all is answered and what waits before it."""
        self._leave(budget, self._ours(partitions), partitions)

    def stop(self, budget: float) -> None:
        """The process stops: likewise of all there are, and of all that come."""
        self._stopping = True
        self._leave(budget, list(self._assignments.values()), None)

    def lost(self, partitions: frozenset[Partition]) -> None:
        """These are somebody else's already."""
        lost = self._ours(partitions)
        for assignment in lost:
            self._parts.commits.forget(assignment)
        self._retire(lost)
        self._events.lost([assignment.partition for assignment in lost])

    def caught_up(self) -> None:
        """All that had arrived was told: drains whose time is over are ended."""
        self._drains.caught_up()

    def end_drains(self) -> None:
        """Let partitions go that are drained, or that cannot wait any longer."""
        for drain in list(self._drains.under_way):
            # Posts of a partition that is gone already are left behind: nobody waits for what they come to.
            waits = any(not each.gone and (each.at_work or self._owes(each)) for each in drain.leaving)
            if waits and not drain.overdue:
                continue
            drained = not any(each.at_work or self._owes(each) for each in drain.leaving)
            self._drains.end(drain)
            self._report_left_behind(drain.leaving)
            offsets = self._parts.commits.final(drain.leaving)
            self._retire(drain.leaving)
            if drain.revoked is None:
                self._parts.commits.stop()
                self._outbox.append(Close(offsets, drained))
            else:
                self._outbox.append(Release(drain.revoked, offsets))
                self._events.revoked(drain.revoked, drained)

    def _ours(self, partitions: Iterable[Partition]) -> list[Assignment]:
        return [assignment for each in partitions if (assignment := self._assignments.get(each))]

    def _leave(self, budget: float, leaving: list[Assignment], revoked: frozenset[Partition] | None) -> None:
        self._drains.begin(leaving, revoked, budget)
        for assignment in leaving:
            assignment.leaving = True
            self._give_up_copies(assignment)
        if self._parts.ledger is not None:
            self._parts.ledger.leave()

    def _owes(self, assignment: Assignment) -> bool:
        """Whether it has records left that must go before it does; not in a hold, which lets nothing go."""
        return not (assignment.mapped or self._parts.holds.active) and self._parts.schedule.owes(assignment)

    def _report_left_behind(self, leaving: Iterable[Assignment]) -> None:
        """Nobody here will use the answers of what is still posted: the next owner posts these records again."""
        going = {assignment for assignment in leaving if not assignment.gone}
        for delivery in self._deliveries.at_work:
            if delivery.posting and delivery.assignment in going:
                self._events.left_behind(delivery.record, delivery.event_id)

    def _retire(self, leaving: Iterable[Assignment]) -> None:
        """From here on a late answer changes nothing."""
        for assignment in [a for a in leaving if not a.gone]:
            self._assignments.pop(assignment.partition, None)
            self._pauser.left(assignment.partition)
            self._parts.blocks.forget(assignment)
            self._events.released(len(assignment.open))
            self._parts.budget.forget(assignment)
            assignment.go()
            self._give_up_copies(assignment)
        for delivery in self._parts.ledger.forget_gone() if self._parts.ledger is not None else ():
            self._deliveries.put_down(delivery)
        self._parts.schedule.forget_gone()
        self._parts.judge.forget_gone()
        for assignment in self._assignments.values():
            self._parts.blocks.see_memory(assignment)
        self._shares.stale = True

    def _give_up_copies(self, assignment: Assignment) -> None:
        for copy in self._parts.copies.leave(assignment):
            self._deliveries.put_down(copy.delivery)
