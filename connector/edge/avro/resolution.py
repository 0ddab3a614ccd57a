"""How values of a writer's schema become values of ours: Avro's schema resolution, and each difference by its field.

Both schemas are vetted trees. A logical type that ours does not have at its place is no number: where ours takes a
string beside other things, as variables do, it is written out; elsewhere it does not resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connector.core.redact import safe_name
from connector.edge.avro import complex_types, skipping
from connector.edge.avro.decoding import BYTES, READERS, STRING, TypeReader
from connector.edge.avro.logical import can_be_text, logical_of
from connector.edge.avro.skipping import Skip
from connector.edge.avro.vetting import PRIMITIVES, Tree

_PROMOTIONS: Mapping[tuple[str, str], type[float] | None] = {
    ("int", "long"): None,
    ("int", "float"): float,
    ("int", "double"): float,
    ("long", "float"): float,
    ("long", "double"): float,
    ("float", "double"): None,
}
_NAMED = ("record", "enum", "fixed")


class IncompatibleError(Exception):
    """A schema, or one value's branch of it, that does not resolve into ours: names field and types, shows no value."""


class Resolution:
    """A writer's schema resolved into ours: `reader` reads an event.

    `partly` says which branches of it cannot be read, `written_out` which values become text for their logical type.
    """

    def __init__(self, writer: Mapping[str, Any], reader: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """`defaults` are those of our fields. Raises IncompatibleError where no value could be read."""
        self._written = dict(named_types(writer))
        self._ours = dict(named_types(reader))
        self._defaults = defaults
        self.partly: list[str] = []
        self.written_out: list[str] = []
        self.reader = self._record(writer, reader, "", defaults)

    def _reader(self, writer: Tree, reader: Tree, path: str) -> TypeReader:
        writer, reader = defined(writer, self._written), defined(reader, self._ours)
        if isinstance(writer, list):
            return self._from_union(writer, reader, path)
        if isinstance(reader, list):
            return self._into_union(writer, reader, path)
        kind, wanted = kind_of(writer), kind_of(reader)
        if kind != wanted:
            return self._promoted(writer, reader, path)
        self._same_meaning(writer, reader, path)
        match writer, reader:
            case {"values": inside}, {"values": wanted_inside}:
                return complex_types.Map(self._reader(inside, wanted_inside, _inside(path, "*")))
            case {"items": inside}, {"items": wanted_inside}:
                return complex_types.Array(self._reader(inside, wanted_inside, _inside(path, "[]")))
            case {"fields": _}, {"fields": _}:
                return self._record(writer, reader, path, {})
            case {"symbols": symbols}, {"symbols": wanted_symbols}:
                if not set(symbols) <= set(wanted_symbols):
                    raise IncompatibleError(f"{path}: an enum with symbols that ours does not have")
        return plain(writer)

    def _record(self, writer: Any, reader: Any, path: str, defaults: Mapping[str, Any]) -> TypeReader:
        if simple_name(writer["name"]) != simple_name(reader["name"]):  # namespaces may differ
            raise IncompatibleError(_inside(path, f"record {_shown(writer['name'])} is not {reader['name']}", ": "))
        wanted = {field["name"]: field["type"] for field in reader["fields"]}
        written = {field["name"] for field in writer["fields"]}
        if missing := [name for name in wanted if name not in written and name not in defaults]:
            raise IncompatibleError(f"{_inside(path, missing[0])}: not written, and has no default")
        steps: list[tuple[str | None, TypeReader]] = []
        for field in writer["fields"]:
            name = field["name"]
            if name in wanted:
                steps.append((name, self._reader(field["type"], wanted[name], _inside(path, name))))
            else:
                steps.extend((None, skipping.Skipped(skip)) for skip in self.skips(field["type"]))
        return complex_types.Record(steps, {name: defaults[name] for name in wanted if name not in written})

    def _from_union(self, writer: list[Any], reader: Tree, path: str) -> TypeReader:
        branches: list[TypeReader] = []
        fitting = 0
        failed: list[IncompatibleError] = []
        nulls: list[IncompatibleError] = []
        for branch in writer:
            try:
                branches.append(self._reader(branch, reader, path))
                fitting += kind_of(branch) != "null"
            except IncompatibleError as error:
                branches.append(complex_types.Failing(IncompatibleError, str(error)))
                (nulls if kind_of(branch) == "null" else failed).append(error)
        if failed and not fitting:
            one = len(failed) == 1
            raise failed[0] if one else IncompatibleError(f"{path}: {shown_type(writer)} is not {shown_type(reader)}")
        self.partly.extend(map(str, nulls + failed))
        return complex_types.Union(branches)

    def _into_union(self, writer: Any, reader: list[Any], path: str) -> TypeReader:
        kind, logical = kind_of(writer), logical_of(writer) if isinstance(writer, dict) else None
        failed: IncompatibleError | None = None
        for branch in (branch for branch in reader if kind_of(defined(branch, self._ours)) == kind):
            try:
                return self._reader(writer, branch, path)
            except IncompatibleError as error:
                failed = error
        if logical is not None:
            if can_be_text(logical) and "string" in reader:
                self.written_out.append(f"{path}: {shown_type(writer)}, scale {writer.get('scale', 0)}")
                return complex_types.Converted(plain(writer), logical.text)
            raise IncompatibleError(f"{path}: {shown_type(writer)} is not {shown_type(reader)}")
        for branch in reader if failed is None else ():
            try:
                return self._promoted(writer, branch, path)
            except IncompatibleError:
                continue
        raise failed or IncompatibleError(f"{path}: {shown_type(writer)} is not {shown_type(reader)}")

    def _promoted(self, writer: Any, reader: Any, path: str) -> TypeReader:
        kind, wanted = kind_of(writer), kind_of(reader)
        if (kind, wanted) in _PROMOTIONS:
            self._same_meaning(writer, reader, path)
            convert = _PROMOTIONS[kind, wanted]
            return plain(kind) if convert is None else complex_types.Converted(plain(kind), convert)
        if (kind, wanted) == ("bytes", "string"):
            self._same_meaning(writer, reader, path)
            return STRING
        if (kind, wanted) == ("string", "bytes"):
            return BYTES
        raise IncompatibleError(f"{path}: {shown_type(writer)} is not {shown_type(reader)}")

    def _same_meaning(self, writer: Any, reader: Any, path: str) -> None:
        """A writer that says nothing of its numbers means ours; an UUID is the text that it is."""
        given = logical_of(writer) if isinstance(writer, dict) else None
        ours = logical_of(reader) if isinstance(reader, dict) else None
        if given is None or (ours is not None and given.name == ours.name) or kind_of(writer) == "string":
            return
        raise IncompatibleError(f"{path}: {shown_type(writer)} is not {shown_type(reader)}")

    def skips(self, writer: Tree) -> list[Skip]:
        """What takes a value away. Records are flattened, so that a byte costs few steps however deep it lies."""
        schema: Any = defined(writer, self._written)
        match schema:
            case {"fields": fields}:
                return [skip for field in fields for skip in self.skips(field["type"])]
            case {"symbols": symbols}:
                return [skipping.SkipEnum(len(symbols))]
            case {"size": size}:
                return [skipping.SkipBytes(size)]
            case {"items": inside}:
                return [skipping.SkipBlocks(self.skips(inside))]
            case {"values": inside}:
                return [skipping.SkipBlocks([skipping.SKIPS["string"], *self.skips(inside)])]
            case list(branches):
                return [skipping.SkipUnion([skipping.one_skip(self.skips(branch)) for branch in branches])]
        return [skipping.SKIPS[kind_of(schema)]] if schema != "null" else []


def fields_of(writer: Mapping[str, Any]) -> list[tuple[str, Tree, Skip]]:
    """The fields of a writer's vetted record: name, schema, and what passes over a value of it."""
    skips = skipper_of(writer)
    named = dict(named_types(writer))
    return [
        (field["name"], defined(field["type"], named), skipping.one_skip(skips(field["type"])))
        for field in writer["fields"]
    ]


def kind_of(schema: Tree) -> str:
    """The type of a schema, such as "long" or "record"."""
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


def skipper_of(writer: Mapping[str, Any]) -> Callable[[Tree], list[Skip]]:
    """What says how values of a vetted writer's types are passed over."""
    return Resolution(writer, {**writer, "fields": []}, {}).skips


def defined(schema: Any, named: Mapping[str, Any]) -> Any:
    """A type, also where only its name stands."""
    return named.get(schema, schema) if isinstance(schema, str) else schema


def plain(schema: Any) -> TypeReader:
    """What reads a simple value as it is on the wire."""
    match schema:
        case {"symbols": symbols}:
            return complex_types.Enum(symbols)
        case {"size": size}:
            return complex_types.Fixed(size)
    return READERS[kind_of(schema)]


def named_types(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record, enum and fixed that a vetted schema defines, by the name that it is used by."""
    match schema:
        case list():
            for branch in schema:
                yield from named_types(branch)
        case {"items": inside} | {"values": inside}:
            yield from named_types(inside)
        case {"type": str(kind), "name": str(name)} if kind in _NAMED:
            yield name, schema
            for field in schema.get("fields", ()):
                yield from named_types(field["type"])


def shown_type(schema: Any) -> str:
    """A type as a text that repeats none of a writer's names but those that can hold no phone number."""
    match schema:
        case list():
            return f"[{', '.join(map(shown_type, schema))}]"
        case {"values": inside}:
            return f"map of {shown_type(inside)}"
        case {"items": inside}:
            return f"array of {shown_type(inside)}"
        case {"type": str(kind), "name": str(name)}:
            return f"{kind} {_shown(name)}{_logical_name(schema)}"
        case dict():
            return f"{kind_of(schema)}{_logical_name(schema)}"
    return str(schema) if schema in PRIMITIVES else _shown(schema)


def _logical_name(schema: Mapping[str, Any]) -> str:
    logical = logical_of(schema)
    return "" if logical is None else f" ({logical.name})"


def _shown(name: str) -> str:
    return safe_name(name, 1) if safe_name(name, 1) == name else "of another name"


def simple_name(name: str) -> str:
    """A full name without its namespace."""
    return name.rpartition(".")[2]


def _inside(path: str, name: str, joint: str = ".") -> str:
    return f"{path}{joint}{name}" if path else name
