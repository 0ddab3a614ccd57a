"""The mapping alone, of a file of settings or of one that has nothing else: for a producer, who has no settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict, ValidationError

from connector.config.load import ConfigError, read_tree
from connector.config.mapping import Mapping
from connector.config.problems import explain
from connector.config.section import Section


class _File(Section):
    """Whatever else is there is not looked at."""

    model_config = ConfigDict(extra="ignore")

    mapping: Mapping


def load_mapping(path: Path) -> Mapping:
    """Read the section `mapping` of a file; the environment is not looked at. Raises ConfigError."""
    try:
        return _File.model_validate(read_tree(path)).mapping
    except ValidationError as error:
        raise ConfigError(tuple(explain(error))) from None
