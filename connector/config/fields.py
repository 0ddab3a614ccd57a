"""The tree of settings, walked: every field by its dotted name."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connector.config.files import SecretFile
from connector.config.settings import Settings
from connector.config.units import Kind

_BOUNDS = ("ge", "le")  # as pydantic names them


class Field(NamedTuple):
    """One setting: its dotted name, what pydantic knows of it, and the section that it is, if it is one."""

    name: str
    info: FieldInfo
    section: type[BaseModel] | None

    @property
    def kind(self) -> Kind | None:
        """Duration or size, if it is one."""
        return next((part for part in self._metadata if isinstance(part, Kind)), None)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest value of a setting that has both."""
        found = [
            next((getattr(part, name) for part in self._metadata if hasattr(part, name)), None) for name in _BOUNDS
        ]
        return None if found[0] is None or found[1] is None else (found[0], found[1])

    @property
    def _metadata(self) -> Iterator[object]:
        yield from self.info.metadata
        for member in get_args(self.info.annotation):  # of one that may be null, too
            for part in getattr(member, "__metadata__", ()):
                yield from part.metadata if isinstance(part, FieldInfo) else (part,)


def every(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Field]:
    """Every setting, in the order of the file; a section comes before its fields."""
    for name, info in model.model_fields.items():
        field = Field(f"{prefix}{name}", info, _section(info.annotation))
        yield field
        if field.section is not None:
            yield from every(field.section, f"{field.name}.")


def _section(annotation: object) -> type[BaseModel] | None:
    """The section that a field holds, also where it may be null."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _section(members[0]) if len(members) == 1 else None
    return None


BY_NAME = {field.name: field for field in every()}
"""Every setting by its dotted name."""


def values(settings: Settings) -> Iterator[tuple[Field, object]]:
    """Every setting with its value; those of a section that is null are left out."""
    found: dict[str, object] = {"": settings}
    for name, field in BY_NAME.items():
        above, _, last = name.rpartition(".")
        if found.get(above) is not None:
            found[name] = getattr(found[above], last)
            yield field, found[name]


def secret_files(settings: Settings) -> Iterator[tuple[str, SecretFile]]:
    """Every secret file that is in use, with the dotted name of its setting."""
    for field, value in values(settings):
        if isinstance(value, SecretFile):
            yield field.name, value
