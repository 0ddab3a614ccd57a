"""Avro's binary encoding, read by a plan that is made once for each writer's schema.

Strict: a number of more than 10 bytes, a length below zero, a branch that a union does not have, a map's key that comes
twice are errors here; libraries read some of them as a value. Where a value ends may lie beyond the end of the bytes,
since slices do not mind: whoever reads a whole value compares.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from struct import Struct
from typing import Any, Final

from typing_extensions import override

from connector.edge.avro.logical import shortest

ENDS_EARLY = "it ends too early"
NO_BRANCH = "a branch that the union does not have"
NO_SYMBOL = "a symbol that the enum does not have"

_LONG_BITS = 70  # ten bytes of seven
_INT_BYTES = 5
_INT = 2**31
_DOUBLE = Struct("<d").unpack_from


class UndecodableError(Exception):
    """Bytes that are no value of the schema. Shows no value."""


class DuplicateKeyError(Exception):
    """A map with a key that comes twice. `path` holds the keys of the maps around it and their places, from 1."""

    def __init__(self, path: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__("a key of a map that comes twice")
        self.path = path


class TypeReader(ABC):
    """Reads the values of one type. No function: compiled, a method of a class costs a tenth."""

    @abstractmethod
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """The value that begins at this place, and where it ends."""


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


def read_boolean(value: bytes, at: int) -> tuple[bool, int]:
    """One byte, 0 or 1."""
    byte = value[at]
    if byte > 1:
        raise UndecodableError("a boolean that is neither 0 nor 1")
    return byte == 1, at + 1


class Null(TypeReader):
    """No byte."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Null."""
        return None, at


class Boolean(TypeReader):
    """One byte, 0 or 1."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A bool."""
        return read_boolean(value, at)


class Int(TypeReader):
    """A number of at most 32 bits."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """An int."""
        return read_int(value, at)


class Long(TypeReader):
    """A number of at most 64 bits."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """An int."""
        return read_long(value, at)


class Float(TypeReader):
    """4 bytes, little endian, as the double of the same shortest text."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A float."""
        return shortest(value[at : at + 4]), at + 4


class Double(TypeReader):
    """8 bytes, little endian."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A float."""
        return _DOUBLE(value, at)[0], at + 8


class Bytes(TypeReader):
    """Their length, then they."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """Bytes."""
        at, end = sized(value, at)
        return value[at:end], end


class String(TypeReader):
    """Its length in bytes, then UTF-8."""

    @override
    def read(self, value: bytes, at: int) -> tuple[Any, int]:
        """A text."""
        size = value[at]
        if size < 0x80 and not size & 1:
            at += 1
            end = at + (size >> 1)
        else:
            at, end = sized(value, at)
        return value[at:end].decode(), end


NULL: Final = Null()
STRING: Final = String()
BYTES: Final = Bytes()
READERS: Mapping[str, TypeReader] = {
    "null": NULL,
    "boolean": Boolean(),
    "int": Int(),
    "long": Long(),
    "float": Float(),
    "double": Double(),
    "bytes": BYTES,
    "string": STRING,
}


def sized(value: bytes, at: int) -> tuple[int, int]:
    """Where bytes that begin with their length begin and end."""
    size, at = read_long(value, at)
    if size < 0:
        raise UndecodableError("a length below zero")
    if size > len(value) - at:  # a place beyond what an index can be is another error where this is compiled
        raise UndecodableError(ENDS_EARLY)
    return at, at + size


def block(value: bytes, at: int) -> tuple[int, int, int]:
    """How many entries a block has, where they begin, and where they end; 0 if it does not say where."""
    count, at = read_long(value, at)
    end = 0
    if count < 0:
        count = -count
        at, end = sized(value, at)
    if count > len(value) - at:  # every entry takes a byte at least: vetting sees to it
        raise UndecodableError(ENDS_EARLY)
    return count, at, end


def check_end(at: int, end: int) -> None:
    """That a block ended where it said it would."""
    if end and at != end:
        raise UndecodableError("a block of another length than it says")
