"""Where a value lies: in the producer's event, or in the record around it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override

from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.getters import Deep, Field, FieldOfField, Getter, OfRecord
from connector.core.mapping.types import Kind, Part, Type, Where, leaf
from connector.core.record import Record


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


_TOKEN = re.compile(
    r"""(?P<dot>\.)?(?:
        (?P<name>[^.\[\]"$\s]+)
        |\[(?P<place>[0-9]{1,4})\]
        |\["(?P<key>[^"]+)"\]
        |\[(?P<field>[^.\[\]"=$\s]+)=(?:(?P<word>[^\[\]"\s]+)|"(?P<text>[^"]+)")\]
    )""",
    re.VERBOSE,
)
_HEADER = "$header."
_HOW = 'write it like booking.passenger.phone, passengers[0].phone, contacts[kind=MOBILE].number or attributes["a.key"]'
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
        parts.append(_part(token))
        at = token.end()
    if at < len(text) or not parts or not isinstance(parts[0], str):
        raise ValueError(f"is not a path: {_HOW}")
    return Path(text, tuple(parts))


def _part(token: re.Match[str]) -> Part:
    if token["field"] is not None:
        return Where(token["field"], token["word"] or token["text"])
    return int(token["place"]) if token["place"] is not None else token["name"] or token["key"]


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


def getter(path: Path) -> Getter:
    """What gets the value of a path."""
    match path.around, path.parts:
        case Around.KEY, _:
            return OfRecord(lambda record: _text(record.key))
        case Around.TIMESTAMP, _:
            return OfRecord(lambda record: record.timestamp_ms)
        case Around.TOPIC, _:
            return OfRecord(lambda record: record.partition.topic)
        case Around.PARTITION, _:
            return OfRecord(lambda record: record.partition.number)
        case Around.OFFSET, _:
            return OfRecord(lambda record: record.offset)
        case Around.HEADER, (str(name), *_):
            return OfRecord(lambda record: _header(record, name))
        case _, (str(name),):
            return Field(name)
        case _, (str(outer), str(name)):
            return FieldOfField(outer, name)
        case _:
            return Deep(path.parts)


def _header(record: Record, name: str) -> str | None:
    """The last one of that name, as Kafka's own clients give it."""
    for found, value in reversed(record.headers):
        if found == name:
            return _text(value)
    return None


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UnmappableError(f"{len(value)} bytes", "write it as UTF-8 text") from None
