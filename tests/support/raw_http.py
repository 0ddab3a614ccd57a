"""An HTTP peer made of plain sockets, so that it can misbehave in ways that no server library offers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from connector.listening import stop_listening


class Seen(NamedTuple):
    """A request as it came: start line, headers by lower-case name, body."""

    start: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One accepted connection, for the script that plays the server."""

    def __init__(self, server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def request(self) -> Seen:
        """Read one whole request."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(start, headers, body)
        self._server.requests.append(seen)
        return seen

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, status: str = "202 Accepted", body: bytes = b"", **headers: str) -> None:
        """Write one whole answer; `_` in a header's name stands for `-`."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        while await self._reader.read(65536):
            pass

    async def forever(self) -> None:
        """Keep silent until the server stops."""
        await asyncio.Event().wait()

    def finish(self) -> None:
        """Say that nothing more will be sent, and go on listening."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class RawServer:
    """What was seen, and where it listens."""

    def __init__(self, scheme: str) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self.port = 0
        self._scheme = scheme

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self._scheme}://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_server(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[RawServer]:
    """Play `script` on each connection of a free port of `host`; each connection is closed when it returns."""
    seen = RawServer("https" if tls else "http")
    playing: set[asyncio.Task[None]] = set()
    open_writers: set[asyncio.StreamWriter] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Peer(seen, reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, which many tests make it do
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        open_writers.add(writer)  # here, since a task that is cancelled before its first turn would not close it
        task = asyncio.get_running_loop().create_task(play(reader, writer))
        playing.add(task)
        task.add_done_callback(playing.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        await stop_listening(server)
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        for writer in open_writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in open_writers), return_exceptions=True)
