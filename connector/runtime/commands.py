"""What `connector pause` and `connector resume` ask of a running process, handed to its flow."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connector.core.pauses import Paused, Target
from connector.flow.hold import Hold
from connector.flow.loop import Loop
from connector.flow.ports import Clock


class FlowCommands:
    """Satisfies `edge.control.Commands`."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """Pause these, besides what is paused already."""
        self._loop.pauser.pause(targets, reason)

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""
        return self._loop.pauser.resume(targets)

    def end(self, kind: str) -> bool:
        """End the brake, or let a deployment or endpoint hold try at once. False: no such hold is in force."""
        judge = self._loop.judge
        match kind:
            case "brake":
                return judge.brake.release()
            case "deployment" | "endpoint":
                return judge.try_now(kind)
        return False

    def paused(self) -> Collection[Paused]:
        """The pauses in force."""
        return self._loop.pauser.in_force

    def holds(self) -> Collection[Mapping[str, object]]:
        """The holds in force, for people."""
        return [self._shown(hold) for hold in self._loop.holds.in_force]

    def _shown(self, hold: Hold) -> Mapping[str, object]:
        tries = hold.tries
        wait = None if tries is None else round(max(0.0, tries.due - self._clock.monotonic()), 1)
        return {
            "kind": hold.kind,
            "since_ms": hold.since_ms,
            **hold.reason._asdict(),
            "tries": None if tries is None else tries.made,
            "next_try_in_seconds": wait,
        }
