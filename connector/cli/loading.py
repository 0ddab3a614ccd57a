"""Settings for commands that never post: nobody should need the vendor's password to look at a record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import typer

from connector.config import Settings, load

_PASSWORD_FILE = "CONNECTOR_OPENMARKET__PASSWORD_FILE"  # noqa: S105 - the name of a variable


def load_without_password(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings with a placeholder for the vendor's password. Raises ConfigError as `load` does.

    The placeholder is in a pipe: where the chart runs this nothing can be written, not even a temporary file.
    """
    others = {name: value for name, value in environ.items() if name.upper() != _PASSWORD_FILE}
    placeholder, writing = os.pipe()
    try:
        os.write(writing, b"not needed")
        os.close(writing)
        return load(path, others | {_PASSWORD_FILE: f"/dev/fd/{placeholder}"})
    finally:
        os.close(placeholder)


def load_of_deliveries(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """As `load_without_password`, for commands that change or judge what a connector that delivers left behind. Raises
    BadParameter for a shadow's settings, whose group has no part in it."""
    settings = load_without_password(path, environ)
    refuse_shadow(settings, "this is about what was delivered")
    return settings


def refuse_shadow(settings: Settings, why: str) -> None:
    """Raise BadParameter, with the reason, for settings under which nothing is delivered."""
    if settings.is_shadow:
        raise typer.BadParameter(f"delivery.mode is shadow: {why}. Use the settings of the connector that delivers")
