"""One port on which aiohttp serves an application."""

from __future__ import annotations

from aiohttp import web


class Listener:
    """Listens from `start` to `stop`; both may be called again."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None

    async def start(self, app: web.Application, host: str, port: int) -> int:
        """Listen, and return the port: the one asked for, or a free one for 0. Raises OSError when it is taken."""
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await self.stop()
            raise
        address: tuple[str, int] = runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        """Stop listening; requests under way have a second to end."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
