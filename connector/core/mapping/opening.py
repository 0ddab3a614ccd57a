"""Texts of an event that hold JSON, opened so that paths go on inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector.core.json_text import DuplicateNameError, NotJsonError, read
from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.getters import Fields
from connector.core.mapping.paths import Path
from connector.core.mapping.types import Part
from connector.core.redact import shape


def outer_first(paths: Iterable[Path]) -> tuple[Path, ...]:
    """In the order in which they can be opened: JSON may lie in JSON."""
    return tuple(sorted(paths, key=lambda path: len(path.parts)))


def opened(fields: Fields, paths: Iterable[Path]) -> Fields:
    """A copy with what the JSON says in the place of its texts. `fields` stay as they are: others may take the texts
    for texts. Raises UnmappableError for one that is no JSON; what is null stays so."""
    found = dict(fields)
    for path in paths:
        _open(found, path)
    return found


def _open(here: Any, path: Path) -> None:
    *way, last = path.parts
    for part in way:
        inner = _at(here, part)
        if type(inner) is dict:
            inner = dict(inner)
        elif type(inner) is list:
            inner = list(inner)
        else:
            return
        here[part] = here = inner
    text = _at(here, last)
    if type(text) is str or type(text) is bytes:
        here[last] = _read(text, path)


def _read(text: str | bytes, path: Path) -> Any:
    try:
        given = text.encode() if isinstance(text, str) else text
        return read(given, for_mapping=True)
    except UnicodeEncodeError:
        raise UnmappableError(f"{path}: {shape(text)} that is no JSON", "write JSON") from None
    except NotJsonError as error:
        raise UnmappableError(f"{path}: {shape(text)}: {error}", "write JSON") from None
    except DuplicateNameError as error:
        raise UnmappableError(f"{path}: {shape(text)} with {error.name} twice", "write it once") from None


def _at(inside: Any, name: Part) -> Any:
    if type(inside) is dict:
        return inside.get(name)
    if type(inside) is list and type(name) is int and name < len(inside):
        return inside[name]
    return None
