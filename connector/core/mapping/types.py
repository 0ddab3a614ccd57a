"""What can stand at a place of a producer's event, whatever format it is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple, TypeVar

from connector.core.redact import safe_name

_T = TypeVar("_T")


class Where(NamedTuple):
    """The first item of an array whose field is this text."""

    field: str
    value: str


Part = str | int | Where
"""A field or a map's key; or the place of an item, from 0, or which one it is."""


class Kind(StrEnum):
    """A simple value. A TIME is a whole number of ms since the epoch, and is known to be one."""

    TEXT = "text"
    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    TIME = "time"


class Leaf(NamedTuple):
    """A simple value. `symbols`: all the texts that it can be. `is_local`: a date, or a time, that never has a zone."""

    kind: Kind
    symbols: frozenset[str] | None = None
    is_local: bool = False


class Fields(NamedTuple):
    """A record."""

    fields: Mapping[str, Type]


class Values(NamedTuple):
    """A map, by the type of its values."""

    of: Type


class Items(NamedTuple):
    """An array, by the type of its items."""

    of: Type


class Anything(NamedTuple):
    """No schema says what it is: it is looked at when it comes."""


Branch = Leaf | Fields | Values | Items | Anything


class Type(NamedTuple):
    """All that can be there, as the branches of a union; `shown` as the schema says it."""

    branches: tuple[Branch, ...]
    nullable: bool
    shown: str

    @property
    def is_unknown(self) -> bool:
        """Whether it has to be looked at when it comes."""
        return any(isinstance(branch, Anything) for branch in self.branches)

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of simple values."""
        return frozenset(branch.kind for branch in self.branches if isinstance(branch, Leaf))

    @property
    def is_local(self) -> bool:
        """Whether it can be nothing but dates and times without a zone."""
        return bool(self.branches) and all(isinstance(each, Leaf) and each.is_local for each in self.branches)

    @property
    def is_simple(self) -> bool:
        """Whether nothing but simple values, and what is not known, can be there."""
        return all(isinstance(branch, Leaf | Anything) for branch in self.branches)


ANYTHING = Type((Anything(),), nullable=True, shown="unknown before it comes")


def leaf(kind: Kind, shown: str | None = None, *, nullable: bool = False) -> Type:
    """The type of a simple value."""
    return Type((Leaf(kind),), nullable, shown or kind.value)


def resolved(whole: Type, parts: Sequence[Part], texts: frozenset[tuple[Part, ...]] = frozenset()) -> Type | str:
    """The type at a path, or why there is none, for a person.

    `texts` are paths whose text holds JSON: nothing is known of what it says.
    """
    here = whole
    for place, part in enumerate(parts):
        if tuple(parts[:place]) in texts:
            return ANYTHING
        if isinstance(part, Where) and (why := _unfindable(here, part)) is not None:
            return f"{_named(parts[:place])} {why}"
        found = [inner for branch in here.branches if (inner := _inside(branch, part)) is not None]
        if not found:
            return f"{_named(parts[:place])} {_lacks(here, part)}"
        # What is in no more than some branches is null in the others; and so is what is behind something nullable.
        nullable = here.nullable or len(found) < len(here.branches) or any(inner.nullable for inner in found)
        here = Type(
            distinct(branch for inner in found for branch in inner.branches),
            nullable,
            " or ".join(distinct(inner.shown for inner in found)),
        )
    return ANYTHING if tuple(parts) in texts else here


def distinct(each: Iterable[_T]) -> tuple[_T, ...]:
    """Each one once, in order; they need not be hashable."""
    found: list[_T] = []
    for one in each:
        if one not in found:
            found.append(one)
    return tuple(found)


def _inside(branch: Branch, part: Part) -> Type | None:
    match branch, part:
        case Fields(fields), str():
            return fields.get(part)
        case Values(of), str():
            return of._replace(nullable=True)  # a key may be missing in any map
        case Items(of), int() | Where():
            return of._replace(nullable=True)
        case Anything(), _:
            return ANYTHING
        case _:
            return None


def _lacks(here: Type, part: Part) -> str:
    names = [name for branch in here.branches if isinstance(branch, Fields) for name in branch.fields]
    if not names or not isinstance(part, str):
        return f"is {here.shown}, which has no {'fields' if isinstance(part, str) else 'items'}"
    return f"has no field {part}; {meant(part, names)}"


def _unfindable(here: Type, part: Where) -> str | None:
    """Why no item can be the one; None: some can, or nobody knows, or there are no items at all."""
    items = [branch.of for branch in here.branches if isinstance(branch, Items)]
    if here.is_unknown or not items or any(of.is_unknown for of in items):
        return None
    found = [inner for of in items for branch in of.branches if (inner := _inside(branch, part.field)) is not None]
    if not found:
        return f"has items, of which each {_lacks(items[0], part.field)}"
    texts = [each for inner in found for each in inner.branches if isinstance(each, Leaf) and each.kind is Kind.TEXT]
    if any(inner.is_unknown for inner in found):
        return None
    if not texts:
        return f"has items whose {part.field} is {found[0].shown}, and is compared with text"
    if all(each.symbols is not None and part.value not in each.symbols for each in texts):
        known = sorted(frozenset().union(*(each.symbols or () for each in texts)))
        return (
            f"has items whose {part.field} is {found[0].shown}, which has no {part.value}; {meant(part.value, known)}"
        )
    return None


def meant(name: str, known: Sequence[str]) -> str:
    """What to say of a name that a schema lacks: the one it has that is nearest, in either case, or those it has."""
    in_one_case = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), in_one_case, n=1, cutoff=0.5)
    if near:
        return f"did you mean {safe_name(in_one_case[near[0]], 1)}?"
    shown = [safe_name(each, place) for place, each in enumerate(known[:_MOST_NAMES], 1)]
    return f"it has {', '.join(shown)}{', …' if len(known) > _MOST_NAMES else ''}"


_MOST_NAMES = 12


def _named(parts: Sequence[Part]) -> str:
    return "".join(map(_written, parts)).removeprefix(".") or "it"


def _written(part: Part) -> str:
    if isinstance(part, Where):
        return f"[{part.field}={part.value}]"
    return f".{part}" if isinstance(part, str) else f"[{part}]"
