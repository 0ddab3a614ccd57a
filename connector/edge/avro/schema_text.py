"""The JSON of a schema as people write it: with a byte order mark, and with comments, as Avro's own parser takes it."""

from __future__ import annotations

import json
import re
from typing import Any

# A string, which may hold what looks like a comment, or a comment.
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n]*+|/\*.*?\*/', re.DOTALL)


def name_in_text(text: str) -> str | None:
    """The full name that a record's schema says, whatever else is wrong with it; None for what has none."""
    return _name_of(_given(text))


def branches_in_text(text: str) -> tuple[str, ...]:
    """The full names that the branches of a union say, or are; none for what is no union."""
    given = _given(text)
    branches = given if isinstance(given, list) else []
    names = (each if isinstance(each, str) else _name_of(each) for each in branches)
    return tuple(name for name in names if name is not None)


def _given(text: str) -> Any:
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        return None


def _name_of(given: Any) -> str | None:
    match given:
        case {"name": str(name), "namespace": str(namespace)} if namespace and "." not in name:
            return f"{namespace}.{name}"
        case {"name": str(name)}:
            return name
    return None


def load_json(text: str | bytes) -> Any:
    """Return what a text says. Raises ValueError for what is not JSON, and RecursionError for what is too deep."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    text = text.removeprefix("\ufeff")
    if "/" in text:
        text = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return json.loads(text)
