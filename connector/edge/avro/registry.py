"""A Confluent-compatible schema registry by aiohttp: an id in, what the registry said out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from connector import __version__
from connector.deadline import in_time
from connector.edge.avro.registry_answers import (
    PROXY,
    REFUSED,
    TIMEOUT,
    UNREACHABLE,
    Found,
    NotAvro,
    StopError,
    Unavailable,
    Unknown,
    avro_of,
    of_references,
    read_answer,
    references_of,
    schema_of,
    strange,
    versions_of,
    walked,
)
from connector.edge.basic_auth import basic_auth
from connector.edge.daemon import in_daemon_thread
from connector.edge.http.tunnel import Proxy
from connector.edge.tls import Tls

_CERTIFICATE_ALERTS = ("_ALERT_CERTIFICATE_", "_ALERT_BAD_CERTIFICATE", "_ALERT_UNKNOWN_CA", "_ALERT_ACCESS_DENIED")
"""OpenSSL's names for what a server says that refuses our certificate, or wants one."""
_ANSWER_LIMIT = 1024 * 1024  # bytes
_PROXY_AUTHENTICATION_REQUIRED = 407
_VERSIONS_SECONDS = 2.0  # they only make a message clearer, and records wait for it
_Answer = TypeVar("_Answer")


class Access(NamedTuple):
    """What is shown to the registry and trusted of it. `basic_auth` is `user:password`; it, a token, or neither."""

    basic_auth: str | None = None
    bearer_token: str | None = None
    tls: Tls = Tls()
    proxy: Proxy | None = None


class ConfluentRegistry:
    """GETs of a registry. The connections are opened with the first look-up, on the event loop that asks."""

    def __init__(self, url: str, access: Access = Access(), *, timeout: float = 10.0) -> None:  # noqa: B008 - immutable
        """`timeout` in seconds, for each GET as a whole. Raises OSError when a TLS file cannot be used."""
        self.url = url.rstrip("/")
        self._tls = access.tls.context()
        self._timeout = timeout
        self._headers = _headers(access)
        self._proxy = access.proxy
        self._session: aiohttp.ClientSession | None = None

    async def renew(self, access: Access) -> None:
        """Use this from the next GET on; one under way ends as it began.

        Raises OSError when a TLS file cannot be used; then everything stays as it is.
        """
        self._tls = await in_daemon_thread(access.tls.context)
        self._headers = _headers(access)
        self._proxy = access.proxy

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        """Ask for a schema by its id, and for what it refers to. Never raises for what the registry does."""
        return await self._schema_at(f"/schemas/ids/{number}")

    async def by_guid(self, guid: str) -> Found | Unknown | NotAvro | Unavailable:
        """The same by its GUID, which registries know since Confluent Platform 8."""
        return await self._schema_at(f"/schemas/guids/{guid}")

    async def versions(self, number: int) -> str | None:
        """Subjects and versions that have this id, in words; None if that is not told at once. Never raises."""
        path = f"{self.url}/schemas/ids/{number}/versions"
        try:
            return await in_time(self.get(path, versions_of), _VERSIONS_SECONDS)
        except (StopError, TimeoutError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _schema_at(self, path: str) -> Found | Unknown | NotAvro | Unavailable:
        try:
            answer = await self.get(self.url + path, read_answer)
            text, is_json = schema_of(answer)
            if is_json and any(references_of(answer)):
                return NotAvro("JSON Schema that refers to others")
            return Found(text, await walked(references_of(answer), self._reference), is_json)
        except StopError as stop:
            return stop.answer

    async def _reference(self, place: tuple[str, int]) -> tuple[str, list[tuple[str, int]]]:
        subject, version = place
        try:
            # Deleted ones too: the id is still given out, and its records stay in the topic for their retention.
            path = f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
            other = await self.get(self.url + path, read_answer)
            return avro_of(other), list(references_of(other))
        except StopError as stop:
            raise of_references(stop, f"reference {subject} {version}", "no Avro schema") from None

    async def get(self, address: str, read: Callable[[int, bytes], _Answer]) -> _Answer:
        """What `read` makes of status and body at an address of the same registry. Raises StopError."""
        proxy = self._proxy
        try:
            url = URL(address, encoded=True)
            return await in_time(self._ask(url, proxy, read), self._timeout)
        except TimeoutError:
            raise StopError(Unavailable(TIMEOUT, f"no answer within {self._timeout:g} s{_via(proxy)}")) from None
        except aiohttp.ClientHttpProxyError as error:
            raise StopError(_by_proxy(proxy, error.status)) from None
        except aiohttp.ClientProxyConnectionError as error:
            raise StopError(_by_proxy(proxy, error)) from None
        except (aiohttp.ClientConnectionError, OSError) as error:
            if proxy is not None and isinstance(error, aiohttp.ClientConnectorDNSError):  # it looks up the registry's
                raise StopError(_by_proxy(proxy, error)) from None
            raise StopError(_unreachable(error, url.scheme == "https", proxy)) from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, ValueError) as error:
            raise strange(f"no HTTP answer ({type(error).__name__})") from None

    async def _ask(self, url: URL, proxy: Proxy | None, read: Callable[[int, bytes], _Answer]) -> _Answer:
        # Never a redirect: credentials would travel to other origins.
        # aiohttp keeps the connections of each TLS context and proxy apart, so a new one needs no new session.
        how = _through(proxy, self._headers, url.scheme == "https")
        request = self._opened().get(url, ssl=self._tls, allow_redirects=False, **how)
        async with request as response:
            if response.status == _PROXY_AUTHENTICATION_REQUIRED and proxy is not None:
                raise StopError(_by_proxy(proxy, response.status))
            return read(response.status, await _body(response))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4),
                timeout=aiohttp.ClientTimeout(total=None),  # `get` has its own
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a compressed answer can be a thousand times as long, and was not asked for
            )
        return self._session


