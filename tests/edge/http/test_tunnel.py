"""Posts through a forward proxy: the tunnel, and what is known when there is none."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trustme

from connector.core.reply import Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.edge.http.dial import Dialer, DialError, resolve
from connector.edge.http.handshake import Refused, Shaken, handshake
from connector.edge.http.tunnel import Proxy
from connector.edge.openmarket import OpenMarket
from connector.edge.tls import Tls
from tests.support.connect_proxy import ESTABLISHED, UNAUTHORIZED, connect_proxy
from tests.support.deadline import eventually
from tests.support.raw_http import Peer, raw_server

REQUEST = InvokeRequest("0A1B", b'{"endUser":{"phoneNumber":"12515550123"}}', ())
ACCEPTED = Reply(202, "id-1", b"")
VENDOR = "vendor.example"  # which no name server knows: the proxy finds it
SHORT = 0.2  # seconds; waited out in full
ENOUGH = 2.0  # seconds for a tunnel to stand, on a busy machine too; waited out in full

NO_TUNNEL = {
    "407": ((UNAUTHORIZED,), Failure.PROXY_CREDENTIALS),
    "407 whose head is cut": ((b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-",), Failure.PROXY_CREDENTIALS),
    "407 with a page": ((b"HTTP/1.0 407 No\r\n\r\n", b"<html>" * 9000), Failure.PROXY_CREDENTIALS),
    "403": ((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",), Failure.PROXY_REFUSED),
    "405": ((b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_REFUSED),
    "302": ((b"HTTP/1.1 302 Found\r\nLocation: http://login\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_REFUSED),
    "502": ((b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_FAILED),
    "503": ((b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_FAILED),
    "504": ((b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_FAILED),
    "429": ((b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",), Failure.PROXY_FAILED),
    "101": ((b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), Failure.PROXY_FAILED),
    "no HTTP": ((b"SSH-2.0-OpenSSH_9.6\r\n",), Failure.PROXY_FAILED),
    "nothing": ((), Failure.PROXY_FAILED),
    "a cut status line": ((b"HTTP/1.1 20",), Failure.PROXY_FAILED),
    "a 200 whose head is cut": ((b"HTTP/1.1 200 OK\r\n",), Failure.PROXY_FAILED),
    "a 200 with a page": ((ESTABLISHED + b"<html>",), Failure.PROXY_FAILED),
    "an endless head": ((b"HTTP/1.1 200 OK\r\n" + b"X-Filler: x\r\n" * 6000,), Failure.PROXY_FAILED),
}

STANDS = {
    "HTTP/1.0": (b"HTTP/1.0 200 Connection established\r\n\r\n",),
    "no reason": (b"HTTP/1.1 200\r\n\r\n",),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "headers of a body that does not come": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",),
    "Transfer-Encoding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",),
    "lone line feeds": (b"HTTP/1.1 200 OK\nVia: proxy\n\n",),
    "an interim answer before": (b"HTTP/1.1 100 Continue\r\n\r\n", ESTABLISHED),
    "piece by piece": (ESTABLISHED[:3], ESTABLISHED[3:20], ESTABLISHED[20:-1], ESTABLISHED[-1:]),
}


async def accept(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.answer(X_Request_Id="id-1")


class Certificates:
    """The vendor's, of an authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(VENDOR).configure_cert(self.server)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, kept from others."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


