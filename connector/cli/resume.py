"""`connector resume`: post again, of one running connector."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from connector.cli.commanding import Targets, Url, say_what_stays, send, written
from connector.cli.options import ConfigFile


def resume(
    config: ConfigFile,
    targets: Targets = None,
    hold: Annotated[
        Literal["deployment", "endpoint", "brake"] | None,
        typer.Option("--hold", help="End the brake instead, or let another hold try a record at once."),
    ] = None,
    url: Url = "",
) -> None:
    """Resume what `connector pause` paused in one running connector: everything, topics or partitions.

    What the file of hold.paused_file pauses stays paused until the file says otherwise, and a part of what was paused
    as a whole until the whole is resumed; both are told.

    One process is commanded: the one on this machine or, by `kubectl exec`, in that pod.

    Exit codes: 0 resumed · 1 not carried out, or something of it stays paused · 2 usage or configuration.
    """
    if hold is not None:
        if targets:
            raise typer.BadParameter("targets and --hold are two commands: give one at a time")
        send(config, url, "/resume", {"hold": hold})
    elif say_what_stays(send(config, url, "/resume", {"targets": written(targets)}).stays):
        raise typer.Exit(1)
