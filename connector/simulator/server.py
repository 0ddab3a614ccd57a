"""The vendor on a socket: reads requests, asks `Vendor` what to do, and does it."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable

from aiohttp import web

from connector.listening import stop_listening
from connector.simulator import responses
from connector.simulator.answers import Cause
from connector.simulator.control import PREFIX, Control
from connector.simulator.ledger import Ledger
from connector.simulator.rules import LARGEST_BODY, Request
from connector.simulator.scenario import Scenario
from connector.simulator.vendor import Plan, Vendor, answer_name

_GRACE = 0.1  # seconds that requests under way have to end when it stops


class SimulatorServer:
    """A vendor to be started and stopped in a running event loop, whose time is the vendor's time."""

    def __init__(
        self,
        vendor: Vendor | None = None,
        wall_clock: Callable[[], float] = time.time,  # noqa: TID251 # no Clock here: the edge is out of bounds
        tell: Callable[[str], object] | None = None,
    ) -> None:
        """`wall_clock` gives seconds since the epoch; only `Retry-After` dates need it. `tell` gets a line for each
        request, without its whole phone number and without values.
        """
        self.vendor = vendor or Vendor()
        self._respond = responses.Responder(self.vendor.page.numeric_codes, wall_clock).respond
        self._tell = tell
        self._control = Control(self.vendor, self._now, self._close_port_for)
        self._server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._listening: asyncio.Server | None = None
        self._host = ""
        self._port = 0
        self._ssl_context: ssl.SSLContext | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def ledger(self) -> Ledger:
        """What was accepted."""
        return self.vendor.ledger

    def set_scenario(self, scenario: Scenario) -> None:
        """Begin a scenario now."""
        self.vendor.set_scenario(scenario, self._now())

    async def start(self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None) -> str:
        """Listen, port 0 meaning a free one, and return the base URL. OSError when the port cannot be had."""
        self._host, self._port, self._ssl_context = host, port, ssl_context
        await self.open_port()
        self.set_scenario(self.vendor.scenario)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if ssl_context else 'http'}://{shown}:{self._port}"

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._reopening is not None:
            self._reopening.cancel()
        await self._close_listening()
        self._server.pre_shutdown()
        await self._server.shutdown(_GRACE)

    async def close_port(self) -> None:
        """Refuse connections and abort the open ones, until `open_port`; nothing else is forgotten."""
        await self._close_listening()
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _close_listening(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await stop_listening(listening)

    async def open_port(self) -> None:
        """Listen (again), on the same port."""
        if self._listening is None:
            self._listening = await asyncio.get_running_loop().create_server(
                self._server, self._host, self._port, ssl=self._ssl_context
            )
            self._port = self._listening.sockets[0].getsockname()[1]

    def _close_port_for(self, seconds: float) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
        self._reopening = asyncio.ensure_future(self._closed_for(seconds))

    async def _closed_for(self, seconds: float) -> None:
        await self.close_port()
        await asyncio.sleep(seconds)
        await self.open_port()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path.startswith(PREFIX):
            return await self._control.handle(request)
        if self.vendor.before_body(path, self._now()) is not None:
            if self._tell is not None:
                self._tell("reset before its body was read")
            return responses.reset(request)
        received = Request(request.method, path, query, request.headers, await _body(request))
        plan = self.vendor.on_request(received, self._now())
        if self._tell is not None:
            self._tell(line_of(plan, self.vendor.ledger))
        if plan.seconds > 0:
            await asyncio.sleep(plan.seconds)
        return await self._respond(request, plan)


def line_of(plan: Plan, ledger: Ledger) -> str:
    """One request in one line: what becomes of it, then whom it is about where its page can be read."""
    told = f"{answer_name(plan.verdict, plan.fault):<20} {plan.request_id}"
    if isinstance(plan.verdict, Cause):
        return told if plan.fault is None else f"{told} (would be {plan.verdict.name})"
    seen = f"service {plan.verdict.service_id} to …{plan.verdict.phone_number[-2:]}"
    marker = ledger.marker_of(plan.verdict)
    # A producer may have put anything there, the phone number too.
    hides_number = plan.verdict.phone_number[-7:] in re.sub(r"\D", "", marker)
    shown = f" {marker}" if not hides_number and re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", marker) else ""
    return f"{told} {seen}{shown}"


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return bytes(LARGEST_BODY + 1)
