"""`connector offsets`: a group's commits as a file, a file as a group's commits, and those of another cluster."""

from __future__ import annotations

import typer

from connector.cli.offsets.exporting import export
from connector.cli.offsets.setting import set_offsets
from connector.cli.offsets.translating import translate

offsets = typer.Typer(
    help="Export a group's committed offsets, set them, or translate them for another cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
offsets.command()(export)
offsets.command("set")(set_offsets)
offsets.command()(translate)
