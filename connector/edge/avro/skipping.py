"""Values of fields that ours does not have, passed over as strictly as the others are read.

Where a value ends may lie beyond the end of the bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from connector.edge.avro.decoding import (
    NO_BRANCH,
    NO_SYMBOL,
    TypeReader,
    UndecodableError,
    block,
    check_end,
    read_boolean,
    read_int,
    read_long,
    sized,
)


class Skip(ABC):
    """Passes over the values of one type. A class for the same reason as `TypeReader`."""

    @abstractmethod
    def end(self, value: bytes, at: int) -> int:
        """Where the value that begins at this place ends."""


class SkipSized(Skip):
    """Past bytes or a string."""

    @override
    def end(self, value: bytes, at: int) -> int:
        """After as many bytes as it says."""
        size = value[at]
        return at + 1 + (size >> 1) if size < 0x80 and not size & 1 else sized(value, at)[1]


class SkipLong(Skip):
    """Past a number of at most 64 bits."""

    @override
    def end(self, value: bytes, at: int) -> int:
        """After its last byte."""
        return at + 1 if value[at] < 0x80 else read_long(value, at)[1]


class SkipInt(Skip):
    """Past a number of at most 32 bits."""

    @override
    def end(self, value: bytes, at: int) -> int:
        """After its last byte."""
        return read_int(value, at)[1]


class SkipBoolean(Skip):
    """Past a boolean."""

    @override
    def end(self, value: bytes, at: int) -> int:
        """After its byte."""
        return read_boolean(value, at)[1]


class SkipBytes(Skip):
    """Past so many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    @override
    def end(self, value: bytes, at: int) -> int:
        """So many bytes on."""
        return at + self._size


class SkipEnum(Skip):
    """Past an enum of so many symbols."""

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols

    @override
    def end(self, value: bytes, at: int) -> int:
        """After the place of a symbol."""
        index, at = read_int(value, at)
        if not 0 <= index < self._symbols:
            raise UndecodableError(NO_SYMBOL)
        return at


class SkipUnion(Skip):
    """Past a union."""

    def __init__(self, branches: Sequence[Skip]) -> None:
        self._branches = list(branches)

    @override
    def end(self, value: bytes, at: int) -> int:
        """After the branch's value."""
        index, at = read_long(value, at)
        if not 0 <= index < len(self._branches):
            raise UndecodableError(NO_BRANCH)
        return self._branches[index].end(value, at)


class SkipSequence(Skip):
    """Past one after the other."""

    def __init__(self, parts: Sequence[Skip]) -> None:
        self._parts = list(parts)

    @override
    def end(self, value: bytes, at: int) -> int:
        """After the last one."""
        for part in self._parts:
            at = part.end(value, at)
        return at


class SkipBlocks(Skip):
    """Past an array or map whose entries have these parts."""

    def __init__(self, parts: Sequence[Skip]) -> None:
        self._parts = list(parts)

    @override
    def end(self, value: bytes, at: int) -> int:
        """After the last block."""
        parts = self._parts
        count, at, end = block(value, at)
        while count:
            for _ in range(count):
                for part in parts:
                    at = part.end(value, at)
            check_end(at, end)
            count, at, end = block(value, at)
        return at


class Skipped(TypeReader):
    """A value that is passed over, as one that is read: null."""

    def __init__(self, skip: Skip) -> None:
        self._skip = skip

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Null."""
        return None, self._skip.end(value, at)


def one_skip(parts: Sequence[Skip]) -> Skip:
    """What passes over one after the other."""
    return parts[0] if len(parts) == 1 else SkipSequence(parts)


SKIPS: Mapping[str, Skip] = {
    "null": SkipBytes(0),
    "boolean": SkipBoolean(),
    "int": SkipInt(),
    "long": SkipLong(),
    "float": SkipBytes(4),
    "double": SkipBytes(8),
    "bytes": SkipSized(),
    "string": SkipSized(),
}
