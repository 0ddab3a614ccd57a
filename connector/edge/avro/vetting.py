"""A writer's schema, vetted before any byte is decoded with it. It comes from outside, and so do the bytes.

A hostile or broken one can cost a library all memory, endless time, or the process itself. So what is left here is a
plain tree in which every byte of a value costs a bounded number of steps: no recursion, nothing without size inside an
array or map, and no aliases or defaults, which a writer's schema does not need to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from connector.edge.avro.logical import logical_of
from connector.edge.avro.schema_text import load_json

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_MOST_TEXT = 256 * 1024  # characters; ours has 2,500
_MOST_NODES = 10_000  # with every use of a named type counted in full: such uses can multiply at every level
_DEEPEST = 32
_LARGEST_FIXED = 64 * 1024  # bytes
# The specification has names in ASCII; Java takes and writes the letters and digits of any script.
_SIMPLE_NAME = re.compile(r"[^\W\d]\w{0,254}").fullmatch
_FULL_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*){0,20}").fullmatch
_LOGICAL_PARTS = ("logicalType", "precision", "scale")

Tree = str | dict[str, Any] | list[Any]


class UnsafeSchemaError(Exception):
    """A schema that cannot be used. Its text says what is wrong and repeats nothing of the schema."""


class NoRecordError(UnsafeSchemaError):
    """A schema of something else than a record, such as an enum that others use."""

    def __init__(self, tree: Tree = "") -> None:
        super().__init__("a union of types, and not one record" if isinstance(tree, list) else "not a record")


class _Weight(NamedTuple):
    nodes: int
    sizeless: bool  # some part takes no byte of the value, and is not a union's branch, which takes one


_LEAF = _Weight(1, sizeless=False)


class _Referenced(NamedTuple):
    """A named type of a referenced schema, and the namespace that it is defined in."""

    given: dict[str, Any]
    namespace: str


def vet(text: str | bytes, referenced: Iterable[str | bytes] = ()) -> dict[str, Any]:
    """Return the record schema of a text as a plain, self-contained tree.

    `referenced` are the texts of named schemas that it uses without defining them (a registry's references).
    Raises UnsafeSchemaError for anything that is not a well-formed record schema or not within bounds.
    """
    try:
        walk = _Walk(_load(other) for other in referenced)
        tree, _ = walk.schema(_load(text), "", 0)
    except RecursionError as error:
        raise UnsafeSchemaError("nested too deeply") from error
    if not isinstance(tree, dict) or tree["type"] != "record":
        raise NoRecordError(tree)
    return tree


def _load(text: str | bytes) -> Any:
    if len(text) > _MOST_TEXT:
        raise UnsafeSchemaError(f"longer than {_MOST_TEXT} characters")
    try:
        return load_json(text)
    except ValueError as error:
        raise UnsafeSchemaError("not JSON") from error


class _Walk:
    def __init__(self, referenced: Iterable[Any]) -> None:
        self._referenced: dict[str, _Referenced] = {}
        for other in referenced:
            self._remember(other, "", 0)
        self._known: dict[str, _Weight] = {}
        self._open: set[str] = set()

    def schema(self, given: Any, namespace: str, depth: int) -> tuple[Tree, _Weight]:
        if depth > _DEEPEST:
            raise UnsafeSchemaError("nested too deeply")
        match given:
            case str() if given in PRIMITIVES:
                return given, _Weight(1, sizeless=given == "null")
            case str():
                return self._used(given, namespace, depth)
            case list():
                return self._union(given, namespace, depth)
            case {"type": "array" | "map" as kind}:
                return self._repeated(kind, given, namespace, depth)
            case {"type": "record" | "enum" | "fixed" as kind}:
                return self._named(kind, given, namespace, depth)
            case {"type": str() as inner} if inner in PRIMITIVES and logical_of(given) is not None:
                return {"type": inner, **_logical_parts(given)}, _LEAF
            case {"type": (str() | dict() | list()) as inner}:
                return self.schema(inner, namespace, depth + 1)
        raise UnsafeSchemaError("not a type")

    def _remember(self, given: Any, namespace: str, depth: int) -> None:
        """Note every named type of a referenced schema, also those within: each can be used without the others."""
        if depth > _DEEPEST:
            raise UnsafeSchemaError("nested too deeply")
        match given:
            case list():
                for branch in given:
                    self._remember(branch, namespace, depth + 1)
            case {"type": "record" | "enum" | "fixed" as kind}:
                name = _name_of(given, namespace)
                self._referenced.setdefault(name, _Referenced(given, namespace))
                fields = given.get("fields") if kind == "record" else None
                for field in fields if isinstance(fields, list) else ():
                    if isinstance(field, dict):
                        self._remember(field.get("type"), name.rpartition(".")[0], depth + 1)
            case {"type": "array", "items": inner} | {"type": "map", "values": inner} | {"type": inner}:
                self._remember(inner, namespace, depth + 1)

    def _used(self, name: str, namespace: str, depth: int) -> tuple[Tree, _Weight]:
        in_namespace = [f"{namespace}.{name}"] if namespace and "." not in name else []
        for full in (*in_namespace, name):  # Java's toString() leaves a type without a namespace as it is, anywhere
            if full in self._open:
                raise UnsafeSchemaError("recursive")
            if full in self._known:
                return _spelt(full), self._known[full]
            if full in self._referenced:
                return self.schema(*self._referenced[full], depth + 1)
        raise UnsafeSchemaError("uses a type that it does not define")

    def _union(self, branches: list[Any], namespace: str, depth: int) -> tuple[Tree, _Weight]:
        if not branches or any(isinstance(branch, list) for branch in branches):
            raise UnsafeSchemaError("a union without branches, or in a union")
        trees, weights = zip(*(self.schema(branch, namespace, depth + 1) for branch in branches), strict=True)
        inner = [weight.sizeless and tree != "null" for tree, weight in zip(trees, weights, strict=True)]
        return list(trees), _bounded(1 + sum(weight.nodes for weight in weights), any(inner))

    def _repeated(self, kind: str, given: Mapping[str, Any], namespace: str, depth: int) -> tuple[Tree, _Weight]:
        inside = "items" if kind == "array" else "values"
        tree, weight = self.schema(given.get(inside), namespace, depth + 1)
        if weight.sizeless:
            raise UnsafeSchemaError("an array or map of what takes no bytes")
        return {"type": kind, inside: tree}, _bounded(1 + weight.nodes, sizeless=False)

    def _named(self, kind: str, given: Mapping[str, Any], namespace: str, depth: int) -> tuple[Tree, _Weight]:
        name = _name_of(given, namespace)
        if name in self._known and name in self._referenced and self._referenced[name].given == given:
            return _spelt(name), self._known[name]  # used before the referenced type that it is defined in
        if name in self._known or name in self._open:
            raise UnsafeSchemaError("a type defined twice")
        self._open.add(name)
        tree, weight = self._defined(kind, given, name.rpartition(".")[0], depth)
        self._open.remove(name)
        self._known[name] = weight
        return {"type": kind, "name": _spelt(name) if depth else name, **tree}, weight

    def _defined(
        self, kind: str, given: Mapping[str, Any], namespace: str, depth: int
    ) -> tuple[dict[str, Any], _Weight]:
        match kind, given:
            case "fixed", {"size": int(size)} if type(size) is int and 0 <= size <= _LARGEST_FIXED:
                return {"size": size, **_logical_parts(given)}, _Weight(1, sizeless=size == 0)
            case "enum", {"symbols": [*symbols]} if symbols and all(map(_is_simple_name, symbols)):
                if len(symbols) > _MOST_NODES or len(set(symbols)) < len(symbols):
                    raise UnsafeSchemaError("an enum with too many symbols, or the same twice")
                return {"symbols": symbols}, _LEAF
            case "record", {"fields": [*fields]}:
                return self._fields(fields, namespace, depth)
        raise UnsafeSchemaError(f"{kind} without its parts, or out of bounds")

    def _fields(self, fields: list[Any], namespace: str, depth: int) -> tuple[dict[str, Any], _Weight]:
        trees: dict[str, dict[str, Any]] = {}
        nodes, sizeless = 1, not fields
        for field in fields:
            name = field.get("name") if isinstance(field, dict) else None
            if not isinstance(name, str) or not _SIMPLE_NAME(name) or name in trees:
                raise UnsafeSchemaError("a field without a name, or with that of another")
            tree, weight = self.schema(field.get("type"), namespace, depth + 1)
            trees[name] = {"name": name, "type": tree}
            nodes, sizeless = nodes + weight.nodes, sizeless or weight.sizeless
        return {"fields": list(trees.values())}, _bounded(nodes, sizeless)


def _spelt(name: str) -> str:
    """A full name as the plain tree has it: fastavro would take one without a namespace for one in that around it."""
    return name if "." in name else f"no_namespace.{name}"


def _bounded(nodes: int, sizeless: bool) -> _Weight:
    if nodes > _MOST_NODES:
        raise UnsafeSchemaError(f"more than {_MOST_NODES} parts")
    return _Weight(nodes, sizeless)


def _logical_parts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a schema says of its logical type, where that is one to Avro's readers."""
    known = logical_of(given) is not None
    return {name: given[name] for name in _LOGICAL_PARTS if name in given} if known else {}


def _is_simple_name(name: object) -> bool:
    return isinstance(name, str) and _SIMPLE_NAME(name) is not None


def _name_of(given: Mapping[str, Any], namespace: str) -> str:
    """The full name of a named type (Avro specification, "Names"). Raises UnsafeSchemaError for what is none."""
    name, own = given.get("name"), given.get("namespace", namespace)
    if not isinstance(name, str) or not (own is None or isinstance(own, str)):
        raise UnsafeSchemaError("a type without a name")
    full = f"{own}.{name}" if own and "." not in name else name
    if not _FULL_NAME(full) or len(full) > 512 or full in PRIMITIVES:
        raise UnsafeSchemaError("a type with a name that is none")
    return full
