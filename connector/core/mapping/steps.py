"""The functions of a mapping. A closed set: each takes one value, is bounded in time and memory, and has no effects."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connector.core.mapping import phones, times
from connector.core.mapping.errors import NO_ENTRY, UnmappableError
from connector.core.mapping.paths import Path
from connector.core.mapping.times import whole
from connector.core.mapping.types import Kind
from connector.core.numbers import is_exact, value_text
from connector.core.redact import shape

Scalar = str | int | float | bool

_SEPARATORS = frozenset("\t-./()")
_SEPARATING = frozenset({"Zs", "Pd", "Cf"})
"""Spaces, dashes and marks of direction: what people and programs put between the digits of a number, or around it."""

_TEXTS = frozenset({Kind.TEXT})
_READABLE = frozenset({Kind.TEXT, Kind.INTEGER, Kind.DOUBLE, Kind.BOOLEAN})
_TIMES = frozenset({Kind.TIME, Kind.INTEGER})
_LONGEST_NUMBER = 20


class Step(NamedTuple):
    """One function with its arguments. `run` takes the value, which is never null, and what `other` names of the event:
    null without it. It raises UnmappableError. `dials`: what it takes is a phone number. `reads_numbers`: of texts it
    takes those of a number, so that it would refuse a time's text, whatever the time. `needs_zone`: it refuses texts
    that have none."""

    says: str
    takes: frozenset[Kind]
    gives: frozenset[Kind]
    run: Callable[[Any, Any], Any]
    other: Path | None = None
    table: Mapping[str, Scalar] | None = None
    dials: bool = False
    reads_numbers: bool = False
    needs_zone: bool = False


def _text_step(says: str, run: Callable[[Any], str]) -> Step:
    return Step(says, _TEXTS, _TEXTS, lambda value, _: run(value))


def digits() -> Step:
    """The digits of a text or number, without the separators between them and a plus before them."""
    takes = frozenset({Kind.TEXT, Kind.INTEGER})
    return Step(
        "digits", takes, _TEXTS, lambda value, _: _digits(phones.as_dialled(value)), dials=True, reads_numbers=True
    )


def lower() -> Step:
    """In lower case."""
    return _text_step("lower", str.lower)


def upper() -> Step:
    """In upper case."""
    return _text_step("upper", str.upper)


def trim() -> Step:
    """Without white space at both ends."""
    return _text_step("trim", str.strip)


def truncate(most: int) -> Step:
    """At most this many characters."""
    return _text_step(f"truncate {most}", lambda value: value[:most])


def null_if(texts: frozenset[str]) -> Step:
    """Null for a text that is one of these, as it is written where a schema has no null."""
    says = f"null_if {' or '.join(repr(each) for each in sorted(texts))}"
    return Step(says, _TEXTS, _TEXTS, lambda value, _: None if value in texts else value)


def text() -> Step:
    """A number, a boolean or bytes of UTF-8 as text."""
    return Step("text", _READABLE | {Kind.BYTES}, _TEXTS, lambda value, _: as_text(value))


def number() -> Step:
    """A text of digits as a whole number."""
    takes, gives = frozenset({Kind.TEXT, Kind.INTEGER}), frozenset({Kind.INTEGER})
    return Step("number", takes, gives, lambda value, _: _int(value), reads_numbers=True)


def lookup(table: Mapping[str, Scalar]) -> Step:
    """What a table has for a text, number or boolean; null for what it does not have, where there is a default."""
    gives = frozenset(kind_of(value) for value in table.values())
    takes = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})

    def run(value: Any, _: Any) -> Any:
        return table.get(value if type(value) is str else value_text(value))

    return Step(f"lookup of {len(table)} {'entry' if len(table) == 1 else 'entries'}", takes, gives, run, table=table)


def strict(step: Step) -> Step:
    """A look-up that has no default: what it does not have is refused."""

    def run(value: Any, other: Any) -> Any:
        found = step.run(value, other)
        if found is None:
            raise UnmappableError(f"nothing that the {step.says} has", "write one that it has, or add it", NO_ENTRY)
        return found

    return step._replace(run=run)


def phone(region: str | None, region_from: Path | None) -> Step:
    """A phone number as it is written in a region, as digits with the country code."""
    run = phones.international(None if region_from is None else str(region_from))
    says = f"phone {region_from or region or ''}".rstrip()
    takes = frozenset({Kind.TEXT, Kind.INTEGER})
    return Step(
        says,
        takes,
        _TEXTS,
        lambda value, other: run(value, other or region),
        region_from,
        dials=True,
        reads_numbers=True,
    )


def time(layout: str, zone: str | None, zone_from: Path | None) -> Step:
    """A text or number as a time. Raises ValueError for a zone that is none."""
    read, fixed = times.reader(layout), None if zone is None else times.zone_of(zone)
    counted = layout in times.PER_MS
    takes = frozenset({Kind.INTEGER, Kind.DOUBLE, Kind.TEXT}) if counted else _TEXTS
    says = " ".join(filter(None, ("time", layout, zone, zone_from and str(zone_from))))
    run, gives = _zoned(read, fixed, zone_from), frozenset({Kind.TIME})
    needs_zone = not counted and zone is None and zone_from is None
    return Step(says, takes, gives, run, zone_from, reads_numbers=counted, needs_zone=needs_zone)


def format_time(layout: str, zone: str | None, zone_from: Path | None) -> Step:
    """A time as text. Raises ValueError for a zone that is none."""
    fixed = None if zone is None else times.zone_of(zone)
    says = " ".join(filter(None, ("format_time", layout, zone, zone_from and str(zone_from))))
    run = _zoned(lambda value, zone: times.written(value, layout, zone), fixed, zone_from)
    return Step(says, _TIMES, _TEXTS, run, zone_from)


def plus(says: str, ms: int) -> Step:
    """A time, so much later; earlier where it is below 0."""
    return Step(says, _TIMES, frozenset({Kind.TIME}), lambda value, _: value + ms)


def as_text(value: Any) -> str:
    """A simple value as a person reads it. Raises UnmappableError."""
    if type(value) is str:
        return value
    if type(value) is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise UnmappableError(f"{len(value)} bytes", "write them as UTF-8 text") from None
    if type(value) is float and not math.isfinite(value):
        raise UnmappableError("no finite number", "write a number, or leave it out")
    if type(value) is float and not is_exact(value):
        raise UnmappableError("a double from 2^53 up, which stands for several numbers", "write it as text or long")
    return value_text(value)


def kind_of(value: Scalar) -> Kind:
    """The kind of a constant."""
    return _KINDS[type(value)]


_KINDS: Mapping[type, Kind] = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    float: Kind.DOUBLE,
    bool: Kind.BOOLEAN,
}


def _zoned(run: Callable[[Any, Any], Any], fixed: Any, zone_from: Path | None) -> Callable[[Any, Any], Any]:
    if zone_from is None:
        return lambda value, _: run(value, fixed)
    return lambda value, other: run(value, times.named_zone(other, zone_from) or fixed)


def _digits(text: str) -> str:
    """Nothing is guessed: a letter may begin an extension, and (0) is dialled or not."""
    found = []
    for place, each in enumerate(text.strip().removeprefix("+")):
        digit = unicodedata.decimal(each, None)
        if digit is not None:
            found.append(str(digit))
        elif each not in _SEPARATORS and unicodedata.category(each) not in _SEPARATING:
            raise UnmappableError(f"{shape(text)} with no digit at place {place + 1}", "write digits and separators")
    if "(0)" in text:
        raise UnmappableError(f"{shape(text)} with (0) in it", "write the number as it is dialled from abroad")
    return "".join(found)


def _int(value: Any) -> int:
    if type(value) is int:
        return value
    if len(value) > _LONGEST_NUMBER:
        raise UnmappableError(f"string of {len(value)} characters", "write a whole number")
    return whole(value, "a text that is no whole number")
