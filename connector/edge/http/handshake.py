"""A connection and a TLS handshake, nothing sent: whether an address can be reached, and its certificate trusted."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import NamedTuple

from aiohappyeyeballs import start_connection

from connector.core.reply import Failure
from connector.deadline import in_time
from connector.edge.http.tunnel import Proxy, open_tunnel


class Shaken(NamedTuple):
    """The handshake went well. `expires_s`: end of the server's certificate, seconds since the epoch, if known."""

    version: str
    expires_s: float | None


class Refused(NamedTuple):
    """It did not; `code` is `dns`, `connect`, `timeout`, `server_certificate` or `tls`; or the proxy's failure."""

    code: str
    why: str


class _ProxyError(Exception):
    """No tunnel."""

    def __init__(self, failure: Failure, why: str) -> None:
        self.refused = Refused(failure.value, why)


async def handshake(
    host: str, port: int, context: ssl.SSLContext | None, within: float, proxy: Proxy | None = None
) -> Shaken | Refused:
    """Connect, with TLS unless `context` is None, and close again. `within` in seconds, for all of it."""
    tunnel: socket.socket | None = None
    try:
        if proxy is None:
            _, writer = await in_time(asyncio.open_connection(host, port, ssl=context), within)
        else:
            ends = asyncio.get_running_loop().time() + within
            tunnel = await in_time(_through(proxy, host, port), within)
            name = None if context is None else host
            opening = asyncio.open_connection(sock=tunnel, ssl=context, server_hostname=name)
            _, writer = await in_time(opening, max(0.0, ends - asyncio.get_running_loop().time()))
    except _ProxyError as error:
        return error.refused
    except TimeoutError:
        if proxy is not None and tunnel is None:
            return Refused(Failure.PROXY_TIMEOUT.value, f"no tunnel within {within:g} s")
        return Refused("timeout", f"no connection within {within:g} s")
    except ssl.SSLCertVerificationError as error:
        return Refused("server_certificate", error.verify_message)
    except ssl.SSLError as error:
        return Refused("tls", error.reason or "handshake failed")
    except socket.gaierror as error:
        return Refused("dns", error.strerror or "name not resolved")
    except OSError as error:
        return Refused("connect", _reason(error))
    try:
        return _seen(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


async def _through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket whose other end is the host. Raises _ProxyError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
        connected = await start_connection(found)
    except OSError as error:
        raise _ProxyError(Failure.PROXY_UNREACHABLE, _reason(error)) from None
    failure: Failure | None = Failure.PROXY_FAILED
    try:
        failure = await open_tunnel(connected, host, port, proxy)
    finally:
        if failure is not None:
            connected.close()
    if failure is not None:
        raise _ProxyError(failure, "no tunnel")
    return connected


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return error.strerror or "name not resolved"
    return os.strerror(error.errno) if error.errno else type(error).__name__


def _seen(connection: ssl.SSLObject | None) -> Shaken:
    if connection is None:
        return Shaken("no TLS", None)
    ends = (connection.getpeercert() or {}).get("notAfter")
    expires = ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None
    return Shaken(connection.version() or "TLS", expires)
