"""What was redriven already: marks that a redrive writes into the dead-letter topic, in one transaction with copies.

A mark lies behind the letters that it tells of, in their own partition, so that it outlives them, and a reader of the
partition to its end knows all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connector.core.envelope import REDRIVEN
from connector.core.record import Headers, Partition, Record

_RUNS = re.compile(rb"[0-9]{1,19}(?:-[0-9]{1,19})?(?:,[0-9]{1,19}(?:-[0-9]{1,19})?)*")
_LONGEST_RUN = 100_000_000


class Mark(NamedTuple):
    """The record to write: no key, a value for people, and the header that is read."""

    value: bytes
    headers: Headers


def mark(offsets: Iterable[int], target: str, now_ms: int) -> Mark:
    """The mark of these offsets of one partition, which were redriven to `target`."""
    runs = list(_runs(sorted(set(offsets))))
    text = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    note = "the letters at these offsets of this partition were redriven; `connector dlq` reads this record"
    value = json.dumps({"redriven": text, "to": target, "at": now_ms, "note": note})
    return Mark(value.encode(), ((REDRIVEN, text.encode()),))


def runs_of(record: Record) -> list[tuple[int, int]] | None:
    """First and last offset of each run that a mark names; None for a record that is no mark.

    A mark tells of what lies before it only: what is damaged names nothing.
    """
    if not record.headers or record.headers[-1][0] != REDRIVEN:
        return None
    text = record.headers[-1][1] or b""
    if _RUNS.fullmatch(text) is None:
        return []
    found = []
    for run in text.split(b","):
        first, _, last = run.partition(b"-")
        begin, end = int(first), int(last or first)
        if begin <= end < record.offset and end - begin < _LONGEST_RUN:
            found.append((begin, end))
    return found


class Redriven:
    """The offsets that marks name: a bit for each."""

    def __init__(self) -> None:
        self._bits: dict[Partition, bytearray] = {}
        self._base: dict[Partition, int] = {}

    def begin(self, partition: Partition, first: int) -> None:
        """Nothing before `first` will be asked for."""
        self._base[partition] = first

    def see(self, record: Record) -> bool:
        """Take in a record, and say whether it is a mark."""
        runs = runs_of(record)
        if runs is None:
            return False
        base = self._base.get(record.partition, 0)
        bits = self._bits.setdefault(record.partition, bytearray())
        for first, last in runs:
            for offset in range(max(first, base) - base, last - base + 1):
                if offset >> 3 >= len(bits):
                    bits.extend(bytes((offset >> 3) - len(bits) + 1))
                bits[offset >> 3] |= 1 << (offset & 7)
        return True

    def has(self, record: Record) -> bool:
        """Whether this letter was redriven."""
        offset = record.offset - self._base.get(record.partition, 0)
        bits = self._bits.get(record.partition)
        return (
            bits is not None and offset >= 0 and offset >> 3 < len(bits) and bool(bits[offset >> 3] >> (offset & 7) & 1)
        )

    def __len__(self) -> int:
        """How many letters the marks name."""
        return sum(int.from_bytes(bits, "little").bit_count() for bits in self._bits.values())


def _runs(offsets: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run in a sorted list."""
    first = 0
    for place, offset in enumerate(offsets):
        if place + 1 == len(offsets) or offsets[place + 1] != offset + 1:
            yield offsets[first], offset
            first = place + 1
