"""The whole engine before a vendor that can do only so much, and now less: it finds that out by itself."""

from __future__ import annotations

import asyncio

import pytest

from connector.core.concurrency import Adaptive
from connector.core.reply import Answer, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from connector.simulator.capacity import Queue
from connector.simulator.scenario import Capacity, Servers
from tests.engine.stage import ACCEPTED, BOUNDS, DEAD, RETRY, Connector, broker, event, feed, running, values
from tests.support.clock import VirtualClock, run_virtual

SERVICE_SECONDS = 0.02
STEP, SETTLES = 15.0, 10.0
SERVERS = (10, 1, 10)
BUSY = Reply(429, None, b"", retry_after="1")


class QueueingVendor:
    """The simulator's queue: N servers, ten may wait, and the others are turned away."""

    def __init__(self, clock: VirtualClock) -> None:
        steps = tuple(Servers(after=number * STEP, count=count) for number, count in enumerate(SERVERS))
        self._queue = Queue(Capacity(servers=steps))
        self._clock = clock
        self.answers: list[tuple[float, Answer]] = []

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post."""
        served = self._queue.offer(self._clock.monotonic(), SERVICE_SECONDS)
        answer = BUSY if served is None else ACCEPTED
        await asyncio.sleep(0.001 if served is None else served)
        self.answers.append((self._clock.monotonic(), answer))
        return answer

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@run_virtual
async def test_a_vendor_whose_capacity_changes_is_used_and_not_overrun(clock: VirtualClock) -> None:
    """500 requests a second, then 50, then 500: from 10 s after each step 90 % of it, and failures below 1 %.

    A 429 stops the whole process for a second, and nobody who was turned away is late by more than that.
    """
    kafka, vendor = broker(clock, main=4), QueueingVendor(clock)
    for n in range(16_000):
        feed(kafka, event(n), n % 4)
    bounds = BOUNDS._replace(in_flight=64, records=10_000, size=1 << 24)
    async with running(
        Connector(
            kafka, vendor, clock, bounds=bounds, limit=Adaptive(1, 64), warm=False
        )  # another vendor of the same shape
    ):
        await asyncio.sleep(len(SERVERS) * STEP)
        for number, servers in enumerate(SERVERS):
            begin, end = number * STEP + SETTLES, (number + 1) * STEP
            seen = [answer for at, answer in vendor.answers if begin <= at < end]
            capacity = servers / SERVICE_SECONDS * (end - begin)
            assert seen.count(ACCEPTED) >= 0.9 * capacity
            assert seen.count(BUSY) < 0.01 * len(seen)
        assert values(kafka, RETRY) == values(kafka, DEAD) == []
