"""`make kills`: what a kill -9 repeats at full speed and at low load, beside what nobody can help: posts in flight."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import typer

from connector.simulator.ledger import Entry
from connector.simulator.rules import ACCOUNT_ID, PASSWORD
from connector.simulator.scenario import Fixed, Scenario
from connector.simulator.server import SimulatorServer
from tests.chaos import topics
from tests.chaos.books import Spread, spread
from tests.chaos.judge import MARK
from tests.chaos.plan import Event
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.jars import UnavailableError
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import SERVICE

UNCOMMITTED, IN_FLIGHT = 500, 64
BEYOND_IN_FLIGHT = 40
"""What a kill may repeat beyond the posts in flight, in the mean."""

_PARTITIONS = 4
_VENDOR_SECONDS = 0.01
_ON_THE_ROAD_SECONDS = 0.3
"""After a kill the vendor has read by then what the dead process had written; a new one takes longer to start."""
_END_SECONDS = 120.0


class Load(NamedTuple):
    """`rate` events a second, or, when None, all of them before the first process starts."""

    name: str
    events: int
    rate: float | None


class Killed(NamedTuple):
    """`at` in the vendor's seconds; `in_flight` posts whose answers the process had not read, by its own count."""

    at: float
    in_flight: int


class Found(NamedTuple):
    """What one load showed. `pace`: accepted a second between kills; `beyond`: repeats of each kill less the posts in
    flight."""

    load: Load
    pace: float
    in_flight: Spread
    repeats: Spread
    beyond: Spread
    unexplained: int
    lost: int


