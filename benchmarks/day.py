"""What a bad day needs: topics of its own, a vendor, a process, a load, and who counts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connector.simulator.server import SimulatorServer
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka
from tests.whole.stage import ListeningVendor, Stage, event

IN_FLIGHT, MINIMUM = 64, 20
"""`delivery.in_flight` and `hold.endpoint.minimum`, as they are by default."""

_PARTITIONS = 6
_RETRY = {"delay": "5s"}
"""In place of 15 minutes, which nobody wants to wait for."""

_PATIENCE = 180.0


class Holds(NamedTuple):
    """How often it held, and for how many seconds at most and in all."""

    number: int
    longest: float
    total: float


class Day:
    """One process with its default settings, but for the retry topic's delay, at a vendor of its own."""

    def __init__(self, stage: Stage, connector: ConnectorProcess) -> None:
        self.stage = stage
        self.simulator = stage.simulator
        self.connector = connector
        self.marks: list[str] = []

    def produce(self, count: int) -> None:
        """So many events, each of another end user as far as there are 5000."""
        new = [f"e-{len(self.marks) + n}" for n in range(count)]
        self.stage.produce_events(event(mark, (len(self.marks) + n) % 5000) for n, mark in enumerate(new))
        self.marks += new

    @contextlib.asynccontextmanager
    async def load(self, rate: int) -> AsyncIterator[None]:
        """So many events a second while the block lasts."""
        producing = asyncio.create_task(self._load(rate))
        try:
            yield
        finally:
            producing.cancel()
            await asyncio.gather(producing, return_exceptions=True)

    async def all_accepted(self) -> None:
        """Wait until the vendor has accepted everything that was produced."""
        await eventually(lambda: not self.stage.lost(self.marks), _PATIENCE, "every event is accepted")

    async def seen(self, code: str) -> int:
        """Posts that ended so, as the process counts them."""
        return int((await self.connector.status())["answers"].get(code, 0))

    async def tries(self) -> int:
        """Records tried so far in the hold that is in force; 0 without one."""
        holds = (await self.connector.status()).get("holds", ())
        return max((int(hold["tries"] or 0) for hold in holds), default=0)

    def answered(self, name: str) -> int:
        """Posts that the vendor answered so."""
        return self.simulator.ledger.answers.get(name, 0)

    def accepted_between(self, begin: float, end: float) -> int:
        """Posts that were accepted between two times of this loop."""
        at = [entry.at for entry in self.simulator.ledger.entries]
        return bisect_right(at, end) - bisect_left(at, begin)

    def first_full_second(self, begin: float, rate: float) -> float:
        """Seconds from `begin` to the end of the first second in which as many were accepted as `rate` says."""
        at = [entry.at for entry in self.simulator.ledger.entries]
        first = bisect_left(at, begin)
        for last in range(first, len(at)):
            if last + 1 - max(first, bisect_left(at, at[last] - 1.0)) >= rate:
                return at[last] - begin
        return float("inf")

    def holds(self, kind: str) -> Holds:
        """Those of a kind that are over."""
        lengths = [line["seconds"] for line in self.connector.lines("hold_left") if line["kind"] == kind]
        return Holds(len(lengths), max(lengths, default=0.0), sum(lengths))

    async def _load(self, rate: int) -> None:
        began, before = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * rate)
            await asyncio.to_thread(self.produce, due - before)
            before = due
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def a_day(
    kafka: Kafka, folder: Path, tls: ssl.SSLContext | None = None, **sections: Mapping[str, Any]
) -> AsyncIterator[Day]:
    """A new vendor and a new process on new topics; the process is not started."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(kafka, folder, simulator, await simulator.start(ssl_context=tls))
    try:
        stage.create_topics(_PARTITIONS)
        yield Day(stage, stage.connector(retry=_RETRY, **sections))
    finally:
        await stage.close()


def scenario(day: Day, **content: Any) -> None:
    """The vendor's day from now on; an answer takes 5 to 50 ms."""
    day.stage.scenario(latency={"kind": "uniform", "low": 0.005, "high": 0.05}, **content)
