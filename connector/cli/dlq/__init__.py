"""`connector dlq`: what lies in the dead-letter topic, and what becomes of it."""

from __future__ import annotations

import typer

from connector.cli.dlq.edit import edit
from connector.cli.dlq.export import export
from connector.cli.dlq.listing import list_letters
from connector.cli.dlq.purge import purge
from connector.cli.dlq.redrive import redrive
from connector.cli.dlq.show import show
from connector.cli.dlq.summary import summary

dlq = typer.Typer(
    help="Dead letters: count, look at, redrive, export and purge them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dlq.command()(summary)
dlq.command("list")(list_letters)
dlq.command()(show)
dlq.command()(redrive)
dlq.command()(edit)
dlq.command()(export)
dlq.command()(purge)
