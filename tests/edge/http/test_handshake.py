"""A connection and a TLS handshake: each way it can go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from connector.edge.http.handshake import Refused, Shaken, handshake
from connector.listening import stop_listening


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def serve(authority: trustme.CA | None) -> AsyncIterator[asyncio.Server]:
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    try:
        yield server
    finally:
        await stop_listening(server)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def test_a_trusted_certificate_tells_version_and_end(authority: trustme.CA) -> None:
    """The end of the server's certificate, in seconds since the epoch."""
    async with serve(authority) as server:
        found = await handshake("127.0.0.1", port_of(server), trusting(authority), 5)
    assert isinstance(found, Shaken)
    assert found.version == "TLSv1.3"
    assert found.expires_s is not None


async def test_an_unknown_authority_is_a_server_certificate(authority: trustme.CA) -> None:
    """A proxy that breaks TLS open looks like this."""
    async with serve(authority) as server:
        found = await handshake("127.0.0.1", port_of(server), ssl.create_default_context(), 5)
    assert isinstance(found, Refused)
    assert found.code == "server_certificate"


async def test_a_server_without_tls_is_refused(authority: trustme.CA) -> None:
    """Never plain text where TLS was asked for."""
    async with serve(None) as server:
        found = await handshake("127.0.0.1", port_of(server), trusting(authority), 5)
    assert isinstance(found, Refused)


async def test_plain_text_needs_no_context() -> None:
    """For a simulator on this machine."""
    async with serve(None) as server:
        assert await handshake("127.0.0.1", port_of(server), None, 5) == Shaken("no TLS", None)


async def test_a_closed_port_is_refused() -> None:
    """The operating system's words, without its number."""
    async with serve(None) as server:
        port = port_of(server)
    assert await handshake("127.0.0.1", port, None, 5) == Refused("connect", "Connection refused")
