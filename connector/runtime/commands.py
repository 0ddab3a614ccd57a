"""What `connector pause` and `connector resume` ask of a running process, handed to its engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connector.core.pauses import Paused, Target
from connector.engine.holds import Hold
from connector.engine.ports import Clock
from connector.runtime.driver import Driver


class EngineCommands:
    """Satisfies `edge.control.Commands`."""

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """Pause these, besides what is paused already."""
        self._driver.pause(targets, reason)

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""
        return self._driver.resume(targets)

    def end(self, kind: str) -> bool:
        """End the brake, or let a deployment or endpoint hold try at once. False: no such hold is in force."""
        match kind:
            case "brake":
                return self._driver.release_brake()
            case "deployment" | "endpoint":
                return self._driver.try_now(kind)
            case _:
                return False

    def paused(self) -> Collection[Paused]:
        """The pauses in force."""
        return self._driver.engine.pauser.in_force

    def holds(self) -> Collection[Mapping[str, object]]:
        """The holds in force, for people."""
        return [self._shown(hold) for hold in self._driver.engine.holds.in_force]

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
