"""Events under which something is broken."""

from __future__ import annotations

import asyncio

from tests.support.deadline import eventually
from tests.whole.stage import Stage, event

PATIENCE = 60.0
STANDSTILL = 150.0
"""Seconds. A group of the classic protocol may stand still for `kafka.max_poll_interval`, 2 minutes, when its
coordinator comes back and has lost track of a member (KAFKA-20938)."""

LATENCY = {"kind": "uniform", "low": 0.0, "high": 0.1}
"""What the vendor takes for an answer."""

_BATCH, _PAUSE = 10, 0.05
"""Events at a time, and seconds between two times."""


class Load:
    """Events that come at a steady pace, for as long as the block lasts, to a vendor that takes its time."""

    def __init__(self, stage: Stage, partitions: int = 6) -> None:
        stage.create_topics(partitions=partitions)
        stage.scenario(latency=LATENCY)
        self.marks: list[str] = []
        self._stage = stage
        self._enough = False

    async def __aenter__(self) -> Load:
        self._producing = asyncio.create_task(self._produce())
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._enough = True
        await self._producing

    async def goes_on(self, count: int = 100) -> None:
        """Wait until so many more are accepted."""
        goal = self._stage.simulator.ledger.accepted + count
        await eventually(
            lambda: self._stage.simulator.ledger.accepted >= goal, STANDSTILL, f"{count} more are accepted"
        )

    async def _produce(self) -> None:
        while not self._enough:
            new = [f"e-{len(self.marks) + n}" for n in range(_BATCH)]
            events = [event(mark, len(self.marks) + n) for n, mark in enumerate(new)]
            # On a thread: without a broker it waits, and the vendor has to answer meanwhile.
            await asyncio.to_thread(self._stage.produce_events, events)
            self.marks += new
            await asyncio.sleep(_PAUSE)
