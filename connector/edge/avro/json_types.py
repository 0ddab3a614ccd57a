"""What a JSON Schema says can stand at each place, for a mapping: it is checked against it at start.

Fields that an object's schema does not list are as if they were not there, though JSON Schema lets them pass: a path
that names one is a slip far more often than meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connector.core.mapping.types import ANYTHING, Branch, Fields, Items, Kind, Leaf, Type, Values, distinct

Target = Callable[[str], Any]
"""What a reference means."""

_SIMPLE = {
    "string": (Leaf(Kind.TEXT),),
    "integer": (Leaf(Kind.INTEGER),),
    "number": (Leaf(Kind.DOUBLE), Leaf(Kind.INTEGER)),
    "boolean": (Leaf(Kind.BOOLEAN),),
}
_NOT_FOLLOWED = ("allOf", "if", "not", "dependentSchemas", "dependencies")  # they narrow down what else is said


def type_of(schema: Any, target: Target) -> Type:
    """The type of a vetted schema's values: its references end."""
    if not isinstance(schema, dict) or any(name in schema for name in _NOT_FOLLOWED):
        return ANYTHING
    if "$ref" in schema:
        return type_of(target(schema["$ref"]), target)
    if isinstance(choice := schema.get("anyOf", schema.get("oneOf")), list):
        return _united([type_of(each, target) for each in choice])
    symbols = _texts(schema)
    if "type" not in schema:
        return ANYTHING if symbols is None else Type((Leaf(Kind.TEXT, symbols),), nullable=False, shown="text")
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return _united([_of_kind(kind, schema, symbols, target) for kind in kinds])


def _of_kind(kind: Any, schema: Mapping[str, Any], symbols: frozenset[str] | None, target: Target) -> Type:
    branches: tuple[Branch, ...]
    match kind:
        case "null":
            return Type((), nullable=True, shown="null")
        case "object":
            branches = _object(schema, target)
        case "array":
            items = schema.get("items")
            branches = (Items(type_of(items, target) if isinstance(items, dict) else ANYTHING),)
        case "string":
            branches = (Leaf(Kind.TEXT, symbols),)
        case _:
            branches = _SIMPLE.get(kind, ANYTHING.branches) if isinstance(kind, str) else ANYTHING.branches
    return Type(branches, nullable=False, shown=kind if isinstance(kind, str) and kind in _SHOWN else "unknown")


def _object(schema: Mapping[str, Any], target: Target) -> tuple[Branch, ...]:
    given, more = schema.get("properties"), schema.get("additionalProperties")
    others = Values(type_of(more, target) if isinstance(more, dict) else ANYTHING)
    if not isinstance(given, dict):
        return (others,)
    required = schema.get("required")
    needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    fields = Fields(
        {
            name: found if name in needed else found._replace(nullable=True)
            for name, found in ((name, type_of(part, target)) for name, part in given.items())
        }
    )
    is_open = isinstance(more, dict) or more is True or "patternProperties" in schema
    return (fields, others) if is_open else (fields,)


def _united(types: Iterable[Type]) -> Type:
    found = list(types)
    return Type(
        distinct(branch for each in found for branch in each.branches),
        any(each.nullable for each in found),
        " or ".join(distinct(each.shown for each in found)),
    )


def _texts(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """All the texts that it can be, where it lists nothing else."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return frozenset(values)
    return None


_SHOWN = ("null", "object", "array", *_SIMPLE)
