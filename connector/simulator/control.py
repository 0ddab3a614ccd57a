"""The simulator's own API under `/_simulator/`, beside the vendor's path: scenario in, ledger out, port shut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from connector.simulator.scenario import ScenarioError, parse
from connector.simulator.vendor import Vendor

PREFIX = "/_simulator/"


class Control:
    """Answers `GET` and `PUT scenario`, `GET` and `DELETE ledger`, `GET ledger/counts|repeats|order`, `POST port`."""

    def __init__(self, vendor: Vendor, now: Callable[[], float], close_port_for: Callable[[float], None]) -> None:
        """`now` is the vendor's clock."""
        self._vendor = vendor
        self._now = now
        self._close_port_for = close_port_for

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; 404 for what does not exist, 400 with the problem for what makes no sense."""
        match request.method, request.path.removeprefix(PREFIX):
            case "GET", "scenario":
                return _text(self._vendor.scenario.model_dump_json())
            case "PUT", "scenario":
                return self._set_scenario(await request.read())
            case "POST", "port":
                return self._close_port(await request.read())
            case "DELETE", "ledger":
                self._vendor.clear()
                return _json({})
            case "GET", name:
                return self._query(name, request.query.get("by", "identity"), request.query.get("phone_number", ""))
        return _problem(404, "no such command")

    def _set_scenario(self, body: bytes) -> web.Response:
        try:
            self._vendor.set_scenario(parse(body), self._now())
        except ScenarioError as error:
            return _problem(400, str(error))
        return _text(self._vendor.scenario.model_dump_json())

    def _close_port(self, body: bytes) -> web.Response:
        try:
            seconds = float(orjson.loads(body)["closed_for"])
        except (ValueError, TypeError, KeyError):
            return _problem(400, 'needs {"closed_for": seconds}')
        self._close_port_for(seconds)
        return _json({"closed_for": seconds})

    def _query(self, name: str, by: str, phone_number: str) -> web.Response:
        ledger = self._vendor.ledger
        try:
            match name:
                case "ledger":
                    counts = ledger.counts(by)
                    summary = {"accepted": ledger.accepted, "distinct": len(counts), "answers": ledger.answers}
                    return _json(summary | {"repeated": len(ledger.repeats(by))})
                case "ledger/counts":
                    return _json(ledger.counts(by))
                case "ledger/repeats":
                    return _json(ledger.repeats(by))
                case "ledger/order":
                    return _json(ledger.order(phone_number))
        except KeyError:
            return _problem(400, "by is one of identity, marker, service_id, phone_number")
        return _problem(404, "no such query")


def _json(value: Any) -> web.Response:
    return _text(orjson.dumps(value).decode())


def _text(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def _problem(status: int, problem: str) -> web.Response:
    body = orjson.dumps({"problem": problem})
    return web.Response(status=status, body=body, content_type="application/json")
