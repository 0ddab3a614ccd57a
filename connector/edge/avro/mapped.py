"""A producer's own schema, for a mapping: what its places can hold, and a plan that reads what the mapping uses of it.

Logical types are read as what they mean: timestamps as ms since the epoch, the others as text; what has no text stays
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connector.core.mapping.rules import Rules, paths_of
from connector.core.mapping.types import Fields, Items, Kind, Leaf, Part, Type, Values, Where, distinct
from connector.edge.avro import complex_types
from connector.edge.avro.decoding import TypeReader
from connector.edge.avro.logical import Logical, can_be_text, logical_of
from connector.edge.avro.resolution import defined, kind_of, named_types, plain, shown_type, skipper_of
from connector.edge.avro.skipping import Skip, Skipped, one_skip
from connector.edge.avro.vetting import Tree

Wanted = dict[Part, Any]
"""A tree of the parts of paths; empty: the value as a whole."""

_PAIR = 2
_KINDS = {
    "string": Kind.TEXT,
    "int": Kind.INTEGER,
    "long": Kind.INTEGER,
    "float": Kind.DOUBLE,
    "double": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "bytes": Kind.BYTES,
    "fixed": Kind.BYTES,
}
_TIMESTAMPS: Mapping[str, Callable[[int], int] | None] = {
    "timestamp-millis": None,
    "timestamp-micros": lambda value: value // 1_000,
    "timestamp-nanos": lambda value: value // 1_000_000,
}


def type_of(writer: Mapping[str, Any]) -> Type:
    """What can stand at each place of a vetted writer's record."""
    return _type(dict(writer), dict(named_types(writer)))


def wanted_of(rules: Rules, name: str) -> Wanted:
    """What the events of the mapping that are written with this schema name of it."""
    whole: Wanted = {}
    for parts in sorted({path.parts for event in rules.of_schema(name) for path in paths_of(event)}, key=len):
        here = whole
        for number, part in enumerate(parts, 1):
            if part in here and not here[part]:
                break  # it is wanted as a whole
            here = here.setdefault(part, {})
            if number == len(parts):
                here.clear()
            elif isinstance(part, Where):
                here.setdefault(part.field, {})  # by which the item is found
    return whole


def reader_of(writer: Mapping[str, Any], wanted: Wanted) -> TypeReader:
    """What reads the wanted parts of a vetted writer's record, as a dict, and passes over the others."""
    return _Plan(writer).record(writer, wanted)


def _type(schema: Tree, named: Mapping[str, Any]) -> Type:
    given: Any = defined(schema, named)
    shown = shown_type(given)
    match given:
        case "null":
            return Type((), nullable=True, shown=shown)
        case list(branches):
            types = [_type(branch, named) for branch in branches]
            if _is_mixed(branches, named):
                types = [_as_text(each) for each in types]
            inner = distinct(branch for each in types for branch in each.branches)
            return Type(inner, any(each.nullable for each in types), shown)
        case {"fields": fields}:
            return Type((Fields({each["name"]: _type(each["type"], named) for each in fields}),), False, shown)
        case {"values": inside}:
            return Type((Values(_type(inside, named)),), False, shown)
        case {"items": inside}:
            return Type((Items(_type(inside, named)),), False, shown)
        case {"symbols": symbols}:
            return Type((Leaf(Kind.TEXT, frozenset(symbols)),), False, shown)
    logical = logical_of(given) if isinstance(given, dict) else None
    if logical is None:
        return Type((Leaf(_KINDS[kind_of(given)]),), False, shown)
    if logical.name in _TIMESTAMPS:
        return Type((Leaf(Kind.TIME),), False, shown)
    is_local = logical.name == "date" or logical.name.startswith("local-timestamp")
    return Type((Leaf(Kind.TEXT if can_be_text(logical) else Kind.BYTES, is_local=is_local),), False, shown)


def _is_mixed(branches: Iterable[Tree], named: Mapping[str, Any]) -> bool:
    """Whether a union has timestamps and other numbers: then timestamps are read as text, to tell them apart."""
    given = [_type(branch, named) for branch in branches if not isinstance(branch, list)]
    kinds = frozenset().union(*(each.kinds for each in given))
    return {Kind.TIME, Kind.INTEGER} <= kinds


def _as_text(each: Type) -> Type:
    is_time = each.kinds == {Kind.TIME}
    return each._replace(branches=(Leaf(Kind.TEXT),)) if is_time else each


class _Plan:
    def __init__(self, writer: Mapping[str, Any]) -> None:
        self._named = dict(named_types(writer))
        self._skips = skipper_of(writer)

    def record(self, schema: Mapping[str, Any], wanted: Wanted) -> TypeReader:
        """Fields that stand together and are not wanted are passed over in one step."""
        steps: list[tuple[str | None, TypeReader]] = []
        unwanted: list[Skip] = []
        for field in schema["fields"]:
            name = field["name"]
            if wanted and name not in wanted:
                unwanted += self._skips(field["type"])
                continue
            _pass_over(unwanted, steps)
            steps.append((name, self._reader(field["type"], wanted.get(name, {}))))
        _pass_over(unwanted, steps)
        return complex_types.Record(steps, {})

    def _reader(self, schema: Tree, wanted: Wanted, *, mixed: bool = False) -> TypeReader:
        given: Any = defined(schema, self._named)
        match given:
            case list(branches):
                mixed = _is_mixed(branches, self._named)
                readers = [self._reader(branch, wanted, mixed=mixed) for branch in branches]
                usual = len(branches) == _PAIR and branches[0] == "null"
                return complex_types.Nullable(readers[1]) if usual else complex_types.Union(readers)
            case {"fields": _}:
                return self.record(given, wanted)
            case {"values": inside}:
                return complex_types.Map(self._reader(inside, _together(wanted.values())))
            case {"items": inside}:
                return complex_types.Array(self._reader(inside, _together(wanted.values())))
        if isinstance(given, dict) and (logical := logical_of(given)) is not None:
            return _meant(plain(given), logical, mixed=mixed)
        return plain(given)


def _pass_over(unwanted: list[Skip], steps: list[tuple[str | None, TypeReader]]) -> None:
    if unwanted:
        steps.append((None, Skipped(one_skip(unwanted))))
        unwanted.clear()


def _together(each: Iterable[Wanted]) -> Wanted:
    """What is wanted of any entry is read of all: a plan knows no keys."""
    whole: Wanted = {}
    for wanted in each:
        if not wanted:
            return {}
        for part, inner in wanted.items():
            whole[part] = _together((whole[part], inner)) if part in whole else inner
    return whole


def _meant(reader: TypeReader, logical: Logical, *, mixed: bool) -> TypeReader:
    if logical.name in _TIMESTAMPS and not mixed:
        convert = _TIMESTAMPS[logical.name]
        return reader if convert is None else complex_types.Converted(reader, convert)
    return complex_types.Converted(reader, logical.text) if can_be_text(logical) and logical.text is not str else reader
