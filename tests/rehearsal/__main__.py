"""`python -m tests.rehearsal [WORDS ...]`: those incidents with such words in their title, or all and the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from connector import __version__
from connector.simulator.server import SimulatorServer
from tests.rehearsal import runbook
from tests.rehearsal.incidents import INCIDENTS, Incident
from tests.rehearsal.watch import Prometheus
from tests.rehearsal.world import World
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import ListeningVendor, Stage

FACTOR = 30
"""By which `for` and ranges of the rules are shortened: an hour is two minutes, ten minutes are twenty seconds."""

PROTOCOL = Path(__file__).parents[2] / "docs/rehearsal.md"
_PATIENCE = 300.0
_QUIET = 60.0
_SHOWN = 16
"""Lines from the beginning and from the end of an output that are kept."""


def main(words: Sequence[str]) -> int:
    """Return 1 when an incident did not go as it should."""
    chosen = [one for one in INCIDENTS if not words or any(word in one.title for word in words)]
    told, failed = asyncio.run(_rehearse(chosen))
    text = "".join(told)
    sys.stdout.write(text)
    if not words:
        PROTOCOL.write_text(text, encoding="utf-8")
    return 1 if failed else 0


async def _rehearse(chosen: Sequence[Incident]) -> tuple[list[str], int]:
    told, rows, failed = list[str](), list[str](), 0
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        broker = KafkaBroker(Path(folder) / "kafka")
        broker.start()
        prometheus = Prometheus(Path(folder) / "prometheus", FACTOR)
        version = await prometheus.start()
        try:
            for number, incident in enumerate(chosen):
                sys.stderr.write(f"{incident.title} ...\n")
                story = _Story(incident)
                try:
                    async with _world(broker, prometheus, Path(folder) / f"stage-{number}") as world:
                        await story.live(world, prometheus)
                except (AssertionError, TimeoutError) as error:
                    failed += 1
                    story.says(f"**It did not go as it should**: {str(error)[:600] or type(error).__name__}")
                await prometheus.scrape([], "nowhere")
                rows.append(story.row())
                told.extend(story.lines)
        finally:
            prometheus.stop()
            broker.stop()
    return [_head(version, rows), *told], failed


_HEAD = """\
# Rehearsal

What `make rehearse` saw: each incident for real, its alert, the commands and queries of its runbook as they are printed
there, and its end. Written by the run itself, and cut where an output is long; what needs Kubernetes is left out.

Connector {connector}, Prometheus {prometheus} and the rules of `helm/invoke-connector/files/alerts.yaml`, scraped and
evaluated each second, on real Apache Kafka, with the simulator as the vendor. Each `for` and each range of the rules is
shortened by {factor} (no range below 6 s); thresholds are as they are. A stuck partition takes a bug of ours, put into
a copy of the connector; an eviction is a SIGTERM here, a target that is gone, and another process in its place.

