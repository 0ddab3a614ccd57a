"""The readers of Avro's complex types: each reads the parts that its schema says with the readers of their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from connector.edge.avro.decoding import (
    ENDS_EARLY,
    NO_BRANCH,
    NO_SYMBOL,
    NULL,
    STRING,
    DuplicateKeyError,
    TypeReader,
    UndecodableError,
    block,
    check_end,
    read_int,
    read_long,
    sized,
)

_NO_BYTE = -1
_ONE_BYTE = 0x40  # branches whose place takes one byte
_SECOND = 2  # the second branch's place, in one byte


class Fixed(TypeReader):
    """So many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Bytes."""
        end = at + self._size
        if end > len(value):
            raise UndecodableError(ENDS_EARLY)
        return value[at:end], end


class Enum(TypeReader):
    """The place of a symbol."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = list(symbols)

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A text."""
        byte = value[at]
        index, at = (byte >> 1, at + 1) if byte < 0x80 and not byte & 1 else read_int(value, at)
        if not 0 <= index < len(self._symbols):
            raise UndecodableError(NO_SYMBOL)
        return self._symbols[index], at


class Converted(TypeReader):
    """A value that is made into something else."""

    def __init__(self, inner: TypeReader, convert: Callable[[Any], Any]) -> None:
        self._inner = inner
        self._convert = convert

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """What it is made into."""
        found, at = self._inner.read(value, at)
        return self._convert(found), at


class Failing(TypeReader):
    """A branch of which no value can be read."""

    def __init__(self, error: type[Exception], why: str) -> None:
        self._error = error
        self._why = why

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Raises the error."""
        raise self._error(self._why)


class Union(TypeReader):
    """The place of a branch, then its value."""

    def __init__(self, branches: Sequence[TypeReader]) -> None:
        self.branches = list(branches)

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A value of one of the branches."""
        byte = value[at]
        index, at = (byte >> 1, at + 1) if byte < 0x80 and not byte & 1 else read_long(value, at)
        if not 0 <= index < len(self.branches):
            raise UndecodableError(NO_BRANCH)
        return self.branches[index].read(value, at)


class Nullable(TypeReader):
    """A union of null and one other branch, as most unions are, in fewer calls."""

    def __init__(self, branch: TypeReader) -> None:
        self._branch = branch
        self._is_text = branch is STRING
        self._rest = Union([NULL, branch])

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Null, or a value of the branch."""
        byte = value[at]
        if byte == _SECOND:
            at += 1
            if self._is_text and (size := value[at]) < 0x80 and not size & 1:
                begin, at = at + 1, at + 1 + (size >> 1)
                return value[begin:at].decode(), at
            return self._branch.read(value, at)
        return (None, at + 1) if not byte else self._rest.read(value, at)


class Array(TypeReader):
    """Blocks of items."""

    def __init__(self, item: TypeReader) -> None:
        self._item = item

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A list."""
        found: list[Any] = []
        count, at, end = block(value, at)
        while count:
            for _ in range(count):
                one, at = self._item.read(value, at)
                found.append(one)
            check_end(at, end)
            count, at, end = block(value, at)
        return found, at


class Map(TypeReader):
    """Blocks of keys and values.

    What nearly every map has, short strings, also as a union's branch, is read without a call for each.
    """

    def __init__(self, item: TypeReader) -> None:
        self._item = item
        self._text_byte = _NO_BYTE
        if isinstance(item, Union) and STRING in item.branches[:_ONE_BYTE]:
            self._text_byte = 2 * item.branches.index(STRING)

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A dict. Raises DuplicateKeyError."""
        found: dict[str, Any] = {}
        item, text_byte, entries = self._item, self._text_byte, 0
        while True:
            count = value[at]
            if count < 0x80 and not count & 1:
                count, at, end = count >> 1, at + 1, 0
            else:
                count, at, end = block(value, at)
            if not count:
                break
            entries += count
            for _ in range(count):
                size = value[at]
                if size < 0x80 and not size & 1:
                    begin, at = at + 1, at + 1 + (size >> 1)
                else:
                    begin, at = sized(value, at)
                key = value[begin:at].decode()
                if value[at] == text_byte and (size := value[at + 1]) < 0x80 and not size & 1:
                    begin, at = at + 2, at + 2 + (size >> 1)
                    found[key] = value[begin:at].decode()
                    continue
                try:
                    found[key], at = item.read(value, at)
                except DuplicateKeyError as error:
                    raise DuplicateKeyError(((key, len(found) + 1), *error.path)) from None
            if end:
                check_end(at, end)
        if entries != len(found):
            raise DuplicateKeyError
        return found, at


class Record(TypeReader):
    """Field after field, over the defaults of those that are not there; a field without a name is not kept."""

    def __init__(self, fields: Sequence[tuple[str | None, TypeReader]], defaults: Mapping[str, Any]) -> None:
        self._names = [name for name, _ in fields]
        self._readers = [reader for _, reader in fields]
        self._defaults = dict(defaults)

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A dict by the fields' names."""
        found = self._defaults.copy()
        for name, reader in zip(self._names, self._readers):  # noqa: B905 - strict= is no loop to mypyc
            if reader is STRING and (size := value[at]) < 0x80 and not size & 1:  # without the call
                begin, at = at + 1, at + 1 + (size >> 1)
                one: Any = value[begin:at].decode()
            else:
                one, at = reader.read(value, at)
            if name is not None:
                found[name] = one
        return found, at