class TestTunnel:
    both_loops = True

    @asynccontextmanager
    async def open(
        self,
        certificates: Certificates,
        proxy: Proxy,
        *,
        trusted: bool = True,
        connect: float = 5.0,
        total: float = 10.0,
        port: int = 443,
    ) -> AsyncIterator[OpenMarket]:
        invoker = OpenMarket(
            f"https://{VENDOR}:{port}",
            "123-456",
            "s3cret",
            in_flight=8,
            connect_timeout=connect,
            total_timeout=total,
            tls=Tls(certificates.ca_file if trusted else None),
            proxy=proxy,
        )
        try:
            yield invoker
        finally:
            await invoker.close()

    async def test_posts_inside_tls_through_one_tunnel_and_the_proxy_sees_host_and_port_only(
        self, certificates: Certificates
    ) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            proxy.credentials = "user:pässword:x"
            through = Proxy("127.0.0.1", proxy.port, proxy.credentials)
            async with self.open(certificates, through) as invoker:
                assert [await invoker.invoke(REQUEST) for _ in range(3)] == [ACCEPTED] * 3
        (asked,) = proxy.asked
        assert asked.start == f"CONNECT {VENDOR}:443 HTTP/1.1"
        assert asked.headers["host"] == f"{VENDOR}:443"
        assert set(asked.headers) == {"host", "user-agent", "proxy-authorization"}
        assert vendor.requests[0].headers["host"] == VENDOR
        assert "proxy-authorization" not in vendor.requests[0].headers

    async def test_no_credentials_are_shown_when_none_are_given(self, certificates: Certificates) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            async with self.open(certificates, Proxy("localhost", proxy.port)) as invoker:
                assert await invoker.invoke(REQUEST) == ACCEPTED
        assert "proxy-authorization" not in proxy.asked[0].headers

    @pytest.mark.parametrize("form", STANDS)
    async def test_a_tunnel_stands_however_the_proxy_words_it(self, certificates: Certificates, form: str) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            proxy.established = STANDS[form]
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port)) as invoker:
                assert await invoker.invoke(REQUEST) == ACCEPTED

    @pytest.mark.parametrize("form", NO_TUNNEL)
    async def test_without_a_tunnel_nothing_was_sent(self, certificates: Certificates, form: str) -> None:
        async with connect_proxy() as proxy:
            proxy.instead, failure = NO_TUNNEL[form]
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port)) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(failure, sent=False)
        assert proxy.targets == [f"{VENDOR}:443"]

    @pytest.mark.parametrize(
        ("form", "asked"),
        [("407", 1), ("403", 1), ("502", 2), ("no HTTP", 2)],
    )
    async def test_another_address_of_the_proxy_is_tried_unless_the_first_refused(self, form: str, asked: int) -> None:
        """Two wrong passwords a post would lock the account twice as fast."""
        async with connect_proxy() as one, connect_proxy() as other:
            proxies = (one, other)
            for proxy in proxies:
                proxy.instead, failure = NO_TUNNEL[form]
            found = [each for proxy in proxies for each in resolve("127.0.0.1", proxy.port)]
            dialer = Dialer(VENDOR, 443, proxy=Proxy("proxy.example", 3128), resolve=lambda _host, _port: found)
            with pytest.raises(DialError) as caught:
                await dialer.connect(lambda _: asyncio.Protocol(), None, lambda: Failure.TLS)
        assert caught.value.failure is failure
        assert len(one.asked) + len(other.asked) == asked

    async def test_a_proxy_that_refuses_connections_was_never_sent_through(self, certificates: Certificates) -> None:
        with closed_port() as port:
            async with self.open(certificates, Proxy("127.0.0.1", port)) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.PROXY_UNREACHABLE, sent=False)

    async def test_a_proxy_without_an_address_was_never_sent_through(self, certificates: Certificates) -> None:
        async with self.open(certificates, Proxy("proxy.invalid", 3128)) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.PROXY_UNREACHABLE, sent=False)

    @pytest.mark.parametrize(("connect", "total"), [(SHORT, 10.0), (10.0, SHORT)])
    async def test_a_silent_proxy_is_named_when_the_time_to_connect_is_over(
        self, certificates: Certificates, connect: float, total: float
    ) -> None:
        async with connect_proxy() as proxy:
            proxy.silent = True
            through = Proxy("127.0.0.1", proxy.port)
            async with self.open(certificates, through, connect=connect, total=total) as invoker:
                answers = await asyncio.gather(*(invoker.invoke(REQUEST) for _ in range(3)))
        assert answers == [NoReply(Failure.PROXY_TIMEOUT, sent=False)] * 3

    async def test_a_vendor_that_is_silent_behind_the_tunnel_is_not_the_proxys_fault(
        self, certificates: Certificates
    ) -> None:
        async with raw_server(lambda peer: peer.forever()) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port), connect=ENOUGH) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=False)

    async def test_the_vendors_certificate_is_verified_through_the_tunnel(self, certificates: Certificates) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port), trusted=False) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.SERVER_CERTIFICATE, sent=False)
        assert vendor.requests == []

    async def test_a_tunnel_that_is_cut_behind_the_request_may_have_delivered_it(
        self, certificates: Certificates
    ) -> None:
        async with connect_proxy() as proxy:

            async def cut(peer: Peer) -> None:
                await peer.request()
                proxy.cut()

            async with raw_server(cut, tls=certificates.server) as vendor:
                proxy.routes[VENDOR] = vendor.port
                async with self.open(certificates, Proxy("127.0.0.1", proxy.port)) as invoker:
                    assert await invoker.invoke(REQUEST) == NoReply(Failure.RESET, sent=True)
        assert len(vendor.requests) == 1

    async def test_what_is_under_way_when_the_transport_closes_was_never_sent(self, certificates: Certificates) -> None:
        async with connect_proxy() as proxy:
            proxy.silent = True
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port)) as invoker:
                post = asyncio.create_task(invoker.invoke(REQUEST))
                await eventually(lambda: proxy.asked, 60, "the proxy is asked")
                await invoker.close()
                assert await post == NoReply(Failure.RESET, sent=False)

    async def test_new_credentials_are_shown_from_the_next_tunnel_on_and_the_one_that_stands_is_kept(
        self, certificates: Certificates
    ) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            proxy.credentials = "user:new"
            async with self.open(certificates, Proxy("127.0.0.1", proxy.port, "user:old")) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.PROXY_CREDENTIALS, sent=False)
                invoker.renew_proxy(Proxy("127.0.0.1", proxy.port, "user:new"))
                assert await invoker.invoke(REQUEST) == ACCEPTED
                invoker.renew_proxy(Proxy("127.0.0.1", proxy.port, "user:newer"))
                assert await invoker.invoke(REQUEST) == ACCEPTED
        shown = [seen.headers["proxy-authorization"] for seen in proxy.asked]
        assert shown == ["Basic " + b64encode(f"user:{word}".encode()).decode() for word in ("old", "new")]

    async def test_an_address_of_ip_version_6_is_asked_for_in_brackets(self, certificates: Certificates) -> None:
        async with connect_proxy() as proxy:
            proxy.instead = ()
            found = await handshake("2001:db8::1", 443, None, 5, Proxy("127.0.0.1", proxy.port))
        assert isinstance(found, Refused)
        assert proxy.targets == ["[2001:db8::1]:443"]


