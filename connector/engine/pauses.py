"""What a person paused, carried out: everything is a hold, a topic or a partition rests."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connector.core.pauses import Paused, Pauses, Source, Target
from connector.core.record import Partition
from connector.engine.blocks import Blocks
from connector.engine.holds import Holds, Reason
from connector.engine.partition import Assignment, Block
from connector.engine.schedule import Schedule
from connector.engine.timers import Now
from connector.observe.events import Events

_REMEDY = "`connector resume`, or the file of hold.paused_file, when posting may go on"


class Pauser:
    """Follows the file and the commands. `ours` are the partitions that are ours at any time."""

    def __init__(
        self,
        holds: Holds,
        blocks: Blocks,
        schedule: Schedule,
        ours: Mapping[Partition, Assignment],
        now: Now,
        events: Events,
    ) -> None:
        self._holds = holds
        self._blocks = blocks
        self._schedule = schedule
        self._ours = ours
        self._now = now
        self._events = events
        self._pauses = Pauses()
        self._held: set[Target] = set()

    @property
    def in_force(self) -> tuple[Paused, ...]:
        """The pauses, of both sources."""
        return self._pauses.in_force

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """By command, besides what is paused already."""
        if new := self._pauses.pause(targets, self._now.ms, reason):
            self._events.paused(new, Source.COMMAND, reason)
            self._carry_out()

    def hold(self, partition: Partition, reason: str) -> None:
        """Pause a partition that comes, as a command would, until it is resumed, or leaves: its next owner sees
        for itself whether there is still a reason."""
        target = Target(*partition)
        if new := self._pauses.pause([target], self._now.ms, reason):
            self._held.add(target)
            self._events.paused(new, Source.COMMAND, reason)

    def left(self, partition: Partition) -> None:
        """It is ours no more."""
        target = Target(*partition)
        if target in self._held:
            self._held.remove(target)
            self._pauses.resume([target])

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""
        resumed = self._pauses.resume(targets)
        self._held.difference_update(resumed.ended)
        if resumed.ended:
            self._events.resumed(resumed.ended, Source.COMMAND)
            self._carry_out()
        return resumed.stays

    def follow_file(self, targets: frozenset[Target]) -> None:
        """Pause what the file says, and nothing else of it."""
        change = self._pauses.follow_file(targets, self._now.ms)
        if change.paused:
            self._events.paused(change.paused, Source.FILE)
        if change.resumed:
            self._events.resumed(change.resumed, Source.FILE)
        if change.paused or change.resumed:
            self._carry_out()

    def look_at(self, assignment: Assignment) -> None:
        """Let a partition rest, or go on, as the pauses say."""
        paused = self._pauses.covers(assignment.partition)
        if paused == (Block.PAUSED in assignment.blocks):
            return
        if paused:
            self._blocks.add(assignment, Block.PAUSED)
        else:
            self._blocks.remove(assignment, Block.PAUSED)
            self._schedule.resume(assignment)

    def _carry_out(self) -> None:
        everything = [paused for paused in self._pauses.in_force if paused.target.is_everything]
        if everything:
            why = " · ".join(_by_whom(paused) for paused in everything)
            self._holds.enter("manual", Reason(Block.PAUSED.value, f"everything is paused, {why}", _REMEDY))
        else:
            self._holds.leave("manual")
        for assignment in self._ours.values():
            self.look_at(assignment)


def _by_whom(paused: Paused) -> str:
    return f"by {paused.source.value}: {paused.reason}" if paused.reason else f"by {paused.source.value}"
