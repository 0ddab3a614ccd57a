"""The vendor of a long run: it keeps what was accepted when, on disk, so that an interrupted run can go on."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from connector.simulator.ledger import Entry, Ledger
from connector.simulator.vendor import Vendor

_ENTRY = struct.Struct("<Id")
MARK = "chaos-"
"""What an event's id begins with; its number follows."""


class Accepted(NamedTuple):
    """One accepted request: the event's number, and when (seconds since the epoch)."""

    number: int
    at: float


class _FileLedger(Ledger):
    """Writes each entry to a file instead of keeping it."""

    def __init__(self, file: FileIO) -> None:
        super().__init__()
        self._file = file
        self.last_at = 0.0

    def accept(self, entry: Entry) -> None:
        self.last_at = time.time()  # noqa: TID251 # compared with the faults' times, and kept over a restart
        self._file.write(_ENTRY.pack(int(entry.marker.removeprefix(MARK)), self.last_at))


class Judge(Vendor):
    """The simulator's vendor over such a ledger."""

    def __init__(self, file: FileIO) -> None:
        super().__init__()
        self.ledger: _FileLedger = _FileLedger(file)


def read(path: Path) -> list[Accepted]:
    """All that was accepted, in order; a last entry that was cut off is left out."""
    content = path.read_bytes() if path.exists() else b""
    whole = len(content) - len(content) % _ENTRY.size
    return [Accepted(*entry) for entry in _ENTRY.iter_unpack(content[:whole])]


def counts(entries: Iterable[Accepted]) -> Counter[int]:
    """How often each event was accepted."""
    return Counter(entry.number for entry in entries)
