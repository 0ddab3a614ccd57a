"""JSON Schemas of producers: vetted before an event is held against them, since they come from outside.

What is vetted has no references but into itself and no recursion, so a value's check is bounded by the schema's parts,
each use of a definition counted in full. Patterns run without backtracking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from connector.core.mapping.types import Type
from connector.core.redact import safe_name, shape
from connector.core.refusal import Problem
from connector.edge.avro.json_types import type_of
from connector.edge.avro.schema_text import load_json
from connector.edge.avro.vetting import UnsafeSchemaError

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_MOST_TEXT = 256 * 1024  # characters
_MOST_NODES = 10_000
_DEEPEST = 64
_MOST_PROBLEMS = 32  # as many as of an event's own fields
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
_DATA = ("enum", "const", "default", "examples", "example")
_ELSEWHERE = ("$dynamicRef", "$recursiveRef")
_MOST_REGEX = 1024 * 1024  # bytes of a compiled pattern
_DIALECTS = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")
SCHEMA_VIOLATION = "schema_violation"
OURS = "InvocationEvent"
"""The title of our own."""


class BreaksSchemaError(Exception):
    """A value that its schema does not allow. The problems show no value."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("not as its schema says")
        self.problems = problems


class JsonSchema:
    """A compiled schema."""

    def __init__(self, text: str) -> None:
        """Raises UnsafeSchemaError for what is no JSON Schema, or not within bounds."""
        from jsonschema_rs import RegexOptions, validator_for  # 15 MB that nobody without JSON needs in memory

        schema = _vetted(text)
        title = schema.get("title")
        self.title: str | None = title if isinstance(title, str) else None
        patterns = RegexOptions(size_limit=_MOST_REGEX)
        try:
            self._validator = validator_for(schema, offline=True, validate_formats=False, pattern_options=patterns)
            self.type: Type = type_of(schema, _Walk(schema).target)
        except UnsafeSchemaError:
            raise
        except (ValueError, TypeError) as error:  # among them what the library calls a ValidationError
            raise UnsafeSchemaError(f"no JSON Schema that can be used ({type(error).__name__})") from None

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raises BreaksSchemaError."""
        if not self._validator.is_valid(fields):
            errors = islice(self._validator.iter_errors(fields), _MOST_PROBLEMS)
            raise BreaksSchemaError(tuple(_problem(error, fields) for error in errors))


def _problem(error: ValidationError, fields: Mapping[str, Any]) -> Problem:
    value: Any = fields
    path: list[str] = []
    for step in map(str, error.instance_path):  # the library makes a number of a name out of digits
        if isinstance(value, dict) and step in value:
            path.append(safe_name(step, list(value).index(step) + 1))
            value = value[step]
        else:
            index = int(step) if step.isdecimal() and isinstance(value, list) and int(step) < len(value) else None
            path.append("[?]" if index is None else f"[{index}]")
            value = None if index is None else value[index]
    missing = getattr(error.kind, "property", None)
    if error.kind.name == "required" and isinstance(missing, str):
        path.append(safe_name(missing, 1))
        return Problem(SCHEMA_VIOLATION, ".".join(path), "absent, against required", _REMEDY)
    return Problem(
        SCHEMA_VIOLATION, ".".join(path) or "value", f"{shape(error.instance)}, against {error.kind.name}", _REMEDY
    )


def _vetted(text: str) -> dict[str, Any]:
    if len(text) > _MOST_TEXT:
        raise UnsafeSchemaError(f"longer than {_MOST_TEXT} characters")
    try:
        schema = load_json(text)
        if not isinstance(schema, dict):
            raise UnsafeSchemaError("no JSON Schema of objects")
        dialect = schema.get("$schema")
        if dialect is not None and not (isinstance(dialect, str) and any(name in dialect for name in _DIALECTS)):
            raise UnsafeSchemaError("a JSON Schema of another draft than 4, 6, 7, 2019-09 and 2020-12")
        _Walk(schema).weigh(schema, 0)
    except (ValueError, RecursionError) as error:
        raise UnsafeSchemaError("not JSON, or nested too deeply") from error
    return schema


class _Walk:
    """Counts every part, with each use of a definition in full: such uses can multiply at every level."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def weigh(self, schema: Any, depth: int) -> int:
        if depth > _DEEPEST:
            raise UnsafeSchemaError("nested too deeply")
        match schema:
            case list():
                return _bounded(1 + sum(self.weigh(item, depth + 1) for item in schema))
            case dict():
                return _bounded(1 + sum(self._keyword(name, part, depth) for name, part in schema.items()))
        return 1

    def _keyword(self, name: str, part: Any, depth: int) -> int:
        if name in _ELSEWHERE or (name in ("$id", "id") and depth):
            raise UnsafeSchemaError("a JSON Schema with dynamic references, or with schemas of other names within")
        if name == "$ref":
            return self._used(part, depth)
        if name in _NAMED and isinstance(part, dict):
            return 1 + sum(self.weigh(inner, depth + 1) for inner in part.values())
        return 1 if name in _DATA else self.weigh(part, depth + 1)

    def _used(self, reference: Any, depth: int) -> int:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise UnsafeSchemaError("a reference to another schema, or to itself as a whole")
        if reference in self._open:
            raise UnsafeSchemaError("recursive")
        if reference not in self._known:
            self._open.add(reference)
            self._known[reference] = self.weigh(self.target(reference), depth + 1)
            self._open.remove(reference)
        return self._known[reference]

    def target(self, reference: str) -> Any:
        """What a reference means. Raises UnsafeSchemaError."""
        found: Any = self._root
        for step in _steps(reference):
            found = found.get(step) if isinstance(found, dict) else None
        if not isinstance(found, dict | bool):
            raise UnsafeSchemaError("a reference to what it does not define")
        return found


def _steps(reference: str) -> Iterator[str]:
    if "%" in reference:
        raise UnsafeSchemaError("a reference with escapes")
    for step in reference[2:].split("/"):
        yield step.replace("~1", "/").replace("~0", "~")


def _bounded(weight: int) -> int:
    if weight > _MOST_NODES:
        raise UnsafeSchemaError(f"more than {_MOST_NODES} parts")
    return weight


_REMEDY = "write it as its JSON Schema says, or correct the schema"
