"""Vendors on good and bad days, and what each limit makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.concurrency.rivals import Aimd, Arc, Gradient2, Vegas
from benchmarks.concurrency.simulation import Answer, Limiter, Load, Process, Simulation, Vendor
from connector.core.concurrency import Adaptive
from connector.core.concurrency import Fixed as AlwaysTheSame
from connector.simulator.scenario import Fixed, Lognormal

FLOOR, CEILING = 1, 64
_SETTLES = 10.0
"""Seconds after a change of the vendor from which on it is judged."""

_NOISY = Lognormal(p50=0.013, p99=0.08)
_WIDE = Lognormal(p50=0.1, p99=0.6)
_STEPS = ((0.0, 10), (30.0, 1), (60.0, 10))


class Scenario(NamedTuple):
    """A vendor, how many processes post to it, and for how long."""

    name: str
    vendor: Vendor
    processes: int = 1
    seconds: float = 60.0


SCENARIOS = (
    Scenario("500, 50, 500 a second", Vendor(_STEPS), seconds=90),
    Scenario("the same, times scatter", Vendor(_STEPS, ((0.0, _NOISY),)), seconds=90),
    Scenario("and a 429 stops all for 1 s", Vendor(_STEPS, ((0.0, _NOISY),), retry_after=1.0), seconds=90),
    Scenario("more servers than posts", Vendor(((0.0, 100),))),
    Scenario("the same, times scatter", Vendor(((0.0, 100),), ((0.0, _NOISY),))),
    Scenario(
        "20 ms, then 100 ms an answer",
        Vendor(((0.0, 100),), ((0.0, Fixed(seconds=0.02)), (30.0, Fixed(seconds=0.1)))),
        seconds=90,
    ),
    Scenario("three processes, 500 a second", Vendor(((0.0, 10),), ((0.0, _NOISY),)), processes=3),
    Scenario("429 above 200 a second", Vendor(((0.0, 100),), bound=200)),
    Scenario("5 % fail whatever the load", Vendor(((0.0, 100),), failing=0.05)),
    Scenario("hangs for 30 s", Vendor(((0.0, 100),), hangs=(20.0, 50.0)), seconds=120),
    Scenario("100 ms, times scatter widely", Vendor(((0.0, 100),), ((0.0, _WIDE),))),
    Scenario(
        "ten times as long from 30 s on, too",
        Vendor(((0.0, 200),), ((0.0, _WIDE), (30.0, Lognormal(p50=1.0, p99=6.0)))),
        seconds=90,
    ),
)

LIMITS: dict[str, Callable[[], Limiter]] = {
    "ours": lambda: Adaptive(FLOOR, CEILING),
    "fixed": lambda: AlwaysTheSame(CEILING),
    "Vector ARC": lambda: Arc(FLOOR, CEILING),
    "Vegas": lambda: Vegas(FLOOR, CEILING),
    "Gradient2": lambda: Gradient2(FLOOR, CEILING),
    "AIMD": lambda: Aimd(FLOOR, CEILING),
}


class Phase(NamedTuple):
    """What became of a while: accepted work as a part of the capacity, failures as a part of the posts."""

    used: float
    failed: float


def phases(scenario: Scenario, make: Callable[[], Limiter], seed: int) -> list[Phase]:
    """One run, from 10 s after each change of the vendor to the next one."""
    processes = [Process(make(), 0.0, slow_start=True) for _ in range(scenario.processes)]
    answers = Simulation(scenario.vendor, processes, Load(), seed).run(scenario.seconds)
    vendor = scenario.vendor
    changes = {at for at, _ in (*vendor.servers, *vendor.service)} | {at for at in vendor.hangs if at < math.inf}
    ends = [*sorted(changes)[1:], scenario.seconds]
    whiles = zip(sorted(changes), ends, strict=True)
    return [_phase(scenario, answers, begin + _SETTLES, end) for begin, end in whiles if _is_up(vendor, begin)]


def _is_up(vendor: Vendor, at: float) -> bool:
    return not vendor.hangs[0] <= at < vendor.hangs[1]


def _phase(scenario: Scenario, answers: list[Answer], begin: float, end: float) -> Phase:
    seen = [answer for answer in answers if begin <= answer.at < end]
    capacity = scenario.vendor.capacity_at(begin, CEILING * scenario.processes) * (end - begin)
    failed = sum(not answer.accepted for answer in seen) / max(1, len(seen))
    return Phase(sum(answer.work for answer in seen) / capacity, failed)


def table(seeds: int) -> str:
    """The worst of all seeds, in Markdown: part of the capacity that was used, and part of the posts that failed."""
    lines = [f"| vendor | {' | '.join(LIMITS)} |", f"|---|{'---|' * len(LIMITS)}"]
    for scenario in SCENARIOS:
        cells = [_cell([phases(scenario, make, seed) for seed in range(seeds)]) for make in LIMITS.values()]
        lines.append(f"| {scenario.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(runs: list[list[Phase]]) -> str:
    worst = [
        Phase(min(phase.used for phase in same), max(phase.failed for phase in same))
        for same in zip(*runs, strict=True)
    ]
    used = ", ".join(f"{phase.used:.0%}" for phase in worst)
    return f"{used}; {max(phase.failed for phase in worst):.1%}"
