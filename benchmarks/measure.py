"""What a process used, read from outside while it works."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.02
_STALL_SECONDS = 60.0


class Measured(NamedTuple):
    """One run from its first accepted event to its last."""

    name: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU an event, user and system, of the whole process."""
        return self.cpu_seconds / self.events * 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def peak_bytes(pid: int) -> int:
    """The largest resident memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(name: str, pid: int, events: int, posts: Callable[[], int]) -> Measured:
    """Watch a process until it has posted so many events. Raises RuntimeError when it stops getting on."""
    before = posts()
    deadline = time.monotonic() + _STALL_SECONDS
    while (first := posts() - before) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} posted nothing: see its log")
        time.sleep(_LOOK_SECONDS)
    started, used = time.monotonic(), cpu_seconds(pid)
    done, moved = first, started
    while done < events:
        time.sleep(_LOOK_SECONDS)
        now, last, done = time.monotonic(), done, posts() - before
        moved = now if done > last else moved
        if now - moved > _STALL_SECONDS:
            raise RuntimeError(f"{name} stopped at {done} of {events} events: see its log")
    ended = time.monotonic()
    return Measured(name, done - first, ended - started, cpu_seconds(pid) - used, peak_bytes(pid))
