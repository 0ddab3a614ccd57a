"""What will happen when: everything drawn from one seed, before it begins."""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

FaultKind = Literal["kill", "clean stop", "join and leave", "broker stop", "broker kill", "interruption"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
"""An interruption is not planned: the run itself was ended with everything in it, and gone on with."""

_QUIET_START, _QUIET_END = 0.02, 0.03
"""The shares of the run at its beginning and its end in which nothing is broken."""


class Parameters(NamedTuple):
    """What the command line says. `seconds` is how long events are produced, evenly."""

    events: int
    seconds: float
    partitions: int
    processes: int
    kills: int
    clean_stops: int
    joins: int
    broker_restarts: int
    seed: int


class Fault(NamedTuple):
    """One thing done, so many seconds after the start. `victim` is the number of a process; never 0.

    Process 0 is spared what ends a process, so that its memory can be followed over the whole run.
    """

    at: float
    kind: FaultKind
    victim: int


class Event(NamedTuple):
    """What the event of a number is: `fate` is what the vendor, or the connector, makes of it."""

    number: int
    fate: Literal["accepted", "rejected", "undecodable"]


def faults(given: Parameters) -> list[Fault]:
    """The faults in order of time, one in each of equal slots, the kinds shuffled."""
    random = Random(given.seed)
    often: dict[FaultKind, int] = {"kill": given.kills, "clean stop": given.clean_stops, "join and leave": given.joins}
    kinds = [kind for kind, times in often.items() for _ in range(times)]
    kinds += ["broker stop" if number % 2 else "broker kill" for number in range(given.broker_restarts)]
    random.shuffle(kinds)
    start, end = given.seconds * _QUIET_START, given.seconds * (1 - _QUIET_END)
    slot = (end - start) / max(1, len(kinds))
    return [
        Fault(start + (place + random.uniform(0.1, 0.4)) * slot, kind, random.randrange(1, given.processes))
        for place, kind in enumerate(kinds)
    ]


def event(number: int, seed: int) -> Event:
    """What the event of this number is, the same for the same seed: 2 % rejected, 1 % not Avro."""
    draw = Random(seed * 1_000_003 + number).random()
    return Event(number, "undecodable" if draw < 0.01 else "rejected" if draw < 0.03 else "accepted")
