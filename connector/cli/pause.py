"""`connector pause`: stop posting, of one running connector."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.commanding import Targets, Url, send, written
from connector.cli.options import ConfigFile
from connector.edge.control import LONGEST_REASON


def pause(
    config: ConfigFile,
    targets: Targets = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; goes into the log.")] = "",
    url: Url = "",
) -> None:
    """Pause everything, topics or partitions of one running connector: it takes and posts nothing new of them.

    What is being posted is answered and committed, and the partitions stay assigned. It lasts until `connector resume`
    or the end of that process.

    One process is commanded: the one on this machine or, by `kubectl exec`, in that pod. For the whole deployment,
    and over restarts, write the file that hold.paused_file names (with the chart: the value `paused`).

    Exit codes: 0 paused · 1 not carried out · 2 usage or configuration.
    """
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise typer.BadParameter(f"--reason: one line of {LONGEST_REASON} characters at most")
    send(config, url, "/pause", {"targets": written(targets), "reason": reason})
