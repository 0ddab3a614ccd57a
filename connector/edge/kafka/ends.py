"""Logs that end without a record: the client says when it is at the end, and we know what it handed over before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connector.core.record import Partition, Record
from connector.core.signals import Gap


class Ends:
    """The offset after what was handed over last, of each partition since it was assigned or moved."""

    def __init__(self) -> None:
        self._next: dict[Partition, int] = {}

    def begin(self, partition: Partition, offset: int) -> None:
        """It is read from here on."""
        self._next[partition] = offset

    def hand_over(self, records: Iterable[Record]) -> None:
        """These go to the engine, in offset order within each partition."""
        for record in records:
            self._next[record.partition] = record.offset + 1

    def reach(self, ends: Mapping[Partition, int | None]) -> Iterator[Gap]:
        """The client is at these logs' ends: the gaps before them, where no record lies right before.

        None: something could not be read there. What follows is no gap until a record is handed over again.
        """
        for partition, end in ends.items():
            if end is None:
                self._next.pop(partition, None)
                continue
            first = self._next.get(partition, end)
            if first < end:
                self._next[partition] = end
                yield Gap(partition, first, end)
