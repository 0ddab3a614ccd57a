"""The listener for probes, metrics, `/status` and the page, by aiohttp. It takes no commands and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from connector.edge.listener import Listener
from connector.observe import exposition
from connector.observe.page.html import Page

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_ON_A_THREAD = 1024
"""Bytes from which on an answer is compressed on a thread: the loop has posts to make."""


class AdminServer:
    """GET `/`, `/livez`, `/readyz`, `/metrics` and `/status`, each as the callable behind it says.

    The callables run on the event loop and must not wait.
    """

    def __init__(
        self,
        metrics: Callable[[exposition.Form], bytes],
        *,
        turn_age: Callable[[], float],
        turn_age_bound: float,
        is_ready: Callable[[], bool],
        status: Callable[[], Mapping[str, object]],
        page: Callable[[], Page],
    ) -> None:
        """`turn_age`: seconds since the slowest of our own loops turned; above the bound `/livez` fails.

        The bound must be longer than a drain, during which nothing turns. The broker's reachability is no part of
        it: a restart cures our own loops only.
        """
        self._metrics = metrics
        self._turn_age = turn_age
        self._turn_age_bound = turn_age_bound
        self._is_ready = is_ready
        self._status = status
        self._page = page
        self._listener = Listener()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port: the one asked for, or a free one for 0. Raises OSError when it is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._html_page),
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics_page),
                web.get("/status", self._status_page),
            ]
        )
        return await self._listener.start(app, host, port)

    async def stop(self) -> None:
        """Stop listening; requests under way have a second to end."""
        await self._listener.stop()

    async def _livez(self, _request: web.Request) -> web.Response:
        age = self._turn_age()
        alive = age <= self._turn_age_bound
        text = f"{'ok' if alive else 'stuck'}: last turn {age:.1f} s ago, bound {self._turn_age_bound:g} s\n"
        return web.Response(text=text, status=200 if alive else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.Response(text="ok\n" if ready else "not ready\n", status=200 if ready else 503)

    async def _metrics_page(self, request: web.Request) -> web.Response:
        form = exposition.negotiated(request.headers.get("Accept", ""))
        response = web.Response(
            body=self._metrics(form),
            headers={"Content-Type": form.content_type, "Vary": "Accept"},
            zlib_executor_size=_ON_A_THREAD,
        )
        response.enable_compression()
        return response

    async def _status_page(self, _request: web.Request) -> web.Response:
        body = orjson.dumps(self._status(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return web.Response(body=body, content_type="application/json")

    async def _html_page(self, _request: web.Request) -> web.Response:
        page = self._page()
        headers = {**_PAGE_HEADERS, "Content-Security-Policy": page.policy}
        return web.Response(text=page.html, content_type="text/html", headers=headers)
