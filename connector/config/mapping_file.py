"""The mapping alone, of a file of settings or of one that has nothing else: for a producer, who has no settings."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from difflib import get_close_matches
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from connector.config.load import ConfigError, read_tree
from connector.config.mapping import Mapping
from connector.config.openmarket import AnyService, ServiceIds, allowed
from connector.config.problems import explain
from connector.config.section import Section


class _Services(Section):
    """Of `openmarket` what an event is held against; a producer has none."""

    model_config = ConfigDict(extra="ignore")

    service_ids: ServiceIds = AnyService(any=True)


class MappingFile(Section):
    """Whatever else is there is not looked at."""

    model_config = ConfigDict(extra="ignore")

    mapping: Mapping
    openmarket: _Services | None = None

    @property
    def allowed_services(self) -> MappingOf[str, str] | None:
        """Upper-cased service id → as listed; None when any may be triggered, or nothing is said of them."""
        return None if self.openmarket is None else allowed(self.openmarket.service_ids)


def load_mapping(path: Path) -> MappingFile:
    """Read the section `mapping` of a file, and the services that it allows; the environment is not looked at.

    Raises ConfigError.
    """
    tree = read_tree(path)
    near = get_close_matches("mapping", tree, n=1, cutoff=0.5)
    if "mapping" not in tree and near:
        raise ConfigError((f"{near[0]}: unknown setting; did you mean mapping?",))
    try:
        return MappingFile.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(tuple(explain(error))) from None
