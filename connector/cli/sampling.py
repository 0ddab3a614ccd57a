"""Which of a topic's records a command reads: the newest, or those since a time."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.dlq.options import time_ms
from connector.edge.clock import SystemClock
from connector.edge.kafka.scan import Scan

_DEFAULT = 10_000

Sample = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"How many of the newest records to read, about; {_DEFAULT:,} unless --since is given.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Read all from then on: 2h ago as `2h`, or 2026-11-30T09:00 (UTC)."),
]
Topic = Annotated[str | None, typer.Option(metavar="NAME", help="Another topic than kafka.topics.main.")]


class Stretch:
    """The part of a topic that is read."""

    def __init__(self, sample: int | None, since: str | None) -> None:
        """Raises typer.BadParameter for both of them, and for a time that is none."""
        if sample is not None and since is not None:
            raise typer.BadParameter("--sample and --since exclude each other")
        self._sample = sample or _DEFAULT
        self._since_ms = time_ms(since, SystemClock().now_ms())

    def begin(self, scan: Scan) -> None:
        """Have the scan begin there. Raises AdminError."""
        if self._since_ms is None:
            scan.newest(self._sample)
        else:
            scan.since(self._since_ms)
