"""The figures as tables, and how they compare."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.builds import HERE
from benchmarks.measure import Measured
from benchmarks.quiet import Quiet
from benchmarks.scenarios import DEFAULTS

BARE_LOOP = "bare loop"
PARALLEL_CONSUMER = "Parallel Consumer, by key"

_LIBRARIES = ("confluent-kafka", "fastavro", "orjson", "uvloop", "httptools")


def show(runs: Sequence[Measured], seen: Sequence[Quiet]) -> None:
    """Print the medians of each contender in each scenario, with what they are of the others'."""
    console = Console(width=150)
    console.print(machine())
    if runs:
        console.print(_full_speed(runs))
    if seen:
        console.print(_quiet(seen))


def line(run: Measured) -> str:
    """One run."""
    return (
        f"{run.scenario}: {run.contender}: {run.cpu_us:.1f} µs of CPU an event, {run.rate:,.0f} events/s, "
        f"{run.peak_bytes / 1e6:.0f} MB, first post after {run.first_post:.1f} s"
    )


def quiet_line(run: Quiet) -> str:
    """One run."""
    return (
        f"{run.scenario}: {run.contender}: {run.cpu_us:.0f} µs of CPU an event, idle {run.idle:.2%} of a core, "
        f"p50 {run.median_ms:.1f} ms, p99 {run.p99_ms:.1f} ms, first post after {run.first_post:.1f} s"
    )


def machine() -> str:
    """What the figures hold for."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{_processor()}, {system}, Python {platform.python_version()}, {libraries}"


def cpu_us(runs: Iterable[Measured], scenario: str, contender: str) -> float | None:
    """Microseconds of CPU an event, the median; None for what was not run."""
    found = [run.cpu_us for run in runs if (run.scenario, run.contender) == (scenario, contender)]
    return median(found) if found else None


def _full_speed(runs: Sequence[Measured]) -> Table:
    table = Table("scenario", "contender", title="At full speed (medians)", title_justify="left")
    for heading in ("CPU µs/event", "user", "system", "x bare loop", "x Parallel C.", "x defaults", "x connector"):
        table.add_column(heading, justify="right")
    for heading in ("events/s", "peak MB", "first post s"):
        table.add_column(heading, justify="right")
    for scenario, contender in dict.fromkeys((run.scenario, run.contender) for run in runs):
        mine = [run for run in runs if (run.scenario, run.contender) == (scenario, contender)]

        def of(read: Callable[[Measured], float], mine: Sequence[Measured] = mine) -> float:
            return median(map(read, mine))

        cpu = of(lambda run: run.cpu_us)
        others = ((scenario, BARE_LOOP), (scenario, PARALLEL_CONSUMER), (DEFAULTS, contender), (scenario, HERE.name))
        table.add_row(
            scenario,
            contender,
            f"{cpu:.1f}",
            f"{of(lambda run: run.cpu.user / run.events * 1e6):.1f}",
            f"{of(lambda run: run.cpu.system / run.events * 1e6):.1f}",
            *(_ratio(cpu, cpu_us(runs, *other), (scenario, contender) == other) for other in others),
            f"{of(lambda run: run.rate):,.0f}",
            f"{max(run.peak_bytes for run in mine) / 1e6:.0f}",
            f"{of(lambda run: run.first_post):.1f}",
        )
    return table


def _quiet(seen: Sequence[Quiet]) -> Table:
    title = "50 events a second, and none (medians)"
    table = Table("scenario", "contender", title=title, title_justify="left")
    for heading in ("CPU µs/event", "idle", "p50 ms", "p99 ms", "first post s", "peak MB"):
        table.add_column(heading, justify="right")
    for scenario, contender in dict.fromkeys((run.scenario, run.contender) for run in seen):
        mine = [run for run in seen if (run.scenario, run.contender) == (scenario, contender)]
        table.add_row(
            scenario,
            contender,
            f"{median(run.cpu_us for run in mine):.0f}",
            f"{median(run.idle for run in mine):.2%}",
            f"{median(run.median_ms for run in mine):.1f}",
            f"{median(run.p99_ms for run in mine):.1f}",
            f"{median(run.first_post for run in mine):.1f}",
            f"{max(run.peak_bytes for run in mine) / 1e6:.0f}",
        )
    return table


def _ratio(mine: float, other: float | None, is_itself: bool) -> str:
    return "" if other is None or is_itself else f"{mine / other:.2f}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0] if models else platform.machine()}"
