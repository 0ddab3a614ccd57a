"""Stopping an asyncio server without forgetting a connection that is just being accepted."""

from __future__ import annotations

import asyncio

# asyncio makes the transport of a connection one turn of the loop after it accepted it, and tells the protocol of it in
# the next.
_TURNS_TO_ACCEPT = 2


async def stop_listening(server: asyncio.Server) -> None:
    """Accept no more, and close the port once everything accepted has reached its protocol.

    `Server.close` alone makes a connection accepted in the same turn fail without a word, and leaves its socket open
    until it is collected (python/cpython#109564).
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening)
    try:
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
    finally:  # cancelled or not, the port must not stay bound with nobody there
        server.close()
