"""A mapping as data: for each kind of event, where each field of ours comes from. Read from settings, checked later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from typing_extensions import override

from connector.core.mapping.paths import Path
from connector.core.mapping.steps import Scalar, Step


class From(NamedTuple):
    """The value at a path. `optional`: a schema may lack it, and it is null then."""

    path: Path
    optional: bool = False


class Constant(NamedTuple):
    """The same for every event; null only as a default."""

    value: Scalar | None


class Join(NamedTuple):
    """The texts of all parts that are not null. `complete`: null if one of them is, or has nothing but spaces.
    `dialled`: it is made into a phone number, so that no part may be a number to compute with."""

    parts: tuple[Source, ...]
    separator: str = ""
    complete: bool = False
    dialled: bool = False


class First(NamedTuple):
    """The first part that is not null."""

    parts: tuple[Source, ...]


class Source(NamedTuple):
    """Where a field comes from, what is done to it then, and what it is where that is null."""

    origin: From | Constant | Join | First
    then: tuple[Step, ...] = ()
    default: Constant | None = None


class Condition(NamedTuple):
    """What must hold of the value at a path: that it is one of these, none of these, there, or not there, or another
    than that at `differs_from`. What is null is none of any values."""

    path: Path
    one_of: tuple[Scalar, ...] | None = None
    none_of: tuple[Scalar, ...] | None = None
    present: bool | None = None
    differs_from: Path | None = None

    @override
    def __str__(self) -> str:
        if self.differs_from is not None:
            return f"{self.path} differs from {self.differs_from}"
        if self.present is not None:
            return f"{self.path} is {'there' if self.present else 'not there'}"
        values = self.one_of if self.one_of is not None else self.none_of or ()
        return f"{self.path} is {'' if self.one_of is not None else 'not '}{' or '.join(map(str, values))}"


class Event(NamedTuple):
    """One kind of event. `schema`: the full name of its writer's record, None for what has none; `json`: paths whose
    text holds JSON, to be looked into; `sources`: by the path of our field, such as `variables.session.gate`."""

    schema: str | None
    when: tuple[Condition, ...]
    json: tuple[Path, ...]
    sources: Mapping[str, Source]

    @override
    def __str__(self) -> str:
        name = self.schema or "events without a schema"
        return f"{name} when {' and '.join(map(str, self.when))}" if self.when else name


class Rules(NamedTuple):
    """The whole mapping. `skips_others`: what none of the events takes is passed over, else it is a dead letter.
    `holds_misfits`: records of a schema that the mapping does not fit wait for somebody, else they are dead letters."""

    events: tuple[Event, ...]
    skips_others: bool = False
    holds_misfits: bool = True

    def of_schema(self, name: str | None) -> tuple[Event, ...]:
        """The events that are written with this schema, in their order."""
        return tuple(event for event in self.events if event.schema == name)

    def namesake(self, name: str | None) -> str | None:
        """The schema of an event that a schema of this name may be a new version of: its last part is the same.

        None where an event has the name itself. Of names that serve for any table the part before counts, too.
        """
        schemas = [event.schema for event in self.events if event.schema is not None]
        if name is None or name in schemas:
            return None
        return next((schema for schema in schemas if _last_part(schema) == _last_part(name)), None)


_FOR_ANY_TABLE = ("Envelope", "Value", "Key")  # Debezium's


def _last_part(name: str) -> str:
    before, _, last = name.rpartition(".")
    return f"{before.rpartition('.')[2]}.{last}" if last in _FOR_ANY_TABLE else last


def completed(source: Source) -> Source:
    """The source of a field that every event needs: half of a number or of an id is another one, so that a join which
    lacks a part is null."""
    match source.origin:
        case Join():
            return source._replace(origin=source.origin._replace(complete=True))
        case First(parts):
            return source._replace(origin=First(tuple(map(completed, parts))))
        case _:
            return source


def dialled(source: Source) -> Source:
    """The source of a phone number: its joins look at each part."""
    match source.origin:
        case Join(parts):
            return source._replace(origin=source.origin._replace(parts=tuple(map(dialled, parts)), dialled=True))
        case First(parts):
            return source._replace(origin=First(tuple(map(dialled, parts))))
        case _:
            return source


def constants(source: Source) -> Iterator[Scalar | None]:
    """What can come out as it stands in the mapping."""
    if isinstance(source.origin, Constant) and not source.then:
        yield source.origin.value
    if isinstance(source.origin, First) and not source.then:
        for part in source.origin.parts:
            yield from constants(part)
    if source.then and source.then[-1].table is not None:
        yield from source.then[-1].table.values()
    if source.default is not None:
        yield source.default.value


def stands_in(source: Source) -> bool:
    """Whether it has a value for an event that says none: a constant, or a default."""
    if source.default is not None and source.default.value is not None:
        return True
    match source.origin:
        case Constant():
            return True
        case First(parts):
            return any(map(stands_in, parts))
        case Join(parts):
            return all(map(stands_in, parts))
        case _:
            return False


def paths_of(event: Event) -> Iterator[Path]:
    """Every path into the producer's event that an event of the mapping names."""
    asked = (path for each in event.when for path in (each.path, each.differs_from) if path is not None)
    for path in (*event.json, *asked, *_in_sources(event.sources.values())):
        if path.around is None:
            yield path


def _in_sources(sources: Iterable[Source]) -> Iterator[Path]:
    for source in sources:
        origin = source.origin
        if isinstance(origin, From):
            yield origin.path
        elif isinstance(origin, Join | First):
            yield from _in_sources(origin.parts)
        yield from (step.other for step in source.then if step.other is not None)
