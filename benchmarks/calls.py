"""How many functions are called for each delivered event: a figure that is the same on every machine."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import connector
from benchmarks.events import SERVICE_IDS
from benchmarks.feed import Feed
from benchmarks.in_memory import Mix, Run, Vendor, logs_of
from connector.core.request import InvokeRequest
from connector.edge.openmarket import OpenMarket
from tests.support.clock import VirtualClock, VirtualLoop

_PACKAGE = str(Path(connector.__file__).parent)
_EVENTS = 1500
_POSTS = 300
_ANSWER = (
    b"HTTP/1.1 202 Accepted\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\nContent-Length: 0\r\n"
    b"Connection: keep-alive\r\nX-Request-Id: 8a9f3c5e\r\n\r\n"
)


class Calls(NamedTuple):
    """For each delivered event: calls of our functions by file, and calls of built-in ones from there."""

    python: dict[str, float]
    built_in: dict[str, float]


class Counted:
    """Counts between `begin` and `end` what is called on this thread, by the file of the connector that does it."""

    def __init__(self) -> None:
        self._python: Counter[str] = Counter()
        self._built_in: Counter[str] = Counter()

    def begin(self) -> None:
        """Count from now on. Coroutines count whenever they go on."""
        sys.setprofile(self._count)

    def end(self) -> None:
        """Count no more."""
        sys.setprofile(None)

    def of_each(self, events: int) -> Calls:
        """What was counted, divided by the number of events."""
        return Calls(
            *({_name(file): n / events for file, n in each.most_common()} for each in (self._python, self._built_in))
        )

    def _count(self, frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            if event == "call":
                self._python[file] += 1
            elif event == "c_call":
                self._built_in[file] += 1


def count(mix: Mix, folder: Path, events: int = _EVENTS) -> Calls:
    """Post so many events on virtual time; the first third, in which it opens up, is not counted."""
    counted, warm = Counted(), events // 3

    async def post() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        source = Feed(logs_of(mix, events, clock))
        vendor = Vendor(events, warm, counted.begin, counted.end, failures=mix.failures)
        await Run(mix, source, clock, folder).until_done(vendor)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(post())
    return counted.of_each(events - warm)


def count_posts() -> Calls:
    """Post requests one after the other to a server of this process, on sockets."""
    counted = Counted()

    async def post() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        vendor = OpenMarket(f"http://127.0.0.1:{port}", "bench", "bench", in_flight=1)
        request = InvokeRequest(SERVICE_IDS[0], b'{"endUser":{"phoneNumber":"12025550100"}}', ())
        for number in range(_POSTS):
            if number == _POSTS // 3:
                counted.begin()
            await vendor.invoke(request)
        counted.end()
        await vendor.close()
        server.close()

    asyncio.run(post())
    return counted.of_each(_POSTS - _POSTS // 3)


class _Server(asyncio.Protocol):
    """Answers each request, which comes in one piece, as nginx does."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


def _name(file: str) -> str:
    return str(Path(file).relative_to(_PACKAGE))
