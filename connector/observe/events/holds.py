"""Why nothing is posted: holds and pauses. The engine reports them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from connector.core.pauses import Source, Target, Unusable
from connector.observe.events.reporter import Logger, Reporter
from connector.observe.metrics import Metrics

_LINES_OF_A_FILE = 20
_NEEDS_A_PERSON = frozenset({"deployment", "brake"})
_PAUSED_FILE = "hold.paused_file: readable; a line each of `*`, a topic or topic:partition; UTF-8; 64 KiB at most"
_PAUSED_UNREAD = "correct the name in hold.paused_file; a partition is written topic:number"


class HoldEvents(Reporter):
    """What stops posting, and what lets it go on. The gauges show what is in force."""

    def __init__(self, metrics: Metrics, logger: Logger, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(metrics, logger, monotonic)
        self._held: dict[str, float] = {}
        self._paused: set[tuple[Source, Target]] = set()
        metrics.counter("hold_seconds").run_on(self._held_seconds)
        metrics.provide("hold", lambda: {(kind,): 1.0 for kind in tuple(self._held)})
        metrics.provide("paused", self._paused_by_source)

    def hold_entered(self, kind: str, code: str, why: str, remedy: str, details: Mapping[str, object]) -> None:
        """Posting stopped. `details` may name the record that met it, which keeps its place."""
        self._held[kind] = self._monotonic()
        self._count("holds", kind)
        if self._admit("hold_entered", kind):
            level = self._log.error if kind in _NEEDS_A_PERSON else self._log.warning
            level("hold_entered", kind=kind, code=code, why=why, remedy=remedy, **details)

    def hold_left(self, kind: str, seconds: float) -> None:
        """Posting goes on after this many seconds, unless another hold is in force."""
        now = self._monotonic()
        self._count("hold_seconds", kind, by=now - self._held.pop(kind, now))
        if self._admit("hold_left", kind):
            self._log.info("hold_left", kind=kind, seconds=round(seconds, 3))

    def brake_warned(self, code: str, why: str) -> None:
        """As many dead letters as would be braked, and the settings say to go on."""
        self._count("brake_warnings")
        self._log.error("brake_warned", code=code, why=why, remedy="mend the producer, or the classification")

    def paused(self, targets: Collection[Target], source: Source, reason: str = "") -> None:
        """A person paused these. `reason` is what they said, without control characters."""
        self._paused.update((source, target) for target in targets)
        self._count("pauses", source.value, by=len(targets))
        said = {"reason": reason} if reason else {}
        self._log.warning("paused", targets=_targets(targets), source=source.value, **said)

    def resumed(self, targets: Collection[Target], source: Source) -> None:
        """A person resumed these; another source, or a wider target, may still pause them."""
        self._paused.difference_update((source, target) for target in targets)
        self._log.info("resumed", targets=_targets(targets), source=source.value)

    def paused_file_unusable(self, problem: Unusable) -> None:
        """The file of pauses cannot be used; what it said last stays in force, and everything if it said nothing."""
        self._count("paused_file_problems", problem.code)
        lines = [f"line {line.number}: {line.problem}" for line in problem.lines[:_LINES_OF_A_FILE]]
        more = {"lines": lines, "bad_lines": len(problem.lines)} if lines else {}
        self._log.error("paused_file_unusable", code=problem.code, **more, remedy=_PAUSED_FILE)

    def paused_file_unread(self, targets: Collection[Target], topics: Collection[str]) -> None:
        """The file of pauses names topics that are not read: that pauses nothing. `topics` are those that are."""
        self._count("paused_file_problems", "unread")
        names = [str(target) for target in sorted(targets)][:_LINES_OF_A_FILE]
        self._log.warning("paused_file_unread", names=names, topics=sorted(topics), remedy=_PAUSED_UNREAD)

    def _held_seconds(self) -> dict[tuple[str, ...], float]:
        now = self._monotonic()
        return {(kind,): now - since for kind, since in self._held.items()}

    def _paused_by_source(self) -> dict[tuple[str, ...], float]:
        return {(source.value,): float(sum(by is source for by, _ in self._paused)) for source in Source}


def _targets(targets: Collection[Target]) -> list[str]:
    """The first of them, and how many more; a file may hold thousands."""
    shown = [str(target) for target in sorted(targets)[:_LINES_OF_A_FILE]]
    more = len(targets) - len(shown)
    return [*shown, f"and {more} more"] if more else shown
