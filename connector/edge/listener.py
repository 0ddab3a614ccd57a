"""One port on which aiohttp serves an application."""

from __future__ import annotations

import asyncio
import errno
import socket

from aiohttp import web

from connector.config.section import EVERY_ADDRESS
from connector.listening import stop_listening

_BACKLOG = 128
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class Listener:
    """Listens from `start` to `stop`; both may be called again."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    async def start(self, app: web.Application, host: str, port: int) -> int:
        """Listen, and return the port: the one asked for, or a free one for 0. Raises OSError when it is taken.

        `host` is an address or a name of this machine, or EVERY_ADDRESS.
        """
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        serving = runner.server
        assert serving is not None  # since it is set up
        loop = asyncio.get_running_loop()
        try:
            if host == EVERY_ADDRESS:
                self._listening = await loop.create_server(serving, sock=_on_every_address(port))
            else:
                self._listening = await loop.create_server(serving, host, port, backlog=_BACKLOG)
        except OSError:
            await self.stop()
            raise
        return int(self._listening.sockets[0].getsockname()[1])  # after it IPv6 has two numbers more

    async def stop(self) -> None:
        """Stop listening; requests under way have a second to end."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await stop_listening(listening)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def _on_every_address(port: int) -> socket.socket:
    """One socket for both families: asyncio's own for `::` is closed to IPv4."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)  # noqa: S104 - every address was asked for
