"""How far a long reading has come, on a terminal: what was read, how fast, and how long it still takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from connector.core.record import Record
from connector.edge.clock import SystemClock
from connector.edge.kafka.scan import Scan

_EVERY = 1000
_PAUSE = 0.1


class Progress:
    """A bar on standard error, where that is a terminal; nothing elsewhere. A context manager."""

    def __init__(self, what: str, total: int) -> None:
        self._bar = (
            Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            if sys.stderr.isatty()
            else None
        )
        self._task = self._bar.add_task(what, total=total, rate="") if self._bar is not None else None
        self._clock = SystemClock()
        self._unshown, self._shown_at = 0, 0.0

    def advance(self, count: int) -> None:
        """So many more. Shown ten times a second at most: showing takes as long as reading a hundred records."""
        if self._bar is None or self._task is None:
            return
        self._unshown += count
        now = self._clock.monotonic()
        if now < self._shown_at + _PAUSE:
            return
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, advance=self._unshown, rate="" if speed is None else f"{speed:,.0f}/s")
        self._unshown, self._shown_at = 0, now

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def watched(scan: Scan, name: str) -> Iterator[Record]:
    """The records of a scan, with its progress on a terminal."""
    with Progress(f"reading {name}", scan.total) as progress:
        for number, record in enumerate(scan.records(), 1):
            yield record
            if number % _EVERY == 0:
                progress.advance(_EVERY)
