"""Values of fields that ours does not have, passed over as strictly as the others are read.

A function takes a place in the bytes and returns where the value ends, which may lie beyond the end of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connector.edge.avro.decoding import (
    NO_BRANCH,
    NO_SYMBOL,
    Read,
    UndecodableError,
    block,
    check_end,
    read_boolean,
    read_int,
    read_long,
    sized,
)

Skip = Callable[[bytes, int], int]


def skip_number(value: bytes, at: int) -> int:
    """Past an int or a long."""
    return at + 1 if value[at] < 0x80 else read_long(value, at)[1]


def skip_bytes(value: bytes, at: int) -> int:
    """Past bytes or a string."""
    size = value[at]
    return at + 1 + (size >> 1) if size < 0x80 and not size & 1 else sized(value, at)[1]


def skip_boolean(value: bytes, at: int) -> int:
    """Past a boolean."""
    return read_boolean(value, at)[1]


def skipper(size: int) -> Skip:
    """Past this many bytes."""

    def skip(_value: bytes, at: int) -> int:
        return at + size

    return skip


def skip_enum(symbols: int) -> Skip:
    """Past an enum of this many symbols."""

    def skip(value: bytes, at: int) -> int:
        index, at = read_int(value, at)
        if not 0 <= index < symbols:
            raise UndecodableError(NO_SYMBOL)
        return at

    return skip


def skip_union(branches: Sequence[Skip]) -> Skip:
    """Past a union."""

    def skip(value: bytes, at: int) -> int:
        index, at = read_long(value, at)
        if not 0 <= index < len(branches):
            raise UndecodableError(NO_BRANCH)
        return branches[index](value, at)

    return skip


def skip_sequence(parts: Sequence[Skip]) -> Skip:
    """Past one after the other."""
    if len(parts) == 1:
        return parts[0]

    def skip(value: bytes, at: int) -> int:
        for part in parts:
            at = part(value, at)
        return at

    return skip


def skip_blocks(parts: Sequence[Skip]) -> Skip:
    """Past an array or map whose entries have these parts."""

    def skip(value: bytes, at: int) -> int:
        count, at, end = block(value, at)
        while count:
            for _ in range(count):
                for part in parts:
                    at = part(value, at)
            check_end(at, end)
            count, at, end = block(value, at)
        return at

    return skip


def reading_nothing(skip: Skip) -> Read:
    """A skipped value as one that is read: null."""

    def read(value: bytes, at: int) -> tuple[None, int]:
        return None, skip(value, at)

    return read


SKIPS: Mapping[str, Skip] = {
    "null": skipper(0),
    "boolean": skip_boolean,
    "int": lambda value, at: read_int(value, at)[1],
    "long": skip_number,
    "float": skipper(4),
    "double": skipper(8),
    "bytes": skip_bytes,
    "string": skip_bytes,
}
