"""A vendor that takes its time: `python -m benchmarks.slow_sink PORT SECONDS` answers each post after so long."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: bench\r\nContent-Length: 0\r\n\r\n"
_COUNT = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class _Posts:
    """How many requests came. Shown as nginx's stub_status shows it: the third number."""

    def __init__(self) -> None:
        self.count = 0

    def page(self) -> bytes:
        text = b"\n 1 1 %d \n" % self.count
        return _COUNT % (len(text), text)


class _Connection(asyncio.Protocol):
    def __init__(self, posts: _Posts, seconds: float) -> None:
        self._posts, self._seconds = posts, seconds
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._url = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        self._posts.count += 1
        if self._url == b"/count":
            self._transport.write(self._posts.page())
        else:
            self._loop.call_later(self._seconds, self._accept)

    def _accept(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ACCEPTED)


async def _serve(port: int, seconds: float) -> None:
    posts = _Posts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(posts, seconds), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
