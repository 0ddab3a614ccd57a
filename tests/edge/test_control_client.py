"""What becomes of a command when whoever answers does not play along; the rest is in tests/cli."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from connector.edge.control_client import ControlError, command
from connector.edge.listener import Listener


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/pause", answer)
    listener = Listener()
    port = await listener.start(app, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await listener.stop()


async def test_a_listener_that_does_not_answer_is_not_waited_for() -> None:
    over = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with answering(never) as url:
        with pytest.raises(ControlError, match=r"does not answer within 0\.05 s"):
            await command(url, "/pause", {}, None, patience=0.05)
        over.set()


async def test_an_answer_without_end_is_read_to_a_bound() -> None:
    """4 MiB are beyond any list of pauses."""

    async def much(request: web.Request) -> web.Response:
        return web.Response(body=b"[" * (5 * 1024 * 1024))

    async with answering(much) as url:
        with pytest.raises(ControlError, match="no connector's listener for commands"):
            await command(url, "/pause", {}, None)
