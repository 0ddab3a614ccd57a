"""The vendor's HTTP API: a request in, what came back out. Every exception of the network ends behind it.

What may go wrong is a value, because what becomes of the record hangs on it: was the request written (then it may
have been delivered, and a repeat is a person texted twice), or not? Nothing here posts a second time.

A transport of our own (`edge/http/`), since no library tells which bytes
were handed to the kernel, and none takes all the forms of an answer that proxies make (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping

from yarl import URL

from connector import __version__
from connector.core.reply import Answer
from connector.core.request import InvokeRequest
from connector.core.service_id import is_service_id
from connector.core.trace import TraceContext
from connector.edge.basic_auth import basic_auth
from connector.edge.daemon import in_daemon_thread
from connector.edge.http.connection import Post
from connector.edge.http.pool import Peer, Pool
from connector.edge.http.tunnel import Proxy
from connector.edge.tls import Tls

_HEADS_SIZE = 1024  # service ids; an account has tens
_LINE_END = re.compile(r"[\0\r\n]")


class OpenMarket:
    """Satisfies `engine.ports.Invoker`. Make it on a running event loop."""

    def __init__(  # noqa: PLR0913 - the section `openmarket` of the settings, by name
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
        proxy: Proxy | None = None,
    ) -> None:
        """Time-outs in seconds; `connect_timeout` covers DNS, TCP, a proxy's tunnel and TLS together.

        `in_flight` bounds the connections. `name` is the header that mutual TLS asks for, and its value.
        Raises OSError when a TLS file cannot be used.
        """
        self._url = url = URL(f"{base_url.rstrip('/')}/service/v1/invokeService/")
        self._account_id = account_id
        self._name = dict([name]) if name else {}
        assert url.raw_host is not None
        assert url.port is not None
        self._pool = Pool(
            url.raw_host,
            url.port,
            self._peer(tls, tls.context()),
            limit=in_flight,
            connect_timeout=connect_timeout,
            total_timeout=total_timeout,
            proxy=proxy,
        )
        self.renew_password(password)

    def renew_password(self, password: str) -> None:
        """Show this password from the next post on."""
        self._headers = _lines(
            {
                "Host": self._url.host_port_subcomponent or "",
                "Authorization": basic_auth(f"{self._account_id}:{password}"),
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"invoke-connector/{__version__}",
                **self._name,
            }
        )
        self._heads: dict[str, bytes] = {}

    def renew_proxy(self, proxy: Proxy) -> None:
        """Show the proxy these credentials from the next tunnel on; those that stand are kept."""
        self._pool.renew_proxy(proxy)

    async def renew_tls(self, tls: Tls) -> None:
        """Use these files from the next post on, which opens a connection of its own.

        A post under way ends where it began: cutting it off would leave unknown whether it was delivered. Its
        connection takes no other.
        Raises OSError for a file that cannot be used; then everything stays as it is.
        """
        self._pool.renew(self._peer(tls, await in_daemon_thread(tls.context)))

    def post(
        self, request: InvokeRequest, on_answer: Callable[[Answer], None], trace: TraceContext | None = None
    ) -> Post:
        """Post once; `on_answer` is called with what came back, in a later turn of the event loop.

        Raises ValueError for a service id that is not 1 to 64 hexadecimal digits.
        """
        head = self._heads.get(request.service_id) or self._head(request.service_id)
        if trace is not None:
            head += _lines(trace.headers())
        body = request.body
        data = b"".join((head, b"Content-Length: ", str(len(body)).encode(), b"\r\n\r\n", body))
        return self._pool.post(data, on_answer)

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post once, and return what came back. Raises ValueError as `post` does."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answer(came: Answer) -> None:
            if not answered.done():  # cancelled, in this turn
                answered.set_result(came)

        post = self.post(request, answer, trace)
        try:
            return await answered
        except asyncio.CancelledError:
            self._pool.abandon(post)
            raise

    def abandon_all(self) -> None:
        """Nobody wants the answers of what is under way any more: what was not sent yet never will be."""
        self._pool.abandon_all()

    async def close(self) -> None:
        """Close the connections; posts under way are answered as cut."""
        await self._pool.close()

    def _peer(self, tls: Tls, context: ssl.SSLContext) -> Peer:
        if self._url.scheme != "https":
            return Peer(None, is_mutual=False)
        return Peer(context, is_mutual=tls.certificate_file is not None)

    def _head(self, service_id: str) -> bytes:
        if not is_service_id(service_id):
            raise ValueError("a service id must be 1 to 64 hexadecimal digits")
        if len(self._heads) >= _HEADS_SIZE:
            self._heads.clear()
        path = (self._url / service_id).raw_path
        head = self._heads[service_id] = f"POST {path} HTTP/1.1\r\n".encode("ascii") + self._headers
        return head


def _lines(headers: Mapping[str, str]) -> bytes:
    """Header lines. Raises ValueError for a text that would begin a line of its own."""
    if any(_LINE_END.search(text) for header in headers.items() for text in header):
        raise ValueError("a header with a line end in it")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
