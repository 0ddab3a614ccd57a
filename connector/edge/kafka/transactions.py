"""Transactions that stay open: what lies behind one is read by nobody until its producer, or the brokers, end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from connector.core.record import Partition
from connector.edge.kafka.bounds import Bounds

OLD = 60.0
"""Seconds: the brokers end a transaction whose producer is gone after that long, unless it asked for longer."""


class Behind(NamedTuple):
    """Offsets that wait for a transaction's end, from `first` on, seen first at `since` (of a clock that never goes
    back)."""

    first: int
    offsets: int
    since: float


class OpenTransactions:
    """`behind` is what waits, by partition; what waits for longer than `OLD` is told once, with its age in seconds."""

    def __init__(self, tell_old: Callable[[Partition, Behind, float], None]) -> None:
        self._tell_old = tell_old
        self._told: dict[Partition, int] = {}
        self.behind: dict[Partition, Behind] = {}

    def see(self, bounds: Mapping[Partition, Bounds], now: float) -> None:
        """Take in what the brokers told; a partition that they did not tell of is forgotten."""
        before, self.behind = self.behind, {}
        for partition, bound in bounds.items():
            if not bound.behind_transaction:
                self._told.pop(partition, None)
                continue
            known = before.get(partition)
            since = known.since if known is not None and known.first == bound.readable else now
            behind = self.behind[partition] = Behind(bound.readable, bound.behind_transaction, since)
            if now - since >= OLD and self._told.get(partition) != bound.readable:
                self._told[partition] = bound.readable
                self._tell_old(partition, behind, now - since)
