"""`connector config`: the settings in force, and where each came from."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from connector.cli.options import MaybeConfigFile
from connector.config.load import load_with_sources
from connector.config.reference import Row, in_force, json_schema, reference


def config(
    file: MaybeConfigFile = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the file instead.")] = False,
    as_reference: Annotated[
        bool, typer.Option("--reference", help="Print the reference of all settings (Markdown) instead.")
    ] = False,
) -> None:
    """Show the settings in force and where each came from: default, file, environment or secret file.

    Secrets are masked. Exit code 2 and every problem at once when the settings cannot be used.
    """
    if schema and as_reference:
        raise typer.BadParameter("--schema and --reference are two different questions")
    if schema:
        typer.echo(json.dumps(json_schema(), indent=2))
    elif as_reference:
        typer.echo(reference(), nl=False)
    else:
        typer.echo(_table([*in_force(load_with_sources(file, os.environ))]))


def _table(rows: list[Row]) -> str:
    """Columns that can be read and cut: the value, of any length, comes last."""
    name = max(len(row.name) for row in rows)
    source = max(len(row.source) for row in rows)
    return "\n".join(f"{row.name:{name}}  {row.source:{source}}  {row.value}" for row in rows)