class Run:
    """One load, with topics and a group of its own. The process has a static name, so that it is back at once."""

    def __init__(self, folder: Path, broker: KafkaBroker, load: Load, kills: int, seed: int) -> None:
        self._broker = broker
        self._load = load
        self._kills = kills
        self._random = Random(seed)
        self._name = load.name.replace(" ", "-")
        self._folder = folder / self._name
        self._vendor = SimulatorServer()
        self._killed: list[Killed] = []
        self._seconds = self._posted = 0.0

    async def go(self) -> Found:
        """Kill the process so often at work, start it again each time, let it finish, and count."""
        for name in (self._name, f"{self._name}.retry", f"{self._name}.dlq"):
            self._broker.create_topic(name, _PARTITIONS)
        async with contextlib.AsyncExitStack() as stack:
            process = self._process(await self._vendor.start())
            stack.push_async_callback(self._vendor.stop)
            stack.push_async_callback(process.kill)
            self._vendor.set_scenario(Scenario(latency=Fixed(seconds=_VENDOR_SECONDS)))
            producing = asyncio.create_task(self._produce())
            stack.callback(producing.cancel)
            if self._load.rate is None:
                await producing
            for number in range(self._kills):
                await self._live(process, self._load.events * (number + 1) // (self._kills + 1))
            await process.start()
            await producing
            with contextlib.suppress(AssertionError):  # what is lost is counted
                await eventually(lambda: not self._missing, _END_SECONDS, "not all events came")
            await process.stop()
        return found(self._load, self._vendor.ledger.entries, self._killed, self._posted / self._seconds)

    async def _live(self, process: ConnectorProcess, until: int) -> None:
        loop, ledger = asyncio.get_running_loop(), self._vendor.ledger
        first = ledger.accepted + 1
        await process.spawn()  # it posts before it is ready: when the retry topic's member comes late, all there is
        await self._until(first)
        began, before = loop.time(), ledger.accepted
        await self._until(until)
        in_flight = (await process.status())["in_flight"]
        await asyncio.sleep(self._random.uniform(0.0, 0.05))  # nowhere in particular between two commits
        self._killed.append(Killed(loop.time(), in_flight))
        self._seconds += loop.time() - began
        self._posted += ledger.accepted - before
        await process.kill()
        await asyncio.sleep(_ON_THE_ROAD_SECONDS)

    async def _until(self, accepted: int) -> None:
        ledger = self._vendor.ledger
        await eventually(lambda: ledger.accepted >= accepted, _END_SECONDS, f"fewer than {accepted} were accepted")

    @property
    def _missing(self) -> int:
        return self._load.events - len(self._vendor.ledger.counts("marker"))

    async def _produce(self) -> None:
        producer = topics.EventProducer(self._broker.bootstrap_servers, self._name)
        for number in range(self._load.events):
            producer.write(Event(number, "accepted"))
            if self._load.rate is not None:
                await asyncio.sleep(1 / self._load.rate)
        await asyncio.to_thread(producer.flush)

    def _process(self, base_url: str) -> ConnectorProcess:
        self._folder.mkdir()
        password = self._folder / "password"
        password.write_text(PASSWORD)
        settings = {
            "kafka": {
                "bootstrap_servers": self._broker.bootstrap_servers,
                "group_id": self._name,
                "group_instance_id": "one",
                "topics": {"main": self._name, "retry": f"{self._name}.retry", "dead_letter": f"{self._name}.dlq"},
            },
            "openmarket": {
                "base_url": base_url,
                "account_id": ACCOUNT_ID,
                "password_file": str(password),
                "service_ids": [SERVICE],
            },
            "delivery": {"in_flight": IN_FLIGHT, "uncommitted": UNCOMMITTED},
            "log": {"format": "json"},
        }
        return ConnectorProcess(self._folder, settings)


def found(load: Load, entries: Sequence[Entry], killed: Sequence[Killed], pace: float) -> Found:
    """Count. A repeat belongs to the last kill before it, if the event had been accepted before that."""
    first: dict[str, float] = {}
    repeats = [0] * len(killed)
    unexplained = 0
    for entry in entries:
        if (before := first.setdefault(entry.marker, entry.at)) == entry.at:
            continue
        place = bisect([kill.at for kill in killed], entry.at) - 1
        if place >= 0 and before <= killed[place].at + _ON_THE_ROAD_SECONDS:
            repeats[place] += 1
        else:
            unexplained += 1
    return Found(
        load,
        pace,
        in_flight=spread(kill.in_flight for kill in killed),
        repeats=spread(repeats),
        beyond=spread(count - kill.in_flight for count, kill in zip(repeats, killed, strict=True)),
        unexplained=unexplained,
        lost=sum(f"{MARK}{number}" not in first for number in range(load.events)),
    )


def table(all_found: Sequence[Found]) -> str:
    """The figures as they stand in docs/delivery-figures.md."""
    lines = [
        "| load | accepted a second | kills | in flight at the kill, mean and most | posted twice, mean and most "
        f"| beyond in flight, mean and most | to reach: mean ≤ in flight + {BEYOND_IN_FLIGHT}, "
        f"most ≤ {UNCOMMITTED} + {IN_FLIGHT} |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in all_found:
        held = each.beyond.mean <= BEYOND_IN_FLIGHT and each.repeats.largest <= UNCOMMITTED + IN_FLIGHT
        cells = [f"{of.mean:.1f}, {of.largest:.0f}" for of in (each.in_flight, each.repeats, each.beyond)]
        words = [each.load.name, f"{each.pace:,.0f}", str(each.repeats.times), *cells, "yes" if held else "**no**"]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def kills(
    events: Annotated[int, typer.Option(min=1000, help="The backlog at full speed.")] = 20_000,
    times: Annotated[int, typer.Option(min=1, help="kill -9 of the process, with each load.")] = 5,
    rate: Annotated[float, typer.Option(min=1, help="Events a second at low load.")] = 85.0,
    full_speed_only: bool = False,
    seed: int = 1,
) -> None:
    """Kill a connector on real Kafka again and again, and count what the vendor got twice."""
    loads = [Load("full speed", events, None)]
    if not full_speed_only:
        loads.append(Load("low load", int(rate * 4 * (times + 1)), rate))
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as folder:
        broker = KafkaBroker(Path(folder) / "kafka")
        try:
            broker.start()
            all_found = asyncio.run(_one_by_one(Path(folder), broker, loads, times, seed))
        finally:
            broker.stop()
    typer.echo(table(all_found))
    lost, unexplained = (sum(getattr(each, name) for each in all_found) for name in ("lost", "unexplained"))
    typer.echo(f"lost {lost}, posted twice without a kill {unexplained}")
    if lost or unexplained:
        raise typer.Exit(1)


async def _one_by_one(
    folder: Path, broker: KafkaBroker, loads: Sequence[Load], times: int, seed: int
) -> Sequence[Found]:
    return [await Run(folder, broker, load, times, seed).go() for load in loads]


def main() -> None:
    """The command. Exit code 1 when something was lost or repeated without a kill, 2 for what cannot be run."""
    try:
        typer.run(kills)
    except UnavailableError as refused:
        print(refused, file=sys.stderr)  # noqa: T201 - a command's answer
        sys.exit(2)


if __name__ == "__main__":
    main()
