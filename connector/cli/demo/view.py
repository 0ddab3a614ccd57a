"""What somebody in front of the demo sees while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table

_PLAIN_EVERY = 1.0
"""Seconds between two lines of progress where there is no terminal."""


class Snapshot(NamedTuple):
    """How far it has come. `status` is the connector's own page, empty while it does not answer."""

    seconds: float
    produced: int
    accepted: int
    refused: int
    dead_letters: int
    status: Mapping[str, Any]

    def rows(self) -> list[tuple[str, int]]:
        """What is counted, in the order of the road."""
        counts = self.status.get("records", {})
        return [
            ("produced", self.produced),
            ("taken", counts.get("taken", 0)),
            ("in flight", self.status.get("in_flight", 0)),
            ("accepted", self.accepted),
            ("refused", self.refused),
            ("to retry", counts.get("retried", 0)),
            ("dead letters", self.dead_letters),
        ]


class Screen:
    """The console while the demo runs. A context manager; `show` only within it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown_at = -_PLAIN_EVERY
        self._shown: list[tuple[str, int]] = []

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        """Renew the table, or add a line when a second has passed (or it is the last) and something changed."""
        due = last or snapshot.seconds - self._shown_at >= _PLAIN_EVERY
        if self._live is not None:
            self._live.update(_progress(snapshot), refresh=True)
        elif due and snapshot.rows() != self._shown:
            self._shown_at, self._shown = snapshot.seconds, snapshot.rows()
            counts = " · ".join(f"{name} {count:,}" for name, count in self._shown)
            self.say(f"{snapshot.seconds:5.1f} s  {counts}")


def _progress(snapshot: Snapshot) -> Table:
    table = Table()
    table.add_column("records")
    table.add_column(f"after {snapshot.seconds:.0f} s", justify="right", min_width=12)
    for name, count in snapshot.rows():
        table.add_row(name, f"{count:,}")
    return table
