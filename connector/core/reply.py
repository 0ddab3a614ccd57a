"""All that can come back from the wire: an HTTP reply, or none, and how far the request had got by then."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Reply(NamedTuple):
    """An HTTP status line that arrived, with as much of the body as was read (at most 64 KiB).

    `request_id` is the `X-Request-Id` header as sent, or None; `retry_after` the raw `Retry-After`; `body` may
    be cut (`body_complete` False) when it was too large or the connection broke: the status line decides then.
    """

    status: int
    request_id: str | None
    body: bytes
    retry_after: str | None = None
    body_complete: bool = True


class Failure(StrEnum):
    """Why no status line arrived."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"  # a handshake that failed for no reason we know better
    SERVER_CERTIFICATE = "server_certificate"  # theirs cannot be verified by us
    CLIENT_CERTIFICATE = "client_certificate"  # ours was refused by them (see pitfalls: TLS 1.3 shows a reset)
    OPEN_FILES = "open_files"  # this process may open no more: the vendor has nothing to do with it
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"  # bytes that are not HTTP
    # Before the tunnel of a forward proxy stands, so that nothing was sent.
    PROXY_UNREACHABLE = "proxy_unreachable"  # no address, or no connection to it
    PROXY_TIMEOUT = "proxy_timeout"
    PROXY_FAILED = "proxy_failed"  # it cut, said 5xx or 429, or what is no HTTP
    PROXY_CREDENTIALS = "proxy_credentials"  # 407
    PROXY_REFUSED = "proxy_refused"  # another 3xx or 4xx


class NoReply(NamedTuple):
    """No status line came. `sent` False: not a byte of the request was written, so it was never delivered."""

    failure: Failure
    sent: bool


Answer = Reply | NoReply
