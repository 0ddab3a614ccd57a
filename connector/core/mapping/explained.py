"""An event's way through a mapping, rule by rule, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from connector.core.mapping.chains import CHECK, Chain
from connector.core.mapping.compiled import Compiled, Test
from connector.core.mapping.errors import TOO_STRANGE, UnmappableError, strange
from connector.core.mapping.getters import Fields, FirstOf, Getter, Joined
from connector.core.record import Record


class Told(NamedTuple):
    """One thing that was done: what, how deep within joins, and what came out; or why nothing can."""

    says: str
    depth: int
    value: Any
    problem: UnmappableError | None = None


class Asked(NamedTuple):
    """A condition, what was there, and whether it holds. `is_symbol`: what was there is a symbol of an enum."""

    says: str
    value: Any
    holds: bool
    is_symbol: bool


class EventStory(NamedTuple):
    """One event of the mapping: what was asked, and if all holds, what each field of ours went through."""

    says: str
    asked: tuple[Asked, ...]
    fields: dict[str, tuple[Told, ...]] | None


def explained(compiled: Compiled, fields: Fields, record: Record) -> Iterator[EventStory]:
    """The events of the mapping that were looked at, the last of them the one that takes the record, if one does.

    JSON is opened, and asked, where all that is asked outside of it holds. A text that is none ends the story.
    """
    for event in compiled.events:
        says, inside = str(event.event), fields
        asked = tuple(_asked(event.tests, fields, record))
        if all(each.holds for each in asked):
            try:
                inside = event.opened(fields)
            except UnmappableError:
                yield EventStory(says, asked, None)
                return
            asked += tuple(_asked(event.tests_inside, inside, record))
        if all(each.holds for each in asked):
            told = {name: tuple(_told(chain, inside, record, 0)) for name, chain in event.chains.items()}
            yield EventStory(says, asked, told)
            return
        yield EventStory(says, asked, None)


def _asked(tests: Iterable[Test], fields: Fields, record: Record) -> Iterator[Asked]:
    for test in tests:
        value = test.getter.get(fields, record)
        is_symbol = type(value) is str and value in test.symbols
        yield Asked(str(test.condition), value, test.holds(fields, record), is_symbol)


def _told(chain: Chain, fields: Fields, record: Record, depth: int) -> Iterator[Told]:
    for number, part in enumerate(chain.parts):
        yield from _told(part, fields, record, depth + 1)
        if _is_last(chain.start, number, fields, record):
            break
    says = chain.says
    try:
        value = chain.start.get(fields, record)
        yield Told(says, depth, value)
        for says, run, other in chain.links:
            if value is None:
                break
            value = run(value, None if other is None else other.get(fields, record))
            if says != CHECK:
                yield Told(says, depth, value)
    except UnmappableError as error:
        yield Told(says, depth, None, error)
        return
    except TOO_STRANGE as error:
        yield Told(says, depth, None, strange(error))
        return
    if value is None and chain.default is not None:
        yield Told("default", depth, chain.default.value)


def _is_last(start: Getter, number: int, fields: Fields, record: Record) -> bool:
    """Whether a join or first looks at none of its parts behind this one."""
    assert isinstance(start, FirstOf | Joined)
    try:
        value = start.parts[number].get(fields, record)
    except (UnmappableError, *TOO_STRANGE):
        return True
    return value is not None if isinstance(start, FirstOf) else start.complete and value is None
