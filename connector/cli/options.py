"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead; its shape is in docs/operations.md.")
]
"""For programs: the same content, and the same exit codes."""
