"""How soon: from a record's production to its post's first byte, and from the connector's start to its first post."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import typer
from confluent_kafka import Producer

from benchmarks import contenders
from benchmarks.contenders import Stage
from benchmarks.events import create_topics, encoder, end_user, events
from tests.support.apache_kafka import ApacheKafka

_EVENTS = 1000
_APART = 0.02
_PATIENCE = 30.0
_ANSWER = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: bench\r\nContent-Length: 0\r\n\r\n"
_NUMBER = re.compile(rb'"phoneNumber":"(\d+)"').search


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


async def _measure(folder: Path, bootstrap_servers: str, core: int) -> None:
    posted: dict[str, float] = {}
    woken = asyncio.Event()

    def on_post(number: str, came: float) -> None:
        posted[number] = came
        woken.set()

    async def until(count: int) -> None:
        async with asyncio.timeout(_PATIENCE):
            while len(posted) < count:
                woken.clear()
                await woken.wait()

    server = await asyncio.get_running_loop().create_server(lambda: _Vendor(on_post), "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    stage = Stage(bootstrap_servers, "bench", base_url, folder, core)
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0})
    encode = encoder().encode
    made = [(end_user(number), encode(event)) for number, event in enumerate(events(_EVENTS))]
    produced: dict[str, float] = {}

    def produce(number: str, value: bytes) -> None:
        produced[number] = time.monotonic()
        producer.produce(stage.topic, value, number.encode())
        producer.poll(0)

    produce(*made[0])
    producer.flush(_PATIENCE)
    started = time.monotonic()
    with contenders.connector(stage, f"bench-{uuid.uuid4().hex[:8]}"):
        await until(1)
        first = posted[made[0][0]] - started
        for number, value in made[1:]:
            produce(number, value)
            await asyncio.sleep(_APART)
        await until(_EVENTS)
    server.close()
    waits = sorted((posted[number] - produced[number]) * 1000 for number, _ in made[1:])
    cuts = quantiles(waits, n=100)
    typer.echo(f"start to first post: {first:.2f} s")
    typer.echo(
        f"record produced to first byte of its post, {len(waits)} events {_APART * 1000:.0f} ms apart: "
        f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, longest {waits[-1]:.1f} ms"
    )


def main() -> None:
    """Measure once, on a broker of its own."""
    core = contenders.take_the_rest()
    with tempfile.TemporaryDirectory(prefix="connector-bench-", ignore_cleanup_errors=True) as name:
        broker = ApacheKafka(Path(name) / "kafka")
        try:
            broker.start()
            create_topics(broker.bootstrap_servers, 4, "bench", "bench.retry", "bench.dlq")
            asyncio.run(_measure(Path(name), broker.bootstrap_servers, core))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
