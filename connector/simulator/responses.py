"""A plan, carried out on the wire: the vendor's answer, or the fault in its place."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from connector.simulator import answers
from connector.simulator.answers import CAUSES, Cause
from connector.simulator.rules import Invocation
from connector.simulator.scenario import (
    Close,
    Drip,
    Hang,
    Html,
    Huge,
    Late,
    NoRequestId,
    Redirect,
    Reject,
    Reset,
    TooMany,
    Truncate,
)
from connector.simulator.vendor import Plan

REQUEST_ID = "X-Request-Id"

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>gateway</p></body></html>"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Responder:
    """Turns plans into responses. `wall_clock` gives seconds since the epoch, for `Retry-After` dates."""

    def __init__(self, numeric_codes: bool, wall_clock: Callable[[], float]) -> None:
        """`numeric_codes`: whether a rejection's code is a JSON number and not a string."""
        self._numeric_codes = numeric_codes
        self._wall_clock = wall_clock

    async def respond(self, request: web.BaseRequest, plan: Plan) -> web.StreamResponse:  # noqa: C901 - one case a fault
        """Answer a request as planned; the plan's latency has passed already."""
        headers = {REQUEST_ID: plan.request_id}
        match plan.fault:
            case None:
                return self._verdict(plan)
            case Close():
                response = self._verdict(plan)
                response.force_close()
                return response
            case Reject() as fault:
                return self._rejection(CAUSES[fault.cause], plan, fault)
            case TooMany() as fault:
                return web.Response(status=fault.status, headers=headers | self._retry_after(fault))
            case Html(status=status):
                return web.Response(status=status, text=_PAGE.format(status), content_type="text/html")
            case Redirect(status=status, location=location):
                return web.Response(status=status, headers={"Location": location})
            case NoRequestId(status=status):
                return web.Response(status=status)
            case Late(seconds=seconds):
                await asyncio.sleep(seconds)
                return self._verdict(plan)
            case Hang():
                # Ends when the caller hangs up or the server stops: both cancel the handler.
                answer: web.StreamResponse = await asyncio.get_running_loop().create_future()
                return answer
            case Reset():
                return reset(request)
            case Truncate(status=status):
                return await _truncated(request, web.StreamResponse(status=status, headers=headers))
            case Drip() as fault:
                dripping = web.StreamResponse(status=fault.status, headers=headers)
                return await _in_steps(request, dripping, fault.size, 1, fault.seconds)
            case Huge() as fault:
                huge = web.StreamResponse(status=fault.status, headers=headers)
                return await _in_steps(request, huge, fault.size, 1 << 16, 0.0)

    def _verdict(self, plan: Plan) -> web.Response:
        if isinstance(plan.verdict, Cause):
            return self._rejection(plan.verdict, plan, Reject(cause=plan.verdict.name))
        return web.Response(status=202, headers={REQUEST_ID: plan.request_id})

    def _rejection(self, cause: Cause, plan: Plan, fault: Reject) -> web.Response:
        code: int | str | None = cause.code if fault.code is None else fault.code
        if isinstance(code, int) and fault.code is None and not self._numeric_codes:
            code = str(code)
        description = cause.description if fault.description is None else fault.description
        if fault.echo and isinstance(plan.verdict, Invocation):
            description = f"{description} {_echo(plan.verdict)}"
        return web.Response(
            status=cause.status if fault.status is None else fault.status,
            body=answers.error_body(code, description),
            content_type="application/json",
            headers={REQUEST_ID: plan.request_id},
        )

    def _retry_after(self, fault: TooMany) -> dict[str, str]:
        if fault.retry_after is None:
            return {}
        if fault.as_date and isinstance(fault.retry_after, int):
            return {"Retry-After": formatdate(self._wall_clock() + fault.retry_after, usegmt=True)}
        return {"Retry-After": str(fault.retry_after)}


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the request's connection (RST, not FIN); the returned response goes nowhere."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # Without this the kernel closes in good order whenever everything received was read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


def _echo(invocation: Invocation) -> str:
    values = [value for keys in invocation.variables.values() for value in keys.values()]
    return " ".join(map(str, [invocation.phone_number, *values[:1]]))


async def _truncated(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b'{"error": {"code": "10')
    if request.transport is not None:
        request.transport.close()
    return response


async def _in_steps(
    request: web.BaseRequest, response: web.StreamResponse, size: int, step: int, pause: float
) -> web.StreamResponse:
    response.content_length = size
    try:
        await response.prepare(request)
        for written in range(0, size, step):
            await response.write(b" " * min(step, size - written))
            await asyncio.sleep(pause)
    except ConnectionError:
        pass  # the caller has had enough, which is what the fault is for
    return response
