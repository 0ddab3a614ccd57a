"""Which partition each kind of producer chooses for a key. Keys that are null or empty are spread by chance instead."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

_UNSIGNED = 0xFFFFFFFF
_SIGN = 0x80000000
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """The hash of Java's clients, as an unsigned number of 32 bits."""
    length = len(key)
    found = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * _MULTIPLIER & _UNSIGNED
        part = (part ^ part >> 24) * _MULTIPLIER & _UNSIGNED
        found = (found * _MULTIPLIER & _UNSIGNED) ^ part
    if length > whole:
        found = (found ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _UNSIGNED
    found = (found ^ found >> 13) * _MULTIPLIER & _UNSIGNED
    return found ^ found >> 15


def fnv1a(key: bytes) -> int:
    """FNV-1a of 32 bits, unsigned."""
    found = 0x811C9DC5
    for byte in key:
        found = (found ^ byte) * 0x01000193 & _UNSIGNED
    return found


def _java(key: bytes, partitions: int) -> int:
    return (murmur2(key) & ~_SIGN) % partitions


def _librdkafka(key: bytes, partitions: int) -> int:
    return zlib.crc32(key) % partitions


def _sarama(key: bytes, partitions: int) -> int:
    found = fnv1a(key)
    return (found if found < _SIGN else 2 * _SIGN - found) % partitions  # of a negative int32 the absolute value


PARTITIONERS: Mapping[str, Callable[[bytes, int], int]] = {
    "murmur2 (Java's default)": _java,
    "crc32 (librdkafka's default)": _librdkafka,
    "fnv1a (Sarama's default)": _sarama,
}
"""Name → (key, number of partitions) → partition."""