class TestHandshake:
    """What `connector check --live` sees."""

    def trusting(self, certificates: Certificates) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=certificates.ca_file)

    async def test_it_goes_through_the_tunnel(self, certificates: Certificates) -> None:
        async with raw_server(accept, tls=certificates.server) as vendor, connect_proxy() as proxy:
            proxy.routes[VENDOR] = vendor.port
            through = Proxy("127.0.0.1", proxy.port)
            found = await handshake(VENDOR, 443, self.trusting(certificates), 5, through)
        assert isinstance(found, Shaken)
        assert found.version == "TLSv1.3"

    @pytest.mark.parametrize("form", NO_TUNNEL)
    async def test_a_refusal_of_the_proxy_is_told_as_the_proxys(self, certificates: Certificates, form: str) -> None:
        async with connect_proxy() as proxy:
            proxy.instead, failure = NO_TUNNEL[form]
            through = Proxy("127.0.0.1", proxy.port)
            found = await handshake(VENDOR, 443, self.trusting(certificates), 5, through)
        assert found == Refused(failure.value, "no tunnel")

    async def test_a_silent_proxy_and_one_that_is_not_there(self, certificates: Certificates) -> None:
        context = self.trusting(certificates)
        async with connect_proxy() as proxy:
            proxy.silent = True
            silent = await handshake(VENDOR, 443, context, SHORT, Proxy("127.0.0.1", proxy.port))
        with closed_port() as port:
            away = await handshake(VENDOR, 443, context, 5, Proxy("127.0.0.1", port))
        assert silent == Refused("proxy_timeout", f"no tunnel within {SHORT:g} s")
        assert away == Refused("proxy_unreachable", "Connection refused")
