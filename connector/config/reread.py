"""Secrets and certificates read anew while the connector runs, by the rules of the start."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from connector.config.fields import values
from connector.config.files import SecretFile
from connector.config.load import ConfigError
from connector.config.problems import explain
from connector.config.settings import Settings

Model = TypeVar("Model", bound=BaseModel)


def files(settings: Settings, section: str) -> dict[str, Path]:
    """The files that a section, by its dotted name, reads at start: dotted name of the setting → path."""
    found: dict[str, Path] = {}
    for field, value in values(settings):
        if field.name.rpartition(".")[0] == section and field.name.endswith("_file") and value is not None:
            assert isinstance(value, Path | SecretFile)
            found[field.name] = value.path if isinstance(value, SecretFile) else value
    return found


def reread(settings: Settings, section: str) -> Settings:
    """The settings with a section's files read anew; those of the sections in it are left alone.

    Raises ConfigError with every problem.
    """
    before: BaseModel = reduce(getattr, section.split("."), settings)
    given = {name: getattr(before, name) for name in before.model_fields_set}
    try:
        again = type(before).model_validate(given)
    except ValidationError as error:
        raise ConfigError(tuple(f"{section}.{problem}" for problem in explain(error))) from None
    return _with(settings, section.split("."), again)


def _with(model: Model, path: list[str], section: BaseModel) -> Model:
    first, *rest = path
    return model.model_copy(update={first: _with(getattr(model, first), rest, section) if rest else section})
