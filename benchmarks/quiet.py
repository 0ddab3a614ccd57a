"""How soon, and at what cost, when there is little to do: 50 events a second, and then none."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import quantiles
from typing import NamedTuple

from confluent_kafka import Producer

from benchmarks.contenders import Stage
from benchmarks.events import encoder, end_user, events
from benchmarks.measure import cpu, peak_bytes

EVENTS = 1000
_APART = 0.02
_IDLE_SECONDS = 15.0
_SETTLES = 5.0
"""Seconds until a start, or what was just posted, is no longer worked on."""

_PATIENCE = 60.0
_ANSWER = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: bench\r\nContent-Length: 0\r\n\r\n"
_NUMBER = re.compile(rb'"phoneNumber":"(\d+)"').search

Start = Callable[[Stage, str], AbstractContextManager[int]]


class Quiet(NamedTuple):
    """What was seen of a contender: `cpu_us` an event at 50 a second, `idle` as a share of a core when there are none.

    Milliseconds from `produce`, without linger, to the first byte of the post; seconds from the start of the process to
    its first post.
    """

    scenario: str
    contender: str
    cpu_us: float
    idle: float
    median_ms: float
    p99_ms: float
    first_post: float
    peak_bytes: int


class _Vendor(asyncio.Protocol):
    """Answers each post, which comes in one piece or two: head and body. Tells when the first byte of it came."""

    def __init__(self, on_post: Callable[[str, float], None]) -> None:
        self._on_post = on_post
        self._came: float | None = None
        self._seen = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came = self._came or time.monotonic()
        self._seen += data
        if (number := _NUMBER(self._seen)) is not None:
            self._on_post(number[1].decode(), self._came)
            self._came, self._seen = None, b""
            self._transport.write(_ANSWER)


class _Posted(dict[str, float]):
    """When the post of each phone number came."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def add(self, number: str, came: float) -> None:
        self[number] = came
        self._woken.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(_PATIENCE):
            while len(self) < count:
                self._woken.clear()
                await self._woken.wait()


async def measure(scenario: str, contender: str, start: Start, stage: Stage, group: str) -> Quiet:
    """Run a contender on a topic that is empty; the stage's sink is not used. Raises TimeoutError when it posts not."""
    posted = _Posted()
    server = await asyncio.get_running_loop().create_server(lambda: _Vendor(posted.add), "127.0.0.1", 0)
    stage = stage._replace(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    producer = Producer({"bootstrap.servers": stage.bootstrap_servers, "linger.ms": 0})
    encode = encoder().encode
    first, *others = [(end_user(number), encode(event)) for number, event in enumerate(events(EVENTS))]
    produced: dict[str, float] = {}

    def produce(number: str, value: bytes) -> None:
        produced[number] = time.monotonic()
        producer.produce(stage.topic, value, number.encode())
        producer.poll(0)

    produce(*first)
    producer.flush(_PATIENCE)
    started = time.monotonic()
    with start(stage, group) as pid:
        await posted.until(1)
        first_post = posted[first[0]] - started
        await asyncio.sleep(_SETTLES)
        used = cpu(pid)
        for number, value in others:
            produce(number, value)
            await asyncio.sleep(_APART)
        await posted.until(EVENTS)
        used = cpu(pid) - used
        await asyncio.sleep(_SETTLES)
        before = cpu(pid)
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (cpu(pid) - before).seconds / _IDLE_SECONDS
        peak = peak_bytes(pid)
    server.close()
    cuts = quantiles((posted[number] - produced[number] for number, _ in others), n=100)
    cpu_us = used.seconds / len(others) * 1e6
    return Quiet(scenario, contender, cpu_us, idle, cuts[49] * 1000, cuts[98] * 1000, first_post, peak)
