"""`make bench`: the connector and the bare loop by turns, on one core, everything else on the other."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import contenders
from benchmarks.contenders import Stage
from benchmarks.events import create_topics, fill
from benchmarks.measure import Measured, measure
from benchmarks.report import print_report
from benchmarks.sink import Sink, UnavailableError
from tests.support import jars
from tests.support.apache_kafka import ApacheKafka

_PARTITIONS = 4
_BASELINE = "bare loop"

Contender = Callable[[Stage, str], AbstractContextManager[int]]

_CONTENDERS: dict[str, Contender] = {
    _BASELINE: contenders.bare_loop,
    "connector": contenders.connector,
    "connector, log.accepted: false": contenders.quiet_connector,
}


def bench(
    events: Annotated[int, typer.Option(min=1000, help="Events that each contender posts in a run.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each contender, by turns.")] = 3,
) -> None:
    """Measure throughput, CPU an event and memory of the connector beside a bare loop, in one sitting."""
    core = contenders.take_the_rest()
    runs: list[Measured] = []
    with _stage(core, events) as (stage, sink):
        for turn in range(rounds):
            for name, contender in _CONTENDERS.items():
                runs.append(_run(name, contender, stage, sink, events))
                typer.echo(f"round {turn + 1}: {name}: {runs[-1].cpu_us:.1f} µs of CPU an event")
    print_report(runs, _BASELINE)


def _run(name: str, contender: Contender, stage: Stage, sink: Sink, events: int) -> Measured:
    before = sink.posts()
    with contender(stage, f"bench-{uuid.uuid4().hex[:8]}") as pid:
        measured = measure(name, pid, events, sink.posts)
    posted = sink.posts() - before
    if posted != events:
        raise RuntimeError(f"{name} posted {posted} times for {events} events")
    return measured


@contextlib.contextmanager
def _stage(core: int, events: int) -> Iterator[tuple[Stage, Sink]]:
    with tempfile.TemporaryDirectory(prefix="connector-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        sink, broker = Sink(folder / "sink"), ApacheKafka(folder / "kafka")
        try:
            sink.start()
            broker.start()
            stage = Stage(broker.bootstrap_servers, "bench", sink.base_url, folder, core)
            create_topics(stage.bootstrap_servers, _PARTITIONS, "bench", "bench.retry", "bench.dlq")
            size = fill(stage.bootstrap_servers, stage.topic, events)
            typer.echo(f"{events:,} events of {size} bytes in {_PARTITIONS} partitions")
            yield stage, sink
        finally:
            broker.stop()
            sink.stop()


def main() -> None:
    """The command."""
    try:
        typer.run(bench)
    except (UnavailableError, jars.UnavailableError) as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
