"""Bad days at the vendor at their full length: what each costs, and how long it takes until all is as before.

`python -m benchmarks.bad_days`, some twelve minutes. Apache Kafka and `connector run` are processes of their own, with
real sockets and real time between them; the vendor is the simulator, in this process with whoever produces the load.
All settings are the defaults, but for the retry topic's delay.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import capacity, days
from benchmarks.report import machine
from tests.support import jars
from tests.support.kafka_broker import Kafka, KafkaBroker


def bad_days(
    outage: Annotated[int, typer.Option(min=5, help="Seconds of an outage.")] = 60,
    step: Annotated[int, typer.Option(min=15, help="Seconds for which a capacity lasts.")] = 30,
) -> None:
    """Live through each bad day once, on a broker of its own, and print what was seen."""
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="connector-bench-", ignore_cleanup_errors=True) as name:
        broker = KafkaBroker(Path(name) / "kafka")
        try:
            broker.start()
            seen = asyncio.run(_live(broker, Path(name), outage, step, console))
        finally:
            broker.stop()
    console.print(machine())
    for table in seen:
        console.print(table)


async def _live(kafka: Kafka, folder: Path, outage: int, step: int, console: Console) -> tuple[Table, Table]:
    lived: list[days.Cost] = []
    for number, day in enumerate(days.all_of_them(outage)):
        lived.append(await day(kafka, folder / f"day-{number}"))
        console.print(f"{lived[-1].name}: lived through")
    steps: list[capacity.Step] = []
    for number, vendor in enumerate(capacity.VENDORS):
        steps += await capacity.live(kafka, folder / f"capacity-{number}", vendor, step)
        console.print(f"{vendor.name}: lived through")
    return days.table(lived), capacity.table(steps)


def main() -> None:
    """The command."""
    try:
        typer.run(bad_days)
    except jars.UnavailableError as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