| incident | alert | fired after | resolved after |
|---|---|---|---|
{rows}
"""


def _head(version: str, rows: Sequence[str]) -> str:
    return _HEAD.format(connector=__version__, prometheus=version, factor=FACTOR, rows="".join(rows))


@contextlib.asynccontextmanager
async def _world(broker: KafkaBroker, prometheus: Prometheus, folder: Path) -> AsyncIterator[World]:
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(broker, folder, simulator, await simulator.start())
    world = World(stage, broker, lambda processes: prometheus.scrape(processes, folder.name))
    try:
        yield world
    finally:
        await world.close()


class _Story:
    """What became of one incident, as Markdown."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._runbook = runbook.Runbook.of(incident.alert) if incident.alert else runbook.Runbook({})
        self._fired = self._resolved = ""
        self.lines = [f"## {incident.title[0].upper()}{incident.title[1:]}\n\n"]

    def row(self) -> str:
        """The table's."""
        if not self._incident.alert:
            return f"| {self._incident.title} | none | {self._fired or 'one did'} | |\n"
        link = f"[{self._incident.alert}](runbooks/{self._incident.alert}.md)"
        return f"| {self._incident.title} | {link} | {self._fired or 'never'} | {self._resolved or 'never'} |\n"

    def says(self, text: str) -> None:
        """A paragraph."""
        self.lines.append(f"{text}\n\n")

    async def live(self, world: World, prometheus: Prometheus) -> None:
        """From its beginning to its end."""
        incident = self._incident
        world.run = lambda command: self._mitigate(command, world)
        producing = asyncio.create_task(_produce(world))
        try:
            await incident.begin(world)
            if not incident.alert:
                await self._stays_quiet(world, prometheus)
                return
            begun = time.monotonic()
            others = await _until(prometheus, incident.alert, fires=True)
            self._fired = f"{time.monotonic() - begun:.0f} s"
            self.says(f"`{incident.alert}`: {await prometheus.description(incident.alert)}")
            if others:
                self.says(f"With it fired {', '.join(f'`{name}`' for name in sorted(others))}.")
            await self._ask(world, prometheus, "Diagnosis")
            for command in incident.do:
                await self._mitigate(command, world)
            mended = time.monotonic()
            await incident.mend(world)
            if incident.mend.__doc__:
                self.says(f"Mended by hand: {' '.join(incident.mend.__doc__.split())}")
            if incident.said:
                self.says(f"Nothing was done: {incident.said}.")
            await _until(prometheus, incident.alert, fires=False)
            self._resolved = f"{time.monotonic() - mended:.0f} s"
            await self._ask(world, prometheus, "How to know it is over")
        finally:
            producing.cancel()
            await asyncio.gather(producing, return_exceptions=True)

    async def _stays_quiet(self, world: World, prometheus: Prometheus) -> None:
        until = time.monotonic() + _QUIET
        while time.monotonic() < until:
            firing = await prometheus.firing()
            assert not firing, f"{', '.join(sorted(firing))} fired"
            await asyncio.sleep(0.5)
        await self._incident.mend(world)
        self._fired = f"not in {_QUIET * FACTOR / 60:.0f} shortened minutes"
        self.says(f"Nobody is woken. {' '.join(str(self._incident.mend.__doc__).split())}")

    async def _ask(self, world: World, prometheus: Prometheus, head: str) -> None:
        self.lines.append(f"### {head}\n\n")
        for command in self._runbook.commands(head):
            if not runbook.has_a_gap(command):
                await self._run(command, world)
        for query in self._runbook.queries(head):
            self._show(query, "\n".join(await prometheus.answer(query)) or "(nothing)")

    async def _mitigate(self, command: str, world: World) -> None:
        assert command in self._runbook.commands("Mitigation"), f"{command} is not in the runbook"
        if (head := "### Mitigation\n\n") not in self.lines:
            self.lines.append(head)
        await self._run(command, world)

    async def _run(self, command: str, world: World) -> None:
        code, printed = await runbook.run(command, world.process)
        self._show(f"$ {command}", printed + (f"exit code {code}\n" if code else ""))

    def _show(self, asked: str, said: str) -> None:
        lines = [line.rstrip() for line in said.strip().splitlines()]
        if len(lines) > 2 * _SHOWN:
            lines = [*lines[:_SHOWN], f"... ({len(lines) - 2 * _SHOWN} lines)", *lines[-_SHOWN:]]
        self.lines.append("```\n" + "\n".join([asked, *lines]) + "\n```\n\n")


async def _produce(world: World) -> None:
    while True:
        if world.rate:
            await asyncio.to_thread(world.produce)
        await asyncio.sleep(0.1)


async def _until(prometheus: Prometheus, alert: str, *, fires: bool) -> set[str]:
    """Wait until it fires, or does no more; the others that fire then."""
    async with asyncio.timeout(_PATIENCE):
        while (alert in (firing := await prometheus.firing())) is not fires:  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.5)
    return firing - {alert}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
