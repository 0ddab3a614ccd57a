"""A Confluent-compatible schema registry by aiohttp: an id in, what the registry said out.

"Unknown" is only the registry's own word: a 404 of a proxy or of a wrong address must not send a topic into the dead
letters. Whatever else is not a schema is `Unavailable`: the partition waits, and somebody looks at the registry.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from connector import __version__
from connector.edge.daemon import in_daemon_thread

UNREACHABLE = "registry_unreachable"
TIMEOUT = "registry_timeout"
REFUSED = "registry_refused"
STRANGE = "registry_strange"
UNAVAILABLE_CODES = frozenset({UNREACHABLE, TIMEOUT, REFUSED, STRANGE})

_ANSWER_LIMIT = 1024 * 1024  # bytes
_MOST_REFERENCES = 50
_SCHEMA_NOT_FOUND = 40403  # Confluent API reference, GET /schemas/ids/{id}


class Found(NamedTuple):
    """The text of an Avro schema, and the texts of those that it refers to, directly or not."""

    text: str
    referenced: tuple[str, ...]


class Unknown(NamedTuple):
    """The registry itself says that it has no such id."""


class NotAvro(NamedTuple):
    """The id is that of a schema of another kind."""


class Unavailable(NamedTuple):
    """No answer that can be used now; `code` is one of UNAVAILABLE_CODES."""

    code: str


class _StopError(Exception):
    def __init__(self, answer: Unknown | NotAvro | Unavailable) -> None:
        self.answer = answer


class ConfluentRegistry:
    """GETs of a registry. The connections are opened with the first look-up, on the event loop that asks."""

    def __init__(
        self, url: str, *, basic_auth: str | None = None, ca_file: Path | None = None, timeout: float = 10.0
    ) -> None:
        """`basic_auth` is `user:password`; `timeout` in seconds, for each GET as a whole.

        Raises OSError when the CA file cannot be used.
        """
        self._base = url.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._timeout = timeout
        self._headers = _headers(basic_auth)
        self._session: aiohttp.ClientSession | None = None

    async def renew(self, *, basic_auth: str | None, ca_file: Path | None) -> None:
        """Use these from the next GET on; one under way ends as it began.

        Raises OSError when the CA file cannot be used; then everything stays as it is.
        """
        self._tls = await in_daemon_thread(partial(ssl.create_default_context, cafile=ca_file))
        self._headers = _headers(basic_auth)

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        """Ask for a schema by its id, and for what it refers to. Never raises for what the registry does."""
        try:
            answer = await self._get(f"/schemas/ids/{number}")
            return Found(_avro(answer), await self._referenced(answer))
        except _StopError as stop:
            return stop.answer

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _referenced(self, answer: dict[str, Any]) -> tuple[str, ...]:
        texts: dict[tuple[str, int], str] = {}
        waiting = list(_references(answer))
        while waiting:
            subject, version = waiting.pop()
            if (subject, version) in texts:
                continue
            if len(texts) >= _MOST_REFERENCES:
                raise _StopError(Unavailable(STRANGE))
            try:
                other = await self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}")
            except _StopError as stop:
                # The id is known, so a reference that is not there is the registry's fault and not the record's.
                raise _StopError(stop.answer if isinstance(stop.answer, Unavailable) else _STRANGE) from None
            texts[subject, version] = _avro(other)
            waiting.extend(_references(other))
        return tuple(texts.values())

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            # Never a redirect: credentials would travel to other origins.
            url = URL(self._base + path, encoded=True)
            # aiohttp keeps the connections of each TLS context apart, so a new one needs no new session.
            request = self._opened().get(url, headers=self._headers, ssl=self._tls, allow_redirects=False)
            async with request as response:
                return _read(response.status, await _body(response))
        except TimeoutError:
            raise _StopError(Unavailable(TIMEOUT)) from None
        except (aiohttp.ClientConnectionError, OSError):
            raise _StopError(Unavailable(UNREACHABLE)) from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, ValueError):
            raise _StopError(_STRANGE) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a compressed answer can be a thousand times as long, and was not asked for
            )
        return self._session


_STRANGE = Unavailable(STRANGE)


def _headers(basic_auth: str | None) -> dict[str, str]:
    headers = {
        "Accept": "application/vnd.schemaregistry.v1+json, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"invoke-connector/{__version__}",
    }
    if basic_auth is not None:
        headers["Authorization"] = "Basic " + b64encode(basic_auth.encode()).decode("ascii")
    return headers


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while len(body) <= _ANSWER_LIMIT and (more := await response.content.readany()):
        body += more
    if len(body) > _ANSWER_LIMIT:
        response.close()
        raise _StopError(_STRANGE)
    return body


def _read(status: int, body: bytes) -> dict[str, Any]:
    if status in (401, 403, 407):
        raise _StopError(Unavailable(REFUSED))
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _StopError(_STRANGE) from None
    if status == 200 and isinstance(answer, dict):
        return answer
    if status == 404 and isinstance(answer, dict) and answer.get("error_code") == _SCHEMA_NOT_FOUND:
        raise _StopError(Unknown())
    raise _StopError(_STRANGE)


def _avro(answer: dict[str, Any]) -> str:
    if answer.get("schemaType", "AVRO") != "AVRO":  # left out, it is Avro (Confluent API reference)
        raise _StopError(NotAvro())
    if not isinstance(text := answer.get("schema"), str):
        raise _StopError(_STRANGE)
    return text


def _references(answer: dict[str, Any]) -> Iterator[tuple[str, int]]:
    references = answer.get("references") or []
    for reference in references if isinstance(references, list) else [None]:
        match reference:
            case {"subject": str(subject), "version": int(version)} if subject not in ("", ".", ".."):
                yield subject, version
            case _:
                raise _StopError(_STRANGE)
