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

    @property
    def size(self) -> int:
        """Bytes of key, value and headers: what a record weighs in our memory, near enough."""
        size = len(self.key or b"") + len(self.value or b"")
        if self.headers:
            size += sum(len(name) + len(value or b"") for name, value in self.headers)
        return size
