"""Commands that write down what they are told, for the two ends of the listener for commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connector.core.pauses import Paused, Pauses, Target

PAUSED_AT_MS = 1_795_726_800_000
"""2026-11-26 21:00:00 UTC."""


class Told:
    """Pauses and holds without a connector. `holds` are the kinds in force."""

    def __init__(self, holds: Collection[str] = ()) -> None:
        self.pauses = Pauses()
        self.reasons: list[str] = []
        self.in_force = list(holds)

    def pause(self, targets: Collection[Target], reason: str) -> None:
        self.pauses.pause(targets, PAUSED_AT_MS, reason)
        self.reasons.append(reason)

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        return self.pauses.resume(targets).stays

    def end(self, kind: str) -> bool:
        if kind not in self.in_force:
            return False
        self.in_force.remove(kind)
        return True

    def paused(self) -> Collection[Paused]:
        return self.pauses.in_force

    def holds(self) -> Collection[Mapping[str, object]]:
        return [{"kind": kind, "since_ms": PAUSED_AT_MS, "why": "a fault"} for kind in self.in_force]
