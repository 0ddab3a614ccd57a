"""`connector retry`: what waits in the retry topic, and what becomes of it."""

from __future__ import annotations

import typer

from connector.cli.retry.editing import drop, expedite
from connector.cli.retry.listing import list_copies, summary

retry = typer.Typer(
    help="Copies that wait for their next attempt: count, look at, expedite and drop them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
retry.command()(summary)
retry.command("list")(list_copies)
retry.command()(expedite)
retry.command()(drop)