def _through(proxy: Proxy | None, headers: dict[str, str], encrypted: bool) -> dict[str, Any]:
    """The headers of a request, and what aiohttp is told of the proxy."""
    if proxy is None:
        return {"headers": headers}
    shown = {} if proxy.basic_auth is None else {"Proxy-Authorization": basic_auth(proxy.basic_auth)}
    url = URL.build(scheme="http", host=proxy.host, port=proxy.port)
    if encrypted:  # to the proxy, which must not see what the registry is shown
        return {"headers": headers, "proxy": url, "proxy_headers": shown}
    return {"headers": headers | shown, "proxy": url}


def _by_proxy(proxy: Proxy | None, why: int | aiohttp.ClientConnectorError) -> Unavailable:
    where = "the forward proxy" if proxy is None else f"the forward proxy {proxy.address}"
    if isinstance(why, int):
        return Unavailable(PROXY, f"{where} answered {why}")
    return Unavailable(PROXY, f"{where} is not reached: {why.os_error.strerror or type(why).__name__}")


def _via(proxy: Proxy | None) -> str:
    return "" if proxy is None else f", through the forward proxy {proxy.address}"


def _unreachable(error: Exception, encrypted: bool, proxy: Proxy | None) -> Unavailable:
    """What the network said, without the address, which the settings tell."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        verdict = error.certificate_error
        why = getattr(verdict, "verify_message", type(verdict).__name__)
        return Unavailable(UNREACHABLE, f"its certificate is not trusted: {why}")
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, aiohttp.ServerDisconnectedError | ConnectionResetError):
        hint = ", as it does when it wants a certificate, or another than ours" if encrypted else ""
        return Unavailable(UNREACHABLE, f"it closed the connection without an answer{hint}{_via(proxy)}")
    reason = getattr(inner, "reason", None) or getattr(inner, "strerror", None)  # of ssl.SSLError, of OSError
    why = reason if isinstance(reason, str) else type(inner).__name__
    return Unavailable(REFUSED if any(alert in why for alert in _CERTIFICATE_ALERTS) else UNREACHABLE, why)


def _headers(access: Access) -> dict[str, str]:
    headers = {
        "Accept": "application/vnd.schemaregistry.v1+json, application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"invoke-connector/{__version__}",
    }
    if access.basic_auth is not None:
        headers["Authorization"] = basic_auth(access.basic_auth)
    elif access.bearer_token is not None:
        headers["Authorization"] = f"Bearer {access.bearer_token}"
    return headers


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while len(body) <= _ANSWER_LIMIT and (more := await response.content.readany()):
        body += more
    if len(body) > _ANSWER_LIMIT:
        response.close()
        raise strange(f"HTTP {response.status} of more than {_ANSWER_LIMIT} bytes")
    return body
