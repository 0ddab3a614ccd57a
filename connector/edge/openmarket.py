"""The vendor's HTTP API by aiohttp: a request in, what came back out. Every exception of the network ends here.

What may go wrong is a value, because what becomes of the record hangs on it: was the request written (then it may
have been delivered, and a repeat is a person texted twice), or not? Nothing here posts a second time.

aiohttp's connector keeps the pool, the names and TLS, and its parser reads the answers. Its session is left out: for a
request whose head never changes it costs more than all the rest of the road (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

from connector import __version__
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.edge.daemon import in_daemon_thread

# Shorter than the server's, or a post meets a connection that is just being closed and may have been delivered.
# The shortest default in common use is 5 s (Apache, Node.js); under load a connection is never idle that long.
_KEEP_ALIVE_SECONDS = 4.0
# Long enough to cost nothing, short enough to follow the vendor to another address.
_DNS_CACHE_SECONDS = 30
_ANSWER_LIMIT = 64 * 1024  # bytes; the vendor's answers have a few hundred
_HEADS_SIZE = 1024  # service ids; an account has tens
_SERVICE_ID = re.compile(r"[0-9A-Fa-f]{1,64}")  # vendor page: hexadecimal; anything else could leave the base path

_LINE_END = re.compile(r"[\0\r\n]")
_INTERIM = frozenset(range(100, 200)) - {101}  # RFC 9110: the final answer is still to come

# OpenSSL's names for alerts by which a server refuses our certificate, rather than the handshake.
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


class Tls(NamedTuple):
    """PEM files. No `ca_file`: the system's certificates. A certificate with its key makes TLS mutual."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str = ""

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises OSError (ssl.SSLError is one) for a file that cannot be read or used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file is not None:
            try:
                # A password, even an empty one, keeps OpenSSL from asking for it on the terminal.
                context.load_cert_chain(self.certificate_file, self.key_file, password=self.key_password)
            except ValueError as error:  # the password is longer than OpenSSL takes
                raise ssl.SSLError(ssl.SSLErrorNumber.SSL_ERROR_SSL, str(error)) from None
        return context


class _Peer:
    """Where to, and under which certificates. aiohttp keeps the connections of each of them apart."""

    __slots__ = ("has_answered", "is_mutual", "target")

    def __init__(self, url: URL, tls: Tls, context: ssl.SSLContext) -> None:
        # Tells the connector where to; what is sent is written by `invoke`.
        self.target = aiohttp.ClientRequest("POST", url, loop=asyncio.get_running_loop(), ssl=context)
        self.is_mutual = tls.certificate_file is not None
        self.has_answered = False

    def may_refuse_certificate(self) -> bool:
        """Whether a reset may be the refusal of our certificate.

        With TLS 1.3 it is judged after the handshake, and its refusal shows as a reset of a request already
        written; with TLS 1.2, of the handshake. Once any answer came under it, a reset is just a reset.
        """
        return self.is_mutual and not self.has_answered


