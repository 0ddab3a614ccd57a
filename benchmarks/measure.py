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
_WARM = 3
"""A third of the events goes by before it counts: a JVM compiles meanwhile, and the connector opens up."""


class Cpu(NamedTuple):
    """Seconds, of all threads of a process."""

    user: float
    system: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.user - earlier.user, self.system - earlier.system)

    @property
    def seconds(self) -> float:
        """Both."""
        return self.user + self.system


class Measured(NamedTuple):
    """One run of a contender in a scenario: `events` in so many `seconds`, once it was warm."""

    scenario: str
    contender: str
    events: int
    seconds: float
    cpu: Cpu
    peak_bytes: int
    first_post: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU an event, user and system, of the whole process."""
        return self.cpu.seconds / self.events * 1e6


def cpu(pid: int) -> Cpu:
    """What all threads used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Cpu(int(fields[11]) / _TICKS_A_SECOND, int(fields[12]) / _TICKS_A_SECOND)


def peak_bytes(pid: int) -> int:
    """The largest resident memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def shared_out_bytes(pid: int) -> int:
    """The memory of a process and its children now; of what several have in common each counts its part (PSS)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_pss_bytes(each) for each in (str(pid), *children))


def _pss_bytes(pid: str) -> int:
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("Pss:")[2].split()[0]) * 1024


def measure(scenario: str, contender: str, pid: int, events: int, posts: Callable[[], int]) -> Measured:
    """Watch a process that was just started until it has posted so many events, of which none was posted before.

    Raises RuntimeError when it stops getting on.
    """
    begun = time.monotonic()
    _, first_at = _wait(contender, posts, 1)
    warm, warm_at = _wait(contender, posts, events // _WARM)
    used = cpu(pid)
    done, done_at = _wait(contender, posts, events)
    used = cpu(pid) - used
    return Measured(scenario, contender, done - warm, done_at - warm_at, used, peak_bytes(pid), first_at - begun)


def _wait(contender: str, posts: Callable[[], int], many: int) -> tuple[int, float]:
    """Wait for so many posts; how many there are then, and when that is."""
    done, moved = 0, time.monotonic()
    while True:
        last, done, now = done, posts(), time.monotonic()
        if done >= many:
            return done, now
        moved = now if done > last else moved
        if now - moved > _STALL_SECONDS:
            raise RuntimeError(f"{contender} stopped at {done} of {many} events: see its log")
        time.sleep(_LOOK_SECONDS)
