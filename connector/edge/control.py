"""The listener for commands, by aiohttp: POST `/pause` and `/resume`, GET `/holds`. It decides nothing.

Who may command is on this machine, or in this pod (loopback), or has the token. A web page in a browser on this
machine is neither: its requests carry an `Origin`, cannot have this content type without being asked for leave first,
and reach loopback under a name of the page's own (DNS rebinding), so each of these is refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from typing_extensions import override

from connector.config.section import is_loopback
from connector.core.pauses import Paused, Target, parse_target
from connector.core.redact import safe_name, scrub, shape
from connector.edge.listener import Listener

HOLDS = ("deployment", "endpoint", "brake")
"""Kinds of holds that a command may end."""

LONGEST_REASON = 200
"""Most characters of what a person says about a pause."""

_DEPLOYMENT = "deployment"
_LARGEST_BODY = 64 * 1024
_MOST_TARGETS = 1000


class Deployment(NamedTuple):
    """Whom a command is for: of two deployments on one host, either may have the port."""

    group: str
    topic: str

    @override
    def __str__(self) -> str:
        return f"group {self.group} on topic {self.topic}"


class Commands(Protocol):
    """What the listener commands. It is called on the event loop and must not wait."""

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """Pause these, besides what is paused already."""

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""

    def end(self, kind: str) -> bool:
        """End the brake, or let a deployment or endpoint hold try at once. False: no such hold is in force."""

    def paused(self) -> Collection[Paused]:
        """The pauses in force."""

    def holds(self) -> Collection[Mapping[str, object]]:
        """The holds in force, each with `kind`, `why`, `remedy` and `since_ms` at least."""


class ControlServer:
    """Checks who asks and what, and hands it to the commands behind."""

    def __init__(
        self,
        commands: Commands,
        deployment: Deployment,
        topics: Collection[str],
        token: Callable[[], str] | None,
    ) -> None:
        """`topics` are those that are read: a pause of any other would be a slip. A command that names another
        `deployment` is refused. `token` gives the one in force now; None: loopback only, and everybody there may
        command."""
        self._commands = commands
        self._deployment = deployment
        self._topics = frozenset(topics)
        self._token = token
        self._listener = Listener()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port: the one asked for, or a free one for 0. Raises OSError when it is taken.

        Raises ValueError for a host that is not loopback, without a token.
        """
        if self._token is None and not is_loopback(host):
            raise ValueError("without a token only loopback can be listened on")
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._guarded])
        app.add_routes(
            [web.post("/pause", self._pause), web.post("/resume", self._resume), web.get("/holds", self._holds)]
        )
        return await self._listener.start(app, host, port)

    async def stop(self) -> None:
        """Stop listening; requests under way have a second to end."""
        await self._listener.stop()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._refuse_strangers(request)
            return await handler(request)
        except _RefusedError as refused:
            return _json({"problem": str(refused)}, refused.status, refused.headers)
        except web.HTTPRequestEntityTooLarge:
            return _json({"problem": f"the body must have {_LARGEST_BODY} bytes at most"}, 413)
        except web.RequestPayloadError:
            return _json({"problem": "the body cannot be read: send JSON as it is, without Content-Encoding"}, 400)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            return _json({"problem": "there are POST /pause, POST /resume and GET /holds"}, error.status)

    def _refuse_strangers(self, request: web.Request) -> None:
        if "Origin" in request.headers:
            raise _RefusedError(403, "an Origin header is what web pages send, and they may not command")
        if self._token is None:
            if not _names_loopback(request.headers.get("Host", "")):
                raise _RefusedError(403, "Host: must be loopback, such as 127.0.0.1 or localhost")
        elif not _bears(request.headers.get("Authorization", ""), self._token()):
            raise _RefusedError(
                401,
                "Authorization: must be `Bearer` and the token that admin.control_token_file of this process holds",
                {"WWW-Authenticate": "Bearer"},
            )

    async def _pause(self, request: web.Request) -> web.Response:
        fields = await self._fields(request, ("targets", "reason"))
        targets, reason = self._targets(fields.get("targets")), _reason(fields.get("reason", ""))
        self._commands.pause(targets, reason)
        return self._in_force()

    async def _resume(self, request: web.Request) -> web.Response:
        fields = await self._fields(request, ("targets", "hold"))
        if len(fields) != 1:
            raise _RefusedError(400, "give targets or hold, one of the two")
        if "hold" in fields:
            return self._end(fields["hold"])
        return self._in_force(stays=_shown(self._commands.resume(self._targets(fields["targets"]))))

    def _end(self, kind: object) -> web.Response:
        if kind not in HOLDS:
            raise _RefusedError(400, f"hold: must be one of {', '.join(HOLDS)}, not {shape(kind)}")
        if not self._commands.end(str(kind)):
            raise _RefusedError(409, f"no {kind} hold is in force")
        return self._in_force()

    async def _holds(self, _request: web.Request) -> web.Response:
        return self._in_force()

    def _in_force(self, **more: object) -> web.Response:
        holds = [dict(hold) for hold in self._commands.holds()]
        here = self._deployment._asdict()
        return _json({"deployment": here, "paused": _shown(self._commands.paused()), "holds": holds, **more})

    async def _fields(self, request: web.Request, known: Sequence[str]) -> dict[str, Any]:
        fields = await _fields(request, (*known, _DEPLOYMENT))
        meant = fields.pop(_DEPLOYMENT, None)
        if meant is not None and meant != self._deployment._asdict():
            raise _RefusedError(
                409,
                f"this connector is {self._deployment}, and the command is for another one: compare admin.control_port "
                "of the two, or give --url",
            )
        return fields

    def _targets(self, given: object) -> list[Target]:
        if not isinstance(given, list) or not 1 <= len(given) <= _MOST_TARGETS:
            raise _RefusedError(
                400, f'targets: must be a list of 1 to {_MOST_TARGETS} texts, such as ["*"], not {shape(given)}'
            )
        return [self._target(number, text) for number, text in enumerate(given)]

    def _target(self, number: int, text: object) -> Target:
        if not isinstance(text, str):
            raise _RefusedError(400, f"targets[{number}]: must be a text, not {shape(text)}")
        try:
            target = parse_target(text)
        except ValueError as error:
            raise _RefusedError(400, f"targets[{number}]: {error}") from None
        if not target.is_read(self._topics):
            read = " and ".join(sorted(self._topics))
            raise _RefusedError(
                400, f"targets[{number}]: only {read} are read here; a partition is written topic:number"
            )
        return target


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.headers = headers


def _names_loopback(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _bears(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    # Bytes, because compare_digest takes no text beyond ASCII.
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


async def _fields(request: web.Request, known: Sequence[str]) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise _RefusedError(415, "Content-Type: must be application/json")
    try:
        fields = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise _RefusedError(400, "the body must be JSON") from None
    if not isinstance(fields, dict):
        raise _RefusedError(400, f"the body must be an object, not {shape(fields)}")
    for place, name in enumerate(fields, 1):
        if name not in known:
            raise _RefusedError(400, f"{safe_name(name, place)}: unknown field; known here: {', '.join(known)}")
    return fields


def _reason(given: object) -> str:
    if not isinstance(given, str) or len(given) > LONGEST_REASON or not given.isprintable():
        raise _RefusedError(400, f"reason: must be one line of {LONGEST_REASON} characters at most, not {shape(given)}")
    # It goes into the log and on the status page, and people paste all sorts of things.
    return scrub(given)


def _shown(paused: Collection[Paused]) -> list[dict[str, object]]:
    return [each.shown() for each in paused]


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
