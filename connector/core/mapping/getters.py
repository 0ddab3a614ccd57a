"""What gets a value of an event, or of the record around it, and what is done with it on the way.

Objects and no functions: compiled, a method of a class that is known costs a tenth of a call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.types import Part, Where
from connector.core.record import Record

Fields = dict[str, Any]
Run = Callable[[Any, Any], Any]
"""A function: of a value, which is never null, and of a second one that its step names, or null."""


class Getter(ABC):
    """Gets one value: null where something on the way is null, absent or nothing to look into."""

    @abstractmethod
    def get(self, fields: Fields, record: Record) -> Any:
        """The value. Raises UnmappableError."""


class Always(Getter):
    """A constant."""

    def __init__(self, value: Any) -> None:
        self._value = value

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The constant."""
        return self._value


class OfRecord(Getter):
    """Something of the record around the event."""

    def __init__(self, of: Callable[[Record], Any]) -> None:
        self._of = of

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """What is of the record."""
        return self._of(record)


class Field(Getter):
    """A field of the event."""

    def __init__(self, name: str) -> None:
        self._name = name

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The field's value."""
        return fields.get(self._name)


class FieldOfField(Getter):
    """A field of a field's record, or the entry of its map."""

    def __init__(self, outer: str, name: str) -> None:
        self._outer = outer
        self._name = name

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The inner field's value."""
        inner = fields.get(self._outer)
        return inner.get(self._name) if isinstance(inner, dict) else None


class Deep(Getter):
    """What lies at the end of a path."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """What lies there."""
        here: Any = fields
        for part in self._parts:
            if isinstance(here, dict):
                here = here.get(part)
            elif not isinstance(here, list) or isinstance(part, str):
                return None
            elif isinstance(part, int):
                here = here[part] if part < len(here) else None
            else:
                here = _item(here, part)
        return here


def _item(items: list[Any], where: Where) -> Any:
    """The first one whose field is the text; null for none."""
    for item in items:
        if isinstance(item, dict) and item.get(where.field) == where.value:
            return item
    return None


class Linked(Getter):
    """A value after one function after the other; what is null stays so."""

    def __init__(self, start: Getter, links: Sequence[tuple[Run, Getter | None]]) -> None:
        self._start = start
        self._links = list(links)

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """What comes out of the last one."""
        value = self._start.get(fields, record)
        for run, other in self._links:
            if value is None:
                return None
            value = run(value, None if other is None else other.get(fields, record))
        return value


class Defaulted(Getter):
    """A value, or a constant for null."""

    def __init__(self, getter: Getter, default: Any) -> None:
        self._getter = getter
        self._default = default

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The value or the constant."""
        value = self._getter.get(fields, record)
        return self._default if value is None else value


class Filled(Getter):
    """A text, or null for one of nothing but spaces: many a schema has no null."""

    def __init__(self, getter: Getter) -> None:
        self._getter = getter

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The text or null."""
        text = self._getter.get(fields, record)
        return None if text is None or not text.strip() else text


class Joined(Getter):
    """Texts with something between them. `complete`: null where one of them is null; else it is left out."""

    def __init__(self, parts: Sequence[Getter], separator: str, *, complete: bool) -> None:
        self.parts = list(parts)
        self._separator = separator
        self.complete = complete

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The text; null for no part."""
        found: list[str] = []
        for part in self.parts:
            text = part.get(fields, record)
            if text is not None:
                found.append(text)
            elif self.complete:
                return None
        return self._separator.join(found) if found else None


class FirstOf(Getter):
    """The first that is not null."""

    def __init__(self, parts: Sequence[Getter]) -> None:
        self.parts = list(parts)

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """Its value."""
        for part in self.parts:
            if (value := part.get(fields, record)) is not None:
                return value
        return None


class Lenient(Getter):
    """As another, and null where that raises: a key or header that is no text is none that a condition asks for."""

    def __init__(self, getter: Getter) -> None:
        self._getter = getter

    @override
    def get(self, fields: Fields, record: Record) -> Any:
        """The value, or null."""
        try:
            return self._getter.get(fields, record)
        except UnmappableError:
            return None
