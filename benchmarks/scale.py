"""What each process more adds: one, two and four of them on one topic, at a vendor that takes 50 ms for an answer.

Few posts under way for each, so that neither the cores of this machine nor the sink are the limit.
"""

from __future__ import annotations

import asyncio
import tempfile
from bisect import bisect_left, bisect_right
from pathlib import Path

import typer

from connector.simulator.server import SimulatorServer
from tests.support.apache_kafka import ApacheKafka
from tests.support.kafka_broker import Kafka
from tests.whole.stage import ListeningVendor, Stage, event

_PROCESSES = (1, 2, 4)
_PARTITIONS = 8
_SECONDS = 10.0
_VENDOR_SECONDS = 0.05
_IN_FLIGHT = 4
_BACKLOG = 2.5
"""Times what the processes can post while they are measured."""

_SETTLES = 3.0
"""Seconds from the moment in which each has its part until it counts."""


async def _measure(kafka: Kafka, folder: Path, count: int) -> float:
    """Accepted posts a second of so many processes."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(kafka, folder, simulator, await simulator.start())
    try:
        stage.create_topics(_PARTITIONS, retry=_PARTITIONS)
        stage.scenario(latency={"kind": "uniform", "low": _VENDOR_SECONDS, "high": _VENDOR_SECONDS})
        many = int(count * _IN_FLIGHT / _VENDOR_SECONDS * (_SECONDS + _SETTLES) * _BACKLOG)
        await asyncio.to_thread(stage.produce_events, (event(f"e-{n}", n % 9999) for n in range(many)))
        processes = [
            stage.connector(delivery={"in_flight": _IN_FLIGHT}, pace={"floor": _IN_FLIGHT}) for _ in range(count)
        ]
        await asyncio.gather(*(process.start() for process in processes))
        for process in processes:
            await process.status_when(lambda status: status.get("main_partitions") == _PARTITIONS // count)
        await asyncio.sleep(_SETTLES)
        begin = asyncio.get_running_loop().time()
        await asyncio.sleep(_SECONDS)
        at = [entry.at for entry in simulator.ledger.entries]
        return (bisect_right(at, begin + _SECONDS) - bisect_left(at, begin)) / _SECONDS
    finally:
        await stage.close()


def main() -> None:
    """Measure each number of processes once, on a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="connector-scale-", ignore_cleanup_errors=True) as name:
        broker = ApacheKafka(Path(name) / "kafka")
        try:
            broker.start()
            one = 0.0
            for count in _PROCESSES:
                kafka = Kafka(broker.bootstrap_servers)
                accepted = asyncio.run(_measure(kafka, Path(name) / f"{count}", count))
                one = one or accepted
                typer.echo(f"{count} of them: {accepted:.0f} events a second, {accepted / one:.2f} times one process")
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
