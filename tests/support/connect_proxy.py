"""A forward proxy of the tests' own, which opens tunnels (CONNECT) on this machine, and misbehaves when told to."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from connector.listening import stop_listening
from tests.support.raw_http import Seen

UNAUTHORIZED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=proxy\r\nContent-Length: 0\r\n\r\n"
)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """`asked` has every request; what it does next may be changed between two.

    `credentials`: the only `user:password` it takes; None takes all. `instead`: pieces to answer with and close, in
    place of a tunnel. `established`: what it says when a tunnel stands. `silent`: says nothing. `routes`: ports of
    this machine by the host that is asked for; others are found by their port.
    """

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[Seen] = []
        self.credentials: str | None = None
        self.instead: tuple[bytes, ...] | None = None
        self.established: tuple[bytes, ...] = (ESTABLISHED,)
        self.silent = False
        self.routes: dict[str, int] = {}
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """The host and port of each request."""
        return [seen.start.split()[1] for seen in self.asked]

    def cut(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self.asked.append(Seen(start, headers, b""))
            if self.silent:
                await reader.read()
            elif self._refuses(headers):
                writer.write(UNAUTHORIZED)
            elif self.instead is not None:
                await _say(writer, self.instead)
            else:
                host, _, port = start.split()[1].rpartition(":")
                await self._tunnel(reader, writer, self.routes.get(host, int(port)))
        writer.close()

    def _refuses(self, headers: dict[str, str]) -> bool:
        wanted = self.credentials
        if wanted is None:
            return False
        return headers.get("proxy-authorization") != "Basic " + b64encode(wanted.encode()).decode()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", port)
        self._writers.add(to_there)
        await _say(writer, self.established)
        await asyncio.gather(_carry(reader, to_there), _carry(there, writer))


async def _say(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)  # so that most come by themselves


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.transport.abort()
    except NotImplementedError:
        sink.close()


@asynccontextmanager
async def connect_proxy() -> AsyncIterator[ConnectProxy]:
    """A proxy on a free port, on this event loop."""
    proxy = ConnectProxy()
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(proxy.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        await stop_listening(server)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        proxy.cut()
        for _ in range(2):
            await asyncio.sleep(0)
