"""`make chaos`: a long run under faults, and its report."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from connector.config.units import parse_duration
from tests.chaos.plan import Parameters
from tests.chaos.report import figures, page
from tests.chaos.run import Run, Seen
from tests.support.jars import UnavailableError


def chaos(
    events: Annotated[int, typer.Option(min=100, help="Events, spread evenly over the duration.")] = 1_000_000,
    duration: Annotated[str, typer.Option(help="How long events are produced.")] = "65m",
    partitions: Annotated[int, typer.Option(min=1, max=1000)] = 64,
    processes: Annotated[int, typer.Option(min=2, max=20, help="The first one is never ended.")] = 3,
    kills: Annotated[int, typer.Option(min=0, help="kill -9 of a process, which is started again.")] = 50,
    clean_stops: Annotated[int, typer.Option(min=0, help="SIGTERM of a process, which is started again.")] = 10,
    joins: Annotated[int, typer.Option(min=0, help="A further process joins, and leaves.")] = 5,
    broker_restarts: Annotated[int, typer.Option(min=0, help="By turns kill -9 and clean.")] = 5,
    seed: int = 1,
    folder: Annotated[
        Path, typer.Option(help="Everything is kept here; a folder of an interrupted run goes on with it.")
    ] = Path("build/chaos"),
    report: Annotated[Path, typer.Option(help="The page that is written at the end.")] = Path(
        "build/chaos/delivery-figures.md"
    ),
) -> None:
    """Run real connectors on real Kafka under faults, and count what was lost and what was posted twice."""
    given = Parameters(
        events, parse_duration(duration), partitions, processes, kills, clean_stops, joins, broker_restarts, seed
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("starting", total=1.0)

        async def run() -> Seen:
            return await Run(folder, given, partial(_show, progress, task)).go()

        seen = asyncio.run(run())
    found = figures(folder, seen)
    command = shlex.join(["python", "-m", "tests.chaos", *sys.argv[1:]])
    report.write_text(page(found, seen, command, _commit(), time.strftime("%Y-%m-%d")))
    typer.echo(f"lost {found.lost}, posted twice {found.twice}; the report: {report}")
    if found.lost or found.wrongly_dead_lettered or seen.unread:
        raise typer.Exit(1)


def _show(progress: Progress, task: TaskID, share: float, text: str) -> None:
    progress.update(task, completed=share, description=text)


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def main() -> None:
    """The command. Exit code 1 when something was lost or left over, 2 for what cannot be run."""
    try:
        typer.run(chaos)
    except (UnavailableError, ValueError) as refused:
        print(refused, file=sys.stderr)  # noqa: T201 - a command's answer
        sys.exit(2)


if __name__ == "__main__":
    main()
