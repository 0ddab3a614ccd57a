"""Where a value lies: in the producer's event, or in the record around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from typing_extensions import override

from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.types import Kind, Part, Type, leaf
from connector.core.record import Record

Fields = dict[str, Any]
Get = Callable[[Fields, Record], Any]


class Around(StrEnum):
    """What a path can name of the record around the event, each with a `$` before it."""

    KEY = "$key"
    TIMESTAMP = "$timestamp"
    TOPIC = "$topic"
    PARTITION = "$partition"
    OFFSET = "$offset"
    HEADER = "$header"


class Path(NamedTuple):
    """A path as it was written, and its parts; `around`: of the record, and `parts` then name its header."""

    text: str
    parts: tuple[Part, ...]
    around: Around | None = None

    @override
    def __str__(self) -> str:
        return self.text


_TOKEN = re.compile(r"""(?P<dot>\.)?(?:(?P<name>[^.\[\]"$\s]+)|\[(?P<place>[0-9]{1,4})\]|\["(?P<key>[^"]+)"\])""")
_HEADER = "$header."
_HOW = 'write it like booking.passenger.phone, passengers[0].phone or attributes["a.key"]'
_LONGEST = 512
_DEEPEST = 32


def path_of(text: str) -> Path:
    """Read a path. Raises ValueError, for a person."""
    if text.startswith("$"):
        return _around(text)
    parts: list[Part] = []
    at = 0
    while at < len(text) <= _LONGEST and len(parts) < _DEEPEST:
        token = _TOKEN.match(text, at)
        # A dot stands between two names, and nowhere else.
        if token is None or (token["dot"] is not None) != (bool(parts) and token["name"] is not None):
            break
        parts.append(int(token["place"]) if token["place"] is not None else token["name"] or token["key"])
        at = token.end()
    if at < len(text) or not parts or isinstance(parts[0], int):
        raise ValueError(f"is not a path: {_HOW}")
    return Path(text, tuple(parts))


def _around(text: str) -> Path:
    if text.startswith(_HEADER) and text != _HEADER:
        return Path(text, (text.removeprefix(_HEADER),), Around.HEADER)
    if text in list(Around) and text != Around.HEADER:
        return Path(text, (), Around(text))
    names = ", ".join([*(name for name in Around if name is not Around.HEADER), "$header.NAME"])
    raise ValueError(f"is nothing of a record; there are {names}")


_TYPES = {
    Around.KEY: leaf(Kind.TEXT, "the record's key", nullable=True),
    Around.TIMESTAMP: leaf(Kind.TIME, "the record's timestamp", nullable=True),
    Around.TOPIC: leaf(Kind.TEXT, "the record's topic"),
    Around.PARTITION: leaf(Kind.INTEGER, "the record's partition"),
    Around.OFFSET: leaf(Kind.INTEGER, "the record's offset"),
    Around.HEADER: leaf(Kind.TEXT, "a header", nullable=True),
}


def type_around(path: Path) -> Type | None:
    """The type of what a path names of the record; None for one into the event."""
    return None if path.around is None else _TYPES[path.around]


def getter(path: Path) -> Get:
    """What gets the value of a path: null where something on the way is null, absent or nothing to look into."""
    match path.around:
        case Around.KEY:
            return lambda _, record: _text(record.key)
        case Around.TIMESTAMP:
            return lambda _, record: record.timestamp_ms
        case Around.TOPIC:
            return lambda _, record: record.partition.topic
        case Around.PARTITION:
            return lambda _, record: record.partition.number
        case Around.OFFSET:
            return lambda _, record: record.offset
        case Around.HEADER:
            return _header(str(path.parts[0]))
        case _:
            return _inside(path.parts)


def _inside(parts: tuple[Part, ...]) -> Get:
    match parts:
        case (str(name),):
            return lambda fields, _: fields.get(name)
        case (str(outer), str(name)):
            return _second(outer, name)
        case (str(outer), str(middle), str(name)):
            return _third(outer, middle, name)
        case _:
            return _deep(parts)


def _second(outer: str, name: str) -> Get:
    def get(fields: Fields, _: Record) -> Any:
        inner = fields.get(outer)
        return inner.get(name) if type(inner) is dict else None

    return get


def _third(outer: str, middle: str, name: str) -> Get:
    def get(fields: Fields, _: Record) -> Any:
        inner = fields.get(outer)
        if type(inner) is not dict:
            return None
        inner = inner.get(middle)
        return inner.get(name) if type(inner) is dict else None

    return get


def _deep(parts: tuple[Part, ...]) -> Get:
    def get(fields: Fields, _: Record) -> Any:
        here: Any = fields
        for part in parts:
            if type(here) is dict:
                here = here.get(part)
            elif type(here) is list and type(part) is int:
                here = here[part] if part < len(here) else None
            else:
                return None
        return here

    return get


def _header(name: str) -> Get:
    """The last one of that name, as Kafka's own clients give it."""

    def get(_: Fields, record: Record) -> Any:
        for found, value in reversed(record.headers):
            if found == name:
                return _text(value)
        return None

    return get


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UnmappableError(f"{len(value)} bytes", "write it as UTF-8 text") from None
