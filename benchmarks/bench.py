"""`make bench`: the connector and its peers by turns, on one core, everything else on the other.

`make bench BENCH=--list` names the scenarios; without a name `defaults` is run.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import builds, contenders, parallel_consumer, picture, quiet, report
from benchmarks.contenders import Stage
from benchmarks.measure import Measured, measure
from benchmarks.rig import Rig
from benchmarks.scenarios import DEFAULTS, QUIET_SCENARIOS, SCENARIOS, Scenario, says
from benchmarks.sink import UnavailableError
from tests.support import jars

Start = Callable[[Stage, str], AbstractContextManager[int]]
"""Runs a contender in a consumer group; its process id."""


def bench(
    scenarios: Annotated[list[str] | None, typer.Argument(help="Names of scenarios, or `all`.")] = None,
    events: Annotated[int, typer.Option(min=1000, help="Events that each contender posts in a run.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each contender, by turns.")] = 3,
    against: Annotated[list[str] | None, typer.Option(help="A commit whose connector is measured, too.")] = None,
    compiled: Annotated[bool, typer.Option("--compiled", help="Measure it compiled, as in the image, too.")] = False,
    svg: Annotated[Path | None, typer.Option("--picture", help="An SVG file to draw.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the scenarios, and end.")] = False,
) -> None:
    """Measure CPU an event, throughput and memory of the connector beside its peers, in one sitting."""
    if listed:
        for name, text in says().items():
            typer.echo(f"{name:18} {text}")
        return
    names = [*SCENARIOS, *QUIET_SCENARIOS] if scenarios == ["all"] else scenarios or [DEFAULTS]
    if unknown := set(names) - SCENARIOS.keys() - QUIET_SCENARIOS.keys():
        raise typer.BadParameter(f"no scenario {', '.join(sorted(unknown))}: see --list")
    full_speed = [SCENARIOS[name] for name in names if name in SCENARIOS]
    runs: list[Measured] = []
    seen: list[quiet.Quiet] = []
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-bench-")))
            connectors: dict[str, Start] = {}
            ours = [builds.HERE, *([builds.compiled()] if compiled else [])]
            for build in (*ours, *(stack.enter_context(builds.of_commit(each)) for each in against or ())):
                connectors[build.name] = partial(contenders.connector, build)
            peer = _peer(folder) if any(scenario.parallel_consumer for scenario in full_speed) else None
            rig = Rig(folder, events)
            stack.enter_context(rig.running())
            for turn in range(rounds):
                typer.echo(f"round {turn + 1}")
                for scenario in full_speed:
                    runs += _at_full_speed(rig, scenario, {**connectors, **_peers(scenario, peer)})
                for name in names:
                    if name in QUIET_SCENARIOS:
                        seen += _quiet(rig, name, connectors)
    finally:  # what was seen before anything failed
        report.show(runs, seen)
    if svg is not None:
        svg.write_text(picture.of(runs))


def _peer(folder: Path) -> parallel_consumer.ParallelConsumer | None:
    if missing := parallel_consumer.missing():
        typer.echo(f"without Parallel Consumer: {missing} is not here")
        return None
    return parallel_consumer.build(folder / "peer")


def _peers(scenario: Scenario, peer: parallel_consumer.ParallelConsumer | None) -> dict[str, Start]:
    peers: dict[str, Start] = {}
    if scenario.bare_loop:
        peers[report.BARE_LOOP] = contenders.bare_loop
    if scenario.parallel_consumer and peer is not None:
        peers[report.PARALLEL_CONSUMER] = partial(contenders.parallel_consumer, peer)
    return peers


def _at_full_speed(rig: Rig, scenario: Scenario, running: Mapping[str, Start]) -> Iterator[Measured]:
    """One run of each contender."""
    stage, events = rig.stage(scenario), rig.events(scenario)
    for name, start in running.items():
        before = rig.posts(scenario)

        def posts(before: int = before) -> int:
            return rig.posts(scenario) - before

        with start(stage, _new_group()) as pid:
            measured = measure(scenario.name, name, pid, events, posts)
        if name in (builds.HERE.name, builds.COMPILED.name) and (posted := posts()) != events:
            raise RuntimeError(f"{name} posted {posted} times for {events} events")
        typer.echo(f"  {report.line(measured)}")
        yield measured


def _quiet(rig: Rig, name: str, running: Mapping[str, Start]) -> Iterator[quiet.Quiet]:
    """One run of each connector."""
    scenario = QUIET_SCENARIOS[name]
    for contender, start in running.items():
        with rig.quiet_stage(scenario.partitions, scenario.in_flight) as stage:
            seen = asyncio.run(quiet.measure(name, contender, start, stage, _new_group()))
        typer.echo(f"  {report.quiet_line(seen)}")
        yield seen


def _new_group() -> str:
    return f"bench-{uuid.uuid4().hex[:8]}"


def main() -> None:
    """The command."""
    try:
        typer.run(bench)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed}\n{(failed.stderr or b'').decode(errors='replace')}")
    except (UnavailableError, jars.UnavailableError) as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
