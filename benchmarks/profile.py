"""`make profile`: where each microsecond of a delivered event goes.

First the connector alone, without Kafka and HTTP: CPU and calls for each event, in each mix of events. Then the whole
process on real Kafka and nginx, asked a thousand times a second what it is doing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import builds, calls, contenders, in_memory
from benchmarks.measure import measure
from benchmarks.report import machine
from benchmarks.rig import Rig
from benchmarks.scenarios import DEFAULTS, SCENARIOS
from benchmarks.sink import UnavailableError
from tests.support import jars

_SECONDS_TO_US = 1e6
_SHOWN_US = 0.05


class Spent(NamedTuple):
    """Microseconds of an event, by function of the main thread and by thread."""

    functions: Mapping[str, float]
    threads: Mapping[str, float]


def profile(
    events: Annotated[int, typer.Option(min=3000, help="Events of a run.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs in memory of each mix, by turns.")] = 3,
    shown: Annotated[int, typer.Option("--functions", min=1, help="Functions that are named.")] = 40,
    alone: Annotated[bool, typer.Option("--in-memory", help="Without Kafka and HTTP only.")] = False,
) -> None:
    """Show CPU and calls by mix, by file and by function."""
    console = Console(width=120)
    console.print(machine())
    with tempfile.TemporaryDirectory(prefix="connector-profile-") as name:
        folder = Path(name)
        console.print(_mixes(folder, events // 5, rounds))
        console.print(_calls(calls.count(in_memory.MIXES[DEFAULTS], folder)))
        if not alone:
            spent = _spent(folder, events)
            console.print(_by_file(spent), _by_function(spent, shown), _by_thread(spent))


def _mixes(folder: Path, events: int, rounds: int) -> Table:
    table = Table("events", title="In memory, for each event", title_justify="left")
    for heading in ("CPU µs", "records taken", "Python calls", "built-in calls"):
        table.add_column(heading, justify="right")
    mixes = in_memory.MIXES
    seen = [(name, in_memory.measure(mix, events, folder)) for _ in range(rounds) for name, mix in mixes.items()]
    for name, mix in mixes.items():
        mine = [used for of, used in seen if of == name]
        counted = calls.count(mix, folder)
        table.add_row(
            mix.says,
            f"{median(used.cpu_us for used in mine):.1f}",
            f"{median(used.taken for used in mine):.2f}",
            f"{sum(counted.python.values()):.0f}",
            f"{sum(counted.built_in.values()):.0f}",
        )
    return table


def _calls(counted: calls.Calls) -> Table:
    table = Table("file", title="Calls for each event, in memory, defaults", title_justify="left")
    table.add_column("Python", justify="right")
    table.add_column("built-in", justify="right")
    for file in counted.python:
        table.add_row(file, f"{counted.python[file]:.1f}", f"{counted.built_in.get(file, 0):.1f}")
    return table


def _spent(folder: Path, events: int) -> Spent:
    """Run the whole process once, and take what it used once it was warm."""
    scenario, samples = SCENARIOS[DEFAULTS], folder / "samples.json"
    os.environ["SAMPLES"] = str(samples)
    rig = Rig(folder, events)
    begun: list[tuple[int, dict[str, dict[str, float]]]] = []
    with rig.running():
        stage = rig.stage(scenario)
        before = rig.posts(scenario)

        def posts() -> int:
            done = rig.posts(scenario) - before
            if not begun and done >= events // 3 and samples.exists():
                begun.append((done, json.loads(samples.read_text())))
            return done

        with contenders.connector(builds.HERE, stage, f"profile-{uuid.uuid4().hex[:8]}", "benchmarks.sampled") as pid:
            measure(scenario.name, builds.HERE.name, pid, events, posts)
            ended = json.loads(samples.read_text())
    done, first = begun[0]

    def since(kind: str) -> dict[str, float]:
        return {
            name: (seconds - first[kind].get(name, 0.0)) / (events - done) * _SECONDS_TO_US
            for name, seconds in ended[kind].items()
        }

    return Spent(since("functions"), since("threads"))


def _by_file(spent: Spent) -> Table:
    files: defaultdict[str, float] = defaultdict(float)
    for function, us in spent.functions.items():
        file, _, name = function.partition(".py ")
        files[f"{file}.py" if name else file] += us
    return _table("Main thread by file, with what it calls of libraries", files)


def _by_function(spent: Spent, shown: int) -> Table:
    most = dict(sorted(spent.functions.items(), key=lambda item: -item[1])[:shown])
    return _table("Main thread by function", most)


def _by_thread(spent: Spent) -> Table:
    return _table("By thread", spent.threads)


def _table(title: str, spent: Mapping[str, float]) -> Table:
    table = Table("", title=f"{title} (µs of CPU an event)", title_justify="left", show_footer=True)
    table.add_column("µs", f"{sum(spent.values()):.1f}", justify="right")
    for name, us in sorted(spent.items(), key=lambda item: -item[1]):
        if us >= _SHOWN_US:
            table.add_row(name, f"{us:.2f}")
    return table


def main() -> None:
    """The command."""
    try:
        typer.run(profile)
    except (UnavailableError, jars.UnavailableError) as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
