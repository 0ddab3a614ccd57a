"""The figures as a table, and how they compare."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measured

TARGET = 1.3
"""CPU an event of the connector by that of the bare loop, at most."""

_LIBRARIES = ("aiohttp", "confluent-kafka", "fastavro", "orjson", "uvloop")


def print_report(runs: Sequence[Measured], baseline: str) -> None:
    """Print every run, and the medians by contender with their ratio to the baseline's."""
    console = Console(width=110)
    console.print(machine())
    console.print(_table("Runs", [(run.name, run.rate, run.cpu_us, run.peak_bytes, None) for run in runs]))
    base = median(_cpu(runs, baseline))
    rows = []
    for name in dict.fromkeys(run.name for run in runs):
        mine = [run for run in runs if run.name == name]
        cpu = median(_cpu(runs, name))
        peak = max(run.peak_bytes for run in mine)
        rows.append((name, median(run.rate for run in mine), cpu, peak, cpu / base))
    console.print(_table(f"Medians (target: a ratio of at most {TARGET})", rows))


def machine() -> str:
    """What the figures hold for."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{_processor()}, {platform.system()} {platform.release()}, Python {platform.python_version()}, {libraries}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0] if models else platform.machine()}"


def _cpu(runs: Iterable[Measured], name: str) -> list[float]:
    return [run.cpu_us for run in runs if run.name == name]


def _table(title: str, rows: Iterable[tuple[str, float, float, int, float | None]]) -> Table:
    table = Table("contender", title=title, title_justify="left")
    for heading in ("events/s", "CPU µs/event", "peak MB", "ratio"):
        table.add_column(heading, justify="right")
    for name, rate, cpu, peak, ratio in rows:
        table.add_row(name, f"{rate:,.0f}", f"{cpu:.1f}", f"{peak / 1e6:.0f}", "" if ratio is None else f"{ratio:.2f}")
    return table
