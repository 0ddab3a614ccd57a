"""The tunnel through a forward proxy (CONNECT, RFC 9110, 9.3.6): asked for on a socket before anything else is sent."""

from __future__ import annotations

import asyncio
import socket
from typing import NamedTuple

from connector import __version__
from connector.core.reply import Failure
from connector.edge.basic_auth import basic_auth as header
from connector.edge.http.answer import HttpAnswer

_PIECE = 4096  # bytes read at once
_PROXY_AUTHENTICATION_REQUIRED = 407
_FOR_NOW = frozenset({408, 425, 429})  # of the 4xx, those that pass by themselves


class Proxy(NamedTuple):
    """Where a forward proxy is, and the `user:password` that it is shown."""

    host: str
    port: int
    basic_auth: str | None = None

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return authority(self.host, self.port)


async def open_tunnel(connected: socket.socket, host: str, port: int, proxy: Proxy) -> Failure | None:
    """Ask the proxy at the other end of `connected` for a tunnel to `host`. None: it stands. Else close the socket.

    Takes as long as it takes: cancel it.
    """
    loop = asyncio.get_running_loop()
    answer = HttpAnswer()
    try:
        await loop.sock_sendall(connected, _request(authority(host, port), proxy.basic_auth))
        while not answer.begun and not answer.over:
            if came := await loop.sock_recv(connected, _PIECE):
                answer.feed(came)
            else:
                answer.end(clean=True)
    except OSError:
        answer.end(clean=False)
    return _failure(answer)


def _failure(answer: HttpAnswer) -> Failure | None:
    status = answer.status  # also of a head that was cut behind its first line
    if status == _PROXY_AUTHENTICATION_REQUIRED:
        return Failure.PROXY_CREDENTIALS
    if 300 <= status < 500 and status not in _FOR_NOW:
        return Failure.PROXY_REFUSED
    # The server speaks TLS, and does not speak first: what follows the head is no tunnel's.
    if not 200 <= status < 300 or not answer.begun or answer.followed:
        return Failure.PROXY_FAILED
    return None


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _request(target: str, basic_auth: str | None) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: invoke-connector/{__version__}"]
    if basic_auth is not None:
        lines.append(f"Proxy-Authorization: {header(basic_auth)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")
