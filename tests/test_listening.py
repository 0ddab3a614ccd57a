"""A server that stops while somebody connects, on asyncio's event loop and on uvloop."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from connector.listening import stop_listening


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_no_connection_is_forgotten_between_accept_and_protocol(
    run: Callable[[Coroutine[Any, Any, None]], None], turns: int
) -> None:
    """However many turns of the loop ago it came, nothing is left open that nobody knows of."""

    async def connect_and_stop() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()):
            for _ in range(turns):
                await asyncio.sleep(0)
            await stop_listening(server)
        for _ in range(3):
            await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run(connect_and_stop())
        gc.collect()
    assert [str(each.message) for each in told] == []


async def test_a_stopped_server_refuses() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    await stop_listening(server)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)


async def test_a_stop_that_is_cancelled_has_closed_the_port() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    stopping = asyncio.create_task(stop_listening(server))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
