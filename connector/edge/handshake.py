"""A connection and a TLS handshake, nothing sent: whether an address can be reached, and its certificate trusted."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import NamedTuple

from connector.deadline import in_time


class Shaken(NamedTuple):
    """The handshake went well. `expires_s`: end of the server's certificate, seconds since the epoch, if known."""

    version: str
    expires_s: float | None


class Refused(NamedTuple):
    """It did not; `code` is `dns`, `connect`, `timeout`, `server_certificate` or `tls`."""

    code: str
    why: str


async def handshake(host: str, port: int, context: ssl.SSLContext | None, within: float) -> Shaken | Refused:
    """Connect, with TLS unless `context` is None, and close again. `within` in seconds, for all of it."""
    try:
        _, writer = await in_time(asyncio.open_connection(host, port, ssl=context), within)
    except TimeoutError:
        return Refused("timeout", f"no connection within {within:g} s")
    except ssl.SSLCertVerificationError as error:
        return Refused("server_certificate", error.verify_message)
    except ssl.SSLError as error:
        return Refused("tls", error.reason or "handshake failed")
    except socket.gaierror as error:
        return Refused("dns", error.strerror or "name not resolved")
    except OSError as error:
        return Refused("connect", os.strerror(error.errno) if error.errno else type(error).__name__)
    try:
        return _seen(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


def _seen(connection: ssl.SSLObject | None) -> Shaken:
    if connection is None:
        return Shaken("no TLS", None)
    ends = (connection.getpeercert() or {}).get("notAfter")
    expires = ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None
    return Shaken(connection.version() or "TLS", expires)
