"""What a person paused, carried out: everything is a hold, a topic or a partition rests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from connector.core.pauses import Paused, Pauses, Source, Target
from connector.flow.assignment import Assignment
from connector.flow.dispatch import Dispatcher
from connector.flow.hold import Holds, Reason
from connector.flow.ports import Clock
from connector.flow.standstill import Standstill
from connector.observe.events import Events

_PAUSED = "paused"
_REMEDY = "`connector resume`, or the file of hold.paused_file, when posting may go on"


class Pauser:
    """Follows the file and the commands. `assignments` are those that are ours now; `on_change` is told when posting
    may go on."""

    def __init__(
        self,
        holds: Holds,
        standstill: Standstill,
        dispatcher: Dispatcher,
        clock: Clock,
        events: Events,
        *,
        assignments: Callable[[], Iterable[Assignment]],
        on_change: Callable[[], None],
    ) -> None:
        self._holds = holds
        self._standstill = standstill
        self._dispatcher = dispatcher
        self._clock = clock
        self._events = events
        self._assignments = assignments
        self._on_change = on_change
        self._pauses = Pauses()

    @property
    def in_force(self) -> tuple[Paused, ...]:
        """The pauses, of both sources."""
        return self._pauses.in_force

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """By command, besides what is paused already."""
        if new := self._pauses.pause(targets, self._clock.now_ms(), reason):
            self._events.paused(new, Source.COMMAND, reason)
            self._carry_out()

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""
        resumed = self._pauses.resume(targets)
        if resumed.ended:
            self._events.resumed(resumed.ended, Source.COMMAND)
            self._carry_out()
        return resumed.stays

    def follow_file(self, targets: frozenset[Target]) -> None:
        """Pause what the file says, and nothing else of it."""
        change = self._pauses.follow_file(targets, self._clock.now_ms())
        if change.paused:
            self._events.paused(change.paused, Source.FILE)
        if change.resumed:
            self._events.resumed(change.resumed, Source.FILE)
        if change.paused or change.resumed:
            self._carry_out()

    def look_at(self, assignment: Assignment) -> None:
        """Let a partition rest, or go on, as the pauses say."""
        paused = self._pauses.covers(assignment.partition)
        if paused == assignment.paused:
            return
        assignment.paused = paused
        if paused:
            self._standstill.stick(assignment, _PAUSED)
        else:
            self._standstill.unstick(assignment, _PAUSED)
            self._dispatcher.resume(assignment)

    def _carry_out(self) -> None:
        everything = [paused for paused in self._pauses.in_force if paused.target.is_everything]
        if everything:
            why = " · ".join(_by_whom(paused) for paused in everything)
            self._holds.enter("manual", Reason(_PAUSED, f"everything is paused, {why}", _REMEDY))
        else:
            self._holds.leave("manual")
        for assignment in self._assignments():
            self.look_at(assignment)
        self._on_change()


def _by_whom(paused: Paused) -> str:
    return f"by {paused.source.value}: {paused.reason}" if paused.reason else f"by {paused.source.value}"
