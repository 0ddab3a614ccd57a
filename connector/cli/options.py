"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

ConfigFile = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="FILE", help="Settings, a YAML file."),
]
"""The settings' file, required."""

MaybeConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings, a YAML file."),
]
"""The settings' file of a command that can do without."""


def json_option(page: str) -> OptionInfo:
    """`--json`, for programs: the same content, and the same exit codes. The page has the document's shape."""
    return typer.Option("--json", help=f"Print one JSON document instead; its shape is in {page}.")  # type: ignore[no-any-return]  # typer says Any


AsJson = Annotated[bool, json_option("docs/operations.md")]
"""Of the commands that docs/operations.md describes."""
