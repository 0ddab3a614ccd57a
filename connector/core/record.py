"""A Kafka record as every room sees it, and the place it has in its log."""

from __future__ import annotations

from typing import NamedTuple

from typing_extensions import override

Headers = tuple[tuple[str, bytes | None], ...]


class Partition(NamedTuple):
    """A topic's partition: where offsets mean something."""

    topic: str
    number: int

    @override
    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


class Record(NamedTuple):
    """One record, immutable. `timestamp_ms` is the broker's or producer's, in ms since the epoch, or None.

    `leader_epoch` is the one that it was written under (-1: not told): with its offset it names it for ever.
    """

    partition: Partition
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    leader_epoch: int = -1

    def placed(self, partition: Partition, offset: int, timestamp_ms: int | None, headers: Headers) -> Record:
        """The same at another place, such as its producer's own record's where this is a copy."""
        return Record(partition, offset, timestamp_ms, self.key, self.value, headers)

    @property
    def size(self) -> int:
        """Bytes of key, value and headers: what a record weighs in our memory, near enough."""
        size = len(self.key or b"") + len(self.value or b"")
        if self.headers:
            size += sum(len(name) + len(value or b"") for name, value in self.headers)
        return size


def small(headers: Headers, room: int) -> Headers:
    """The smallest ones that have room (bytes) together, in their order. A name is kept with all its headers or left
    out, since the last one of a name counts."""
    sizes: dict[str, int] = {}
    for name, value in headers:
        sizes[name] = sizes.get(name, 0) + len(name) + len(value or b"")
    kept: set[str] = set()
    for name in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    return tuple(header for header in headers if header[0] in kept)