class OpenMarket:
    """`flow.ports.Invoker` over one aiohttp connector. Make it on a running event loop."""

    def __init__(
        self,
        base_url: str,
        account_id: str,
        password: str,
        *,
        in_flight: int,
        connect_timeout: float = 5.0,
        total_timeout: float = 30.0,
        tls: Tls = Tls(),  # noqa: B008 - an immutable value
        name: tuple[str, str] | None = None,
    ) -> None:
        """Time-outs in seconds; `connect_timeout` covers DNS, TCP and TLS together.

        `in_flight` bounds the connections. `name` is the header that mutual TLS asks for, and its value.
        Raises OSError when a TLS file cannot be used.
        """
        self._url = URL(f"{base_url.rstrip('/')}/service/v1/invokeService/")
        self._account_id = account_id
        self._name = dict([name]) if name else {}
        self._total_timeout = total_timeout
        self._timeouts = aiohttp.ClientTimeout(connect=connect_timeout)
        self._peer = _Peer(self._url, tls, tls.context())
        self._connector = aiohttp.TCPConnector(
            limit=in_flight,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            ttl_dns_cache=_DNS_CACHE_SECONDS,
        )
        self.renew_password(password)

    def renew_password(self, password: str) -> None:
        """Show this password from the next post on."""
        self._headers = _lines(
            {
                "Host": self._peer.target.headers["Host"],
                "Authorization": _basic(self._account_id, password),
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"invoke-connector/{__version__}",
                **self._name,
            }
        )
        self._heads: dict[str, bytes] = {}

    async def renew_tls(self, tls: Tls) -> None:
        """Use these files from the next post on, which opens a connection of its own.

        A post under way ends where it began: cutting it off would leave unknown whether it was delivered. Its
        connection takes no other, and is closed when it was idle for as long as any.
        Raises OSError for a file that cannot be used; then everything stays as it is.
        """
        self._peer = _Peer(self._url, tls, await in_daemon_thread(tls.context))

    async def invoke(self, request: InvokeRequest, traceparent: str | None = None) -> Answer:
        """Post once. Raises ValueError for a service id that is not 1 to 64 hexadecimal digits."""
        peer = self._peer
        head = self._heads.get(request.service_id) or self._head(request.service_id)
        if traceparent is not None:
            head += _lines({"traceparent": traceparent})
        written = complete = False
        connection: Connection | None = None
        message: RawResponseMessage | None = None
        content = b""
        try:
            async with asyncio.timeout(self._total_timeout):
                connection = await self._connect(peer.target)
                protocol, transport = connection.protocol, connection.transport
                if protocol is None or transport is None:
                    return NoReply(Failure.RESET, sent=False)
                # A compressed answer stays as it is: 1 MB of gzip can be gigabytes, and the status says enough.
                protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                written = True
                transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(request.body), request.body))
                message, payload = await protocol.read()
                while message.code in _INTERIM:
                    message, payload = await protocol.read()
                peer.has_answered = True
                while len(content) <= _ANSWER_LIMIT and not payload.at_eof():
                    content += await payload.readany()
                complete = len(content) <= _ANSWER_LIMIT
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:  # TimeoutError, ssl.SSLError are OSErrors
            if message is None or message.code in _INTERIM:
                return NoReply(_failure(error, written, peer), written)
            # Cut, reset or timed out: what came until then is kept, and the status line has decided already.
        finally:
            if connection is not None:
                (connection.release if complete else connection.close)()
        headers = message.headers
        return Reply(
            message.code,
            _text(headers.get("X-Request-Id")),
            content[:_ANSWER_LIMIT],
            _text(headers.get("Retry-After")),
            complete,
        )

    async def close(self) -> None:
        """Close the connections; posts under way fail."""
        await self._connector.close()

    async def _connect(self, target: aiohttp.ClientRequest) -> Connection:
        """A connection on which nothing has come yet: an answer that nobody asked for must not be taken for ours."""
        while True:
            connection = await self._connector.connect(target, [], self._timeouts)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()

    def _head(self, service_id: str) -> bytes:
        if not _SERVICE_ID.fullmatch(service_id):
            raise ValueError("a service id must be 1 to 64 hexadecimal digits")
        if len(self._heads) >= _HEADS_SIZE:
            self._heads.clear()
        path = (self._url / service_id).raw_path
        head = self._heads[service_id] = f"POST {path} HTTP/1.1\r\n".encode("ascii") + self._headers
        return head


def _failure(error: Exception, written: bool, peer: _Peer) -> Failure:
    match error:
        case TimeoutError():
            return Failure.TIMEOUT
        case aiohttp.ClientConnectorDNSError():
            return Failure.DNS
        case aiohttp.ClientConnectorCertificateError():
            return Failure.SERVER_CERTIFICATE
        case aiohttp.ClientConnectorSSLError():
            return Failure.CLIENT_CERTIFICATE if _refuses_certificate(error) else Failure.TLS
        case aiohttp.ClientConnectorError(os_error=ConnectionResetError()):
            # A port that refuses does not reset: the TCP connection was there, and the handshake broke off.
            return Failure.CLIENT_CERTIFICATE if peer.may_refuse_certificate() else Failure.TLS
        case aiohttp.ClientConnectorError():
            return Failure.CONNECT
        case aiohttp.ClientConnectionError() | OSError():
            refused = _refuses_certificate(error) or (written and peer.may_refuse_certificate())
            return Failure.CLIENT_CERTIFICATE if refused else Failure.RESET
    return Failure.PROTOCOL


def _lines(headers: Mapping[str, str]) -> bytes:
    """Header lines. Raises ValueError for a text that would begin a line of its own."""
    if any(_LINE_END.search(text) for header in headers.items() for text in header):
        raise ValueError("a header with a line end in it")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def _basic(account_id: str, password: str) -> str:
    return "Basic " + b64encode(f"{account_id}:{password}".encode()).decode("ascii")


def _refuses_certificate(error: Exception) -> bool:
    text = str(error)
    return "ALERT" in text and any(name in text for name in _CERTIFICATE_ALERTS)


def _text(header: str | None) -> str | None:
    """aiohttp smuggles bytes that are not UTF-8 as lone surrogates, which neither JSON nor Kafka's headers take."""
    if header is None or header.isascii():
        return header
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
