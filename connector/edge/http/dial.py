"""Connections to one host: names resolved, both families of addresses tried, a proxy's tunnel, TLS.

Nothing is sent to the host here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, cast

from aiohappyeyeballs import AddrInfoType, start_connection

from connector.core.reply import Failure
from connector.edge.daemon import in_daemon_thread
from connector.edge.http.tunnel import Proxy, open_tunnel

# Long enough to cost nothing, short enough to follow the vendor to another address.
_NAME_SECONDS = 30.0
_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305, "Connection Attempt Delay"
_FOR_EVER = 3600.0  # seconds; whoever waits for a handshake has a time-out of their own

# Too many for this process, or for its machine.
_NO_FILE = frozenset({errno.EMFILE, errno.ENFILE})

# OpenSSL's names for alerts by which a server refuses our certificate, rather than the handshake.
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")

P = TypeVar("P")
"""An `asyncio.Protocol`, by shape."""


class DialError(Exception):
    """No connection could be had, and why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


Resolve = Callable[[str, int], list[AddrInfoType]]
"""Looks a host's addresses up; may take long, and is called on a thread of its own. Raises OSError."""


def resolve(host: str, port: int) -> list[AddrInfoType]:
    """Ask the system, for the families that this machine has addresses of."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))


class Dialer:
    """Opens connections to one host and port. Made on a running event loop.

    With a proxy it is the proxy's name that is looked up, and the proxy looks up the host's. Addresses are looked up
    anew when they are older than `name_seconds`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        proxy: Proxy | None = None,
        resolve: Resolve = resolve,
        name_seconds: float = _NAME_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._at_proxy = 0  # dials that wait for it
        self.proxy = proxy
        self._resolve = resolve
        self._name_seconds = name_seconds
        self._loop = asyncio.get_running_loop()
        self._addresses: list[AddrInfoType] = []
        self._fresh_until = 0.0
        self._looking_up: asyncio.Task[list[AddrInfoType]] | None = None

    async def connect(
        self, make: Callable[[socket.socket], P], tls: ssl.SSLContext | None, broken_off: Callable[[], Failure]
    ) -> P:
        """Return the protocol that `make` made for a connection that is ready to be written to.

        Takes as long as it takes: cancel it. `broken_off` names the failure of a handshake that the other side cut.
        Raises DialError.
        """
        addresses = await self._resolved()
        while True:
            connected, reached = await self._connected(addresses)
            try:
                if (refused := await self._tunnelled(connected)) is None:
                    return await self._protocol_on(connected, make, tls)
                failure = refused
            except OSError as error:  # ssl.SSLError is one
                failure = _failure(error, broken_off)
            addresses = [info for info in addresses if info[4][:2] != reached]
            # Another of its addresses would refuse as well, and count one more wrong password.
            if not addresses or failure in (Failure.PROXY_CREDENTIALS, Failure.PROXY_REFUSED):
                raise DialError(failure)

    @property
    def proxy_is_silent(self) -> bool:
        """Whether a dial waits for the proxy, and not for the host behind it."""
        return self._at_proxy > 0

    async def _connected(self, addresses: list[AddrInfoType]) -> tuple[socket.socket, object]:
        with self._waiting_for_proxy():
            try:
                connected = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
                return connected, connected.getpeername()[:2]
            except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError for some of them
                otherwise = Failure.CONNECT if self.proxy is None else Failure.PROXY_UNREACHABLE
                raise DialError(_of_opening(error, otherwise)) from None

    async def _tunnelled(self, connected: socket.socket) -> Failure | None:
        """Why the proxy opened no tunnel; the socket is closed then."""
        if self.proxy is None:
            return None
        stands = False
        try:
            with self._waiting_for_proxy():
                failure = await open_tunnel(connected, self._host, self._port, self.proxy)
            stands = failure is None
        finally:
            if not stands:
                connected.close()
        return failure

    @contextmanager
    def _waiting_for_proxy(self) -> Iterator[None]:
        waits = self.proxy is not None
        self._at_proxy += waits
        try:
            yield
        finally:
            self._at_proxy -= waits

    async def _protocol_on(
        self, connected: socket.socket, make: Callable[[socket.socket], P], tls: ssl.SSLContext | None
    ) -> P:
        made: list[P] = []

        def protocol() -> asyncio.Protocol:
            made.append(make(connected))
            return cast(asyncio.Protocol, made[0])

        try:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if tls is None:
                await self._loop.create_connection(protocol, sock=connected)
            else:
                await self._loop.create_connection(
                    protocol,
                    sock=connected,
                    ssl=tls,
                    server_hostname=self._host.rstrip("."),
                    ssl_handshake_timeout=_FOR_EVER,
                )
        finally:
            if not made:  # otherwise the transport closes it
                connected.close()
        return made[0]

    async def _resolved(self) -> list[AddrInfoType]:
        """The addresses to connect to, each time beginning with another one."""
        if self._loop.time() >= self._fresh_until:
            if self._looking_up is None:
                self._looking_up = self._loop.create_task(self._look_up())
                self._looking_up.add_done_callback(_retrieve)
            # Shared by all that wait for it: who gives up waiting leaves it to the others.
            with self._waiting_for_proxy():
                self._addresses = await asyncio.shield(self._looking_up)
        first = self._addresses.pop(0)
        self._addresses.append(first)
        return [first, *self._addresses[:-1]]

    async def _look_up(self) -> list[AddrInfoType]:
        proxy = self.proxy
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        nowhere = Failure.DNS if proxy is None else Failure.PROXY_UNREACHABLE
        try:
            found = await in_daemon_thread(partial(self._resolve, host, port))
            if not found:
                raise DialError(nowhere)
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could know
            raise DialError(_of_opening(error, nowhere)) from None
        finally:
            self._looking_up = None
        self._fresh_until = self._loop.time() + self._name_seconds
        return found

    def close(self) -> None:
        """Wait for no name any more."""
        if self._looking_up is not None:
            self._looking_up.cancel()


def _retrieve(looked_up: asyncio.Task[list[AddrInfoType]]) -> None:
    """Whoever waited for it may have given up; asyncio would log what nobody asks for."""
    if not looked_up.cancelled():
        looked_up.exception()


def refuses_certificate(error: BaseException | None) -> bool:
    """Whether this is a server's alert that our certificate will not do."""
    said = str(error)
    return "ALERT" in said and any(name in said for name in _CERTIFICATE_ALERTS)


def _of_opening(error: Exception, otherwise: Failure) -> Failure:
    return Failure.OPEN_FILES if isinstance(error, OSError) and error.errno in _NO_FILE else otherwise


def _failure(error: OSError, broken_off: Callable[[], Failure]) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure.SERVER_CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return Failure.CLIENT_CERTIFICATE if refuses_certificate(error) else Failure.TLS
    # The TCP connection was there, and the handshake broke off.
    return broken_off() if isinstance(error, ConnectionError) else Failure.CONNECT
