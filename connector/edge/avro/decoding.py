"""Avro's binary encoding, read by a plan that is made once for each writer's schema.

Strict: a number of more than 10 bytes, a length below zero, a branch that a union does not have, a map's key that comes
twice are errors here; libraries read some of them as a value. A function reads from a place in the bytes, and returns
the value and where it ends. That may lie beyond the end of the bytes, since slices do not mind: whoever reads a whole
value compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

from connector.edge.avro.logical import shortest

Read = Callable[[bytes, int], tuple[Any, int]]

ENDS_EARLY = "it ends too early"
NO_BRANCH = "a branch that the union does not have"
NO_SYMBOL = "a symbol that the enum does not have"

_LONG_BITS = 70  # ten bytes of seven
_INT_BYTES = 5
_INT = 2**31
_NO_BYTE = -1
_DOUBLE = Struct("<d").unpack_from


class UndecodableError(Exception):
    """Bytes that are no value of the schema. Shows no value."""


class DuplicateKeyError(Exception):
    """A map with a key that comes twice. `path` holds the keys of the maps around it and their places, from 1."""

    def __init__(self, path: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__("a key of a map that comes twice")
        self.path = path


def read_long(value: bytes, at: int) -> tuple[int, int]:
    """A number of at most 64 bits."""
    byte = value[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    found, shift = byte & 0x7F, 7
    while shift < _LONG_BITS:
        byte = value[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            if found >= 2**64:
                break
            return (found >> 1) ^ -(found & 1), at
        shift += 7
    raise UndecodableError("a number of more than 64 bits")


def read_int(value: bytes, at: int) -> tuple[int, int]:
    """A number of at most 32 bits."""
    found, end = read_long(value, at)
    if end - at > _INT_BYTES or not -_INT <= found < _INT:
        raise UndecodableError("an int of more than 32 bits")
    return found, end


def read_string(value: bytes, at: int) -> tuple[str, int]:
    """Its length in bytes, then UTF-8."""
    size = value[at]
    if size < 0x80 and not size & 1:
        at += 1
        end = at + (size >> 1)
    else:
        at, end = sized(value, at)
    return value[at:end].decode(), end


def read_bytes(value: bytes, at: int) -> tuple[bytes, int]:
    """Their length, then they."""
    at, end = sized(value, at)
    return value[at:end], end


def read_boolean(value: bytes, at: int) -> tuple[bool, int]:
    """One byte, 0 or 1."""
    byte = value[at]
    if byte > 1:
        raise UndecodableError("a boolean that is neither 0 nor 1")
    return byte == 1, at + 1


def read_null(_value: bytes, at: int) -> tuple[None, int]:
    """No byte."""
    return None, at


def read_double(value: bytes, at: int) -> tuple[float, int]:
    """8 bytes, little endian."""
    return _DOUBLE(value, at)[0], at + 8


def read_float(value: bytes, at: int) -> tuple[float, int]:
    """4 bytes, little endian, as the double of the same shortest text."""
    return shortest(value[at : at + 4]), at + 4


PRIMITIVES: Mapping[str, Read] = {
    "null": read_null,
    "boolean": read_boolean,
    "int": read_int,
    "long": read_long,
    "float": read_float,
    "double": read_double,
    "bytes": read_bytes,
    "string": read_string,
}


def fixed_reader(size: int) -> Read:
    """So many bytes."""

    def read(value: bytes, at: int) -> tuple[bytes, int]:
        end = at + size
        if end > len(value):
            raise UndecodableError(ENDS_EARLY)
        return value[at:end], end

    return read


def enum_reader(symbols: Sequence[str]) -> Read:
    """The place of a symbol."""

    def read(value: bytes, at: int) -> tuple[str, int]:
        byte = value[at]
        index, at = (byte >> 1, at + 1) if byte < 0x80 and not byte & 1 else read_int(value, at)
        if not 0 <= index < len(symbols):
            raise UndecodableError(NO_SYMBOL)
        return symbols[index], at

    return read


def converted(read: Read, convert: Callable[[Any], Any]) -> Read:
    """What is read, made into something else."""

    def read_and_convert(value: bytes, at: int) -> tuple[Any, int]:
        found, at = read(value, at)
        return convert(found), at

    return read_and_convert


def union_reader(branches: Sequence[Read]) -> Read:
    """The place of a branch, then its value."""
    by_byte: list[Read] = [_no_branch] * 0x80
    for index, branch in enumerate(branches[:0x40]):
        by_byte[2 * index] = branch

    def read(value: bytes, at: int) -> tuple[Any, int]:
        byte = value[at]
        if byte < 0x80:
            return by_byte[byte](value, at + 1)
        index, at = read_long(value, at)
        return (branches[index] if 0 <= index < len(branches) else _no_branch)(value, at)

    return read


def nullable_reader(branch: Read) -> Read:
    """A union of null and one other branch: as `union_reader`, which most unions are, in fewer calls."""
    is_text = branch is read_string
    rest = union_reader([read_null, branch])

    def read(value: bytes, at: int) -> tuple[Any, int]:
        byte = value[at]
        at += 1
        if byte == 2:
            if is_text and (size := value[at]) < 0x80 and not size & 1:
                begin, at = at + 1, at + 1 + (size >> 1)
                return value[begin:at].decode(), at
            return branch(value, at)
        return (None, at) if not byte else rest(value, at - 1)

    return read


def array_reader(item: Read) -> Read:
    """Blocks of items."""

    def read(value: bytes, at: int) -> tuple[list[Any], int]:
        found = []
        count, at, end = block(value, at)
        while count:
            for _ in range(count):
                one, at = item(value, at)
                found.append(one)
            check_end(at, end)
            count, at, end = block(value, at)
        return found, at

    return read


def map_reader(item: Read, text: bytes | None = None) -> Read:
    """Blocks of keys and values. `text` is the byte that stands before a string where the items are of a union.

    What nearly every map has, short strings in a short block, is read here, without a call for each.
    """
    text_byte = text[0] if text else _NO_BYTE

    def read(value: bytes, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        entries = 0
        while True:
            count = value[at]
            if count < 0x80 and not count & 1:
                count, at, end = count >> 1, at + 1, None
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
                    found[key], at = item(value, at)
                except DuplicateKeyError as error:
                    raise DuplicateKeyError(((key, len(found) + 1), *error.path)) from None
            if end is not None:
                check_end(at, end)
        if entries != len(found):
            raise DuplicateKeyError
        return found, at

    return read


def record_reader(steps: Sequence[tuple[str | None, Read]], defaults: Mapping[str, Any]) -> Read:
    """Field after field, over the defaults of those that are not there; a field without a name is not kept."""

    def read(value: bytes, at: int) -> tuple[dict[str, Any], int]:
        found = dict(defaults)
        for name, field in steps:
            if field is read_string and (size := value[at]) < 0x80 and not size & 1:  # without the call
                begin, at = at + 1, at + 1 + (size >> 1)
                one: Any = value[begin:at].decode()
            else:
                one, at = field(value, at)
            if name is not None:
                found[name] = one
        return found, at

    return read


def _no_branch(_value: bytes, _at: int) -> tuple[Any, int]:
    raise UndecodableError(NO_BRANCH)


def sized(value: bytes, at: int) -> tuple[int, int]:
    """Where bytes that begin with their length begin and end."""
    size, at = read_long(value, at)
    if size < 0:
        raise UndecodableError("a length below zero")
    return at, at + size


def block(value: bytes, at: int) -> tuple[int, int, int | None]:
    """How many entries a block has, where they begin, and where they end, if it says so."""
    count, at = read_long(value, at)
    end = None
    if count < 0:
        count = -count
        at, end = sized(value, at)
    if count > len(value) - at:  # every entry takes a byte at least: vetting sees to it
        raise UndecodableError(ENDS_EARLY)
    return count, at, end


def check_end(at: int, end: int | None) -> None:
    """That a block ended where it said it would."""
    if end is not None and at != end:
        raise UndecodableError("a block of another length than it says")
