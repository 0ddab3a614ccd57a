"""The vendor's HTTP API: one suite that every transport behind the Invoker port must pass."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from threading import Event as ThreadEvent
from typing import NamedTuple, Protocol

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from connector.edge.openmarket import OpenMarket
from connector.edge.tls import Tls
from connector.engine.ports import Invoker
from tests.support.blocking_http import ANSWER, blocking_server, read_request, reset
from tests.support.raw_http import Peer, raw_server

REQUEST = InvokeRequest("0A1B2C3D4E5F", b'{"endUser":{"phoneNumber":"12515550123"}}', ())
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SHORT = 0.2  # seconds; waited out in full by the tests of time-outs
WRITTEN = 1.0  # seconds; the same where the request must surely be written before, however busy the machine is
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


async def accept(peer: Peer) -> None:
    """Accept whatever comes, until the client closes."""
    while True:
        await peer.request()
        await peer.answer(X_Request_Id="id-1")


OK = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: id-1\r\n"
EMPTY = OK + b"Content-Length: 0\r\n"
ODD_FORMS = {
    "a header line above 8190 bytes": EMPTY + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n",
    "more than 128 headers": EMPTY + b"".join(b"X-%d: x\r\n" % number for number in range(200)) + b"\r\n",
    "Content-Length beside chunked": EMPTY + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two equal Content-Lengths": EMPTY + b"Content-Length: 0\r\n\r\n",
    "Transfer-Encoding: identity": OK + b"Transfer-Encoding: identity\r\n\r\n",
    "identity beside a Content-Length": EMPTY + b"Transfer-Encoding: identity\r\n\r\n",
    "a header name with a space": EMPTY + b"X Powered By: somebody\r\n\r\n",
    "a header of 30 KB": EMPTY + b"X-Long: " + b"x" * 30_000 + b"\r\n\r\n",
    "two different Content-Lengths": EMPTY + b"Content-Length: 2\r\n\r\n",
    "a Content-Length that is no number": OK + b"Content-Length: none\r\n\r\n",
    "lone line feeds": EMPTY.replace(b"\r\n", b"\n") + b"\n",
    "a folded header": EMPTY + b"X-Folded: a\r\n b\r\n\r\n",
    "chunks that are none": OK + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n",
}
"""Answers that accept, as proxies and gateways have been seen to write them."""


class Certificates:
    """A certificate authority, a server's context, and clients' files, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(self, host: str = "127.0.0.1", version: str = "1.3", mutual: bool = False) -> ssl.SSLContext:
        """A server's side, which with `mutual` wants a client certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = VERSIONS[version]
        self._ca.issue_cert(host).configure_cert(context)
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def client(self, issuer: trustme.CA | None = None) -> Tls:
        """A client's side with a new certificate of `issuer`, by default this authority, in the same files as ever."""
        issued = (issuer or self._ca).issue_cert("client.example")
        certificate, key = self._folder / "client.pem", self._folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return Tls(self.ca_file, certificate, key)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


class Options(NamedTuple):
    """How a transport is made. Seconds."""

    in_flight: int = 4
    connect_timeout: float = 5.0
    total_timeout: float = 10.0
    tls: Tls = Tls()
    name: tuple[str, str] | None = None


class Invoking(Invoker, Protocol):
    """One that can also be waited for."""

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post once, and return what came back."""


class InvokerSuite:
    """What holds for every transport: a subclass says how one is made."""

    both_loops = True

    def make(self, url: str, options: Options) -> Invoking:
        """Make the transport under test for account `123-456` and password `s3cret`."""
        raise NotImplementedError

    @asynccontextmanager
    async def open(self, url: str, options: Options = Options()) -> AsyncIterator[Invoking]:  # noqa: B008 - immutable
        invoker = self.make(url, options)
        try:
            yield invoker
        finally:
            await invoker.close()

    # What is sent.

    async def test_posts_the_body_once_to_the_path_of_the_service(self) -> None:
        async with raw_server(accept) as server, self.open(server.url + "/") as invoker:
            await invoker.invoke(REQUEST)
        assert [(seen.start, seen.body) for seen in server.requests] == [
            ("POST /service/v1/invokeService/0A1B2C3D4E5F HTTP/1.1", REQUEST.body)
        ]

    async def test_the_headers_are_those_of_the_vendors_page_and_no_compressed_answer_is_asked_for(self) -> None:
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            await invoker.invoke(REQUEST)
        (seen,) = server.requests
        assert seen.headers["authorization"] == "Basic " + b64encode(b"123-456:s3cret").decode()
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["accept-encoding"] == "identity"
        assert seen.headers["content-length"] == str(len(REQUEST.body))
        assert "transfer-encoding" not in seen.headers
        assert "cookie" not in seen.headers

    async def test_a_trace_context_is_passed_on_and_only_for_its_own_request(self) -> None:
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            await invoker.invoke(REQUEST, TraceContext(TRACE, "rojo=1,congo=t61"))
            await invoker.invoke(REQUEST, TraceContext(TRACE))
            await invoker.invoke(REQUEST)
        shown = [(seen.headers.get("traceparent"), seen.headers.get("tracestate")) for seen in server.requests]
        assert shown == [(TRACE, "rojo=1,congo=t61"), (TRACE, None), (None, None)]

    async def test_the_name_that_mutual_tls_asks_for_goes_into_its_header(self) -> None:
        async with raw_server(accept) as server, self.open(server.url, Options(name=("X-Name", "gate 7"))) as invoker:
            await invoker.invoke(REQUEST)
        assert server.requests[0].headers["x-name"] == "gate 7"

    @pytest.mark.parametrize("service_id", ["", "../../admin", "0A1B?x=1", "0A/1B", "0A1G", "A" * 65, "0A\n"])
    async def test_a_service_id_that_could_leave_the_path_is_a_bug_and_nothing_is_sent(self, service_id: str) -> None:
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            with pytest.raises(ValueError, match="hexadecimal"):
                await invoker.invoke(InvokeRequest(service_id, b"{}", ()))
        assert server.connections == 0

    async def test_more_service_ids_than_the_cache_holds_are_all_posted_to(self) -> None:
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            for number in range(1030):
                await invoker.invoke(InvokeRequest(f"{number:X}", b"{}", ()))
        assert [seen.start.split()[1].rpartition("/")[2] for seen in server.requests] == [
            f"{number:X}" for number in range(1030)
        ]

    # What comes back.

    async def test_an_acceptance_without_a_body(self) -> None:
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    async def test_a_chunked_body_is_drained_and_the_connection_kept(self) -> None:
        async def chunked(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Request-Id: a\r\n\r\n")
                await peer.send(b"2\r\nOK\r\n0\r\n\r\n")

        async with raw_server(chunked) as server, self.open(server.url) as invoker:
            answers = [await invoker.invoke(REQUEST) for _ in range(3)]
        assert answers == [Reply(200, "a", b"OK")] * 3
        assert server.connections == 1

    async def test_an_interim_answer_is_not_the_answer(self) -> None:
        async def early(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                await peer.answer(X_Request_Id="final")

        async with raw_server(early) as server, self.open(server.url) as invoker:
            answers = [await invoker.invoke(REQUEST) for _ in range(2)]
        assert answers == [Reply(202, "final", b"")] * 2

    async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_ones(self) -> None:
        idle, stray_sent = asyncio.Event(), asyncio.Event()

        async def talkative(peer: Peer) -> None:
            await peer.request()
            await peer.answer(X_Request_Id=f"asked {len(server.requests)}")
            await idle.wait()
            await peer.answer(X_Request_Id="stray")
            stray_sent.set()
            await peer.gone()

        async with raw_server(talkative) as server, self.open(server.url) as invoker:
            first = await invoker.invoke(REQUEST)
            idle.set()
            await stray_sent.wait()
            await asyncio.sleep(SHORT)  # on loopback it is there long before
            second = await invoker.invoke(REQUEST)
        assert [first, second] == [Reply(202, "asked 1", b""), Reply(202, "asked 2", b"")]

    @pytest.mark.parametrize("name", ["gate\r\nX-Other: 1", "gate\0"])
    async def test_a_header_that_would_begin_another_line_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="line end"):
            self.make("http://127.0.0.1:1", Options(name=("X-Name", name)))

    async def test_a_rejection_with_its_body_and_retry_after_as_sent(self) -> None:
        body = b'{"error":{"code":1010,"description":"try again"}}'

        async def reject(peer: Peer) -> None:
            await peer.request()
            await peer.answer("500 Oops", body, X_Request_Id="r", Retry_After="Wed, soon", Connection="close")

        async with raw_server(reject) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(500, "r", body, "Wed, soon")

    async def test_a_request_id_that_is_not_utf_8_is_still_text(self) -> None:
        async def latin(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 202 OK\r\nX-Request-Id: caf\xe9\r\nContent-Length: 0\r\n\r\n")
            await peer.gone()

        async with raw_server(latin) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, "caf\N{REPLACEMENT CHARACTER}", b"")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_an_answer_and_never_followed(self, status: int) -> None:
        async def redirect(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.answer(f"{status} Elsewhere", Location="/other")

        async with raw_server(redirect) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(status, None, b"")
        assert len(server.requests) == 1

    async def test_a_huge_answer_is_cut_at_64_kib_and_its_connection_dropped(self) -> None:
        dropped = asyncio.Event()

        async def huge(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 400 No\r\nContent-Length: 10000000\r\n\r\n")
            try:
                await peer.send(b"x" * 10_000_000)
                await peer.gone()
            finally:
                dropped.set()

        async with raw_server(huge) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(400, None, b"x" * 65536, None, False)
            await asyncio.wait_for(dropped.wait(), 60)

    async def test_a_compressed_answer_is_never_inflated(self) -> None:
        compressed = gzip.compress(b"no more than this")

        async def answer(peer: Peer) -> None:
            await peer.request()
            await peer.answer("502 Bad", compressed, Content_Encoding="gzip")

        async with raw_server(answer) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(502, None, compressed)

    @pytest.mark.parametrize("end", ["close", "reset", "drip"])
    async def test_once_the_status_line_came_a_body_that_breaks_off_changes_nothing(self, end: str) -> None:
        async def cut(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 202 Accepted\r\nX-Request-Id: r\r\nContent-Length: 100\r\n\r\n")
            while end == "drip":
                await peer.send(b".")
                await asyncio.sleep(SHORT / 10)
            if end == "reset":
                peer.reset()

        total = WRITTEN if end == "drip" else 10.0
        async with raw_server(cut) as server, self.open(server.url, Options(total_timeout=total)) as invoker:
            answer = await invoker.invoke(REQUEST)
        assert isinstance(answer, Reply)
        assert (answer.status, answer.request_id, answer.body_complete) == (202, "r", False)

    @pytest.mark.parametrize("form", ODD_FORMS)
    async def test_an_acceptance_that_a_proxy_has_bent_is_an_acceptance(self, form: str) -> None:
        """The status line and the X-Request-Id that have come decide, on a connection used again or not."""

        async def bent(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(ODD_FORMS[form])
                if b"Content-Length" not in ODD_FORMS[form]:
                    return

        async with raw_server(bent) as server, self.open(server.url) as invoker:
            answers = [await invoker.invoke(REQUEST) for _ in range(3)]
        assert [(type(answer), answer[:2]) for answer in answers] == [(Reply, (202, "id-1"))] * 3
        assert len(server.requests) == 3

    @pytest.mark.parametrize("end", ["close", "reset", "silence"])
    async def test_a_head_that_breaks_off_behind_the_request_id_is_an_answer(self, end: str) -> None:
        async def cut(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 202 Accepted\r\nX-Request-Id: id-1\r\nServer: ")
            await asyncio.sleep(SHORT)
            if end == "silence":
                await peer.forever()
            if end == "reset":
                peer.reset()

        async with raw_server(cut) as server, self.open(server.url, Options(total_timeout=WRITTEN)) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"", None, False)

    async def test_two_answers_to_one_request_cost_the_connection(self) -> None:
        async def twice(peer: Peer) -> None:
            seen = await peer.request()
            name = seen.headers.get("traceparent", "none").encode()
            answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Request-Id: %b\r\n\r\n" % name
            await peer.send(answer + answer)
            await peer.gone()

        async with raw_server(twice) as server, self.open(server.url) as invoker:
            answers = [
                await invoker.invoke(REQUEST, trace) for trace in (TraceContext(TRACE), None, TraceContext(TRACE))
            ]
        assert answers == [Reply(202, name, b"") for name in (TRACE, "none", TRACE)]
        assert server.connections == 3

    async def test_an_answer_that_comes_before_the_whole_request_was_written_costs_the_connection(self) -> None:
        """What is left of the request would go in front of the next one."""

        async def hasty(peer: Peer) -> None:
            await peer.answer("413 Too Large", X_Request_Id="r")
            await peer.gone()

        async with raw_server(hasty) as server, self.open(server.url) as invoker:
            large = InvokeRequest("FF", b"x" * 20_000_000, ())
            assert await invoker.invoke(large) in (Reply(413, "r", b""), NoReply(Failure.RESET, sent=False))

    # No answer: maybe delivered.

    async def test_silence_after_the_request_is_a_timeout_that_may_have_been_delivered(self) -> None:
        async def silent(peer: Peer) -> None:
            await peer.request()
            await peer.forever()

        async with raw_server(silent) as server, self.open(server.url, Options(total_timeout=WRITTEN)) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=True)

    async def test_a_status_line_that_drips_for_ever_is_a_timeout(self) -> None:
        async def drip(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 202 ")
            while True:
                await peer.send(b"A")
                await asyncio.sleep(SHORT / 10)

        async with raw_server(drip) as server, self.open(server.url, Options(total_timeout=WRITTEN)) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=True)

    @pytest.mark.parametrize("reset", [True, False])
    async def test_a_connection_cut_instead_of_an_answer_may_have_been_delivered(self, reset: bool) -> None:
        async def cut(peer: Peer) -> None:
            await peer.request()
            if reset:
                peer.reset()

        async with raw_server(cut) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.RESET, sent=True)

    @pytest.mark.parametrize("reset", [True, False])
    async def test_a_kept_connection_that_is_cut_while_we_write_is_not_written_to_twice(self, reset: bool) -> None:
        async def once(peer: Peer) -> None:
            await peer.request()
            await peer.answer()
            await peer.request()
            if reset:
                peer.reset()

        async with raw_server(once) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, None, b"")
            assert await invoker.invoke(REQUEST) == NoReply(Failure.RESET, sent=True)
        assert (server.connections, len(server.requests)) == (1, 2)

    @pytest.mark.parametrize(
        "noise",
        [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 202 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"],
        ids=["ssh", "no status", "endless header"],
    )
    async def test_bytes_that_are_not_http_may_have_been_delivered(self, noise: bytes) -> None:
        async def speak(peer: Peer) -> None:
            await peer.request()
            await peer.send(noise)
            await peer.gone()

        async with raw_server(speak) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.PROTOCOL, sent=True)

    async def test_a_post_given_up_by_the_caller_is_cancelled_and_its_connection_dropped(self) -> None:
        read, dropped = asyncio.Event(), asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            read.set()
            await peer.gone()
            dropped.set()

        async with raw_server(silent) as server, self.open(server.url) as invoker:
            post = asyncio.create_task(_invoke(invoker))
            await asyncio.wait_for(read.wait(), 60)
            post.cancel()
            with pytest.raises(asyncio.CancelledError):
                await post
            await asyncio.wait_for(dropped.wait(), 60)

    # No answer: never sent.

    async def test_a_refused_connection_was_never_sent(self) -> None:
        with socket.socket() as bound:  # bound and not listening: nobody else can take the port meanwhile
            bound.bind(("127.0.0.1", 0))
            async with self.open(f"http://127.0.0.1:{bound.getsockname()[1]}") as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.CONNECT, sent=False)

    async def test_a_host_without_an_address_was_never_sent(self) -> None:
        async with self.open("http://nobody.invalid") as invoker:  # RFC 6761: never resolves
            assert await invoker.invoke(REQUEST) == NoReply(Failure.DNS, sent=False)

    async def test_where_no_file_is_left_one_post_says_so_and_the_others_wait_for_a_connection(self) -> None:
        """The vendor has nothing to do with it: no post may count as one that it refused."""
        read, answer = asyncio.Event(), asyncio.Event()

        async def late(peer: Peer) -> None:
            while True:
                await peer.request()
                read.set()
                await answer.wait()
                await peer.answer(X_Request_Id="id-1")

        async with raw_server(late) as server, self.open(server.url) as invoker:
            first = asyncio.create_task(_invoke(invoker))
            await asyncio.wait_for(read.wait(), 60)
            with no_file_left():
                assert await invoker.invoke(REQUEST) == NoReply(Failure.OPEN_FILES, sent=False)
                others = [asyncio.create_task(_invoke(invoker)) for _ in range(3)]
                answer.set()
                for post in (first, *others):
                    assert isinstance(await post, Reply)

    async def test_where_no_file_is_left_for_a_first_connection_each_post_says_so(self) -> None:
        async with raw_server(Peer.forever) as server, self.open(server.url) as invoker:
            with no_file_left():
                for _ in range(2):
                    assert await invoker.invoke(REQUEST) == NoReply(Failure.OPEN_FILES, sent=False)

    @pytest.mark.parametrize(("connect", "total"), [(SHORT, 10.0), (10.0, SHORT)])
    async def test_a_timeout_while_connecting_was_never_sent(self, connect: float, total: float) -> None:
        async with raw_server(Peer.forever) as server:
            url = server.url.replace("http:", "https:")  # the handshake never ends
            async with self.open(url, Options(connect_timeout=connect, total_timeout=total)) as invoker:
                assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=False)

    async def test_a_timeout_while_waiting_for_a_connection_was_never_sent(self) -> None:
        read = asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            read.set()
            await peer.forever()

        async with (
            raw_server(silent) as server,
            self.open(server.url, Options(in_flight=1, connect_timeout=WRITTEN)) as invoker,
        ):
            first = asyncio.create_task(_invoke(invoker))
            await asyncio.wait_for(read.wait(), 60)
            assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=False)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        assert len(server.requests) == 1

    async def test_a_kept_connection_that_was_closed_while_idle_is_not_used(self) -> None:
        closed = asyncio.Event()

        async def once(peer: Peer) -> None:
            await peer.request()
            await peer.answer()
            peer.finish()
            await peer.gone()
            closed.set()

        async with raw_server(once) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, None, b"")
            await asyncio.wait_for(closed.wait(), 60)
            assert await invoker.invoke(REQUEST) == Reply(202, None, b"")
        assert (server.connections, len(server.requests)) == (2, 2)

    @pytest.mark.parametrize("event", ["closed", "reset", "stray"])
    async def test_what_happened_to_an_idle_connection_is_seen_before_it_is_written_to(self, event: str) -> None:
        """Even where the event loop had no turn to read it: the post goes on another connection."""
        happened, go_on = ThreadEvent(), ThreadEvent()

        def serve(connection: socket.socket, number: int) -> None:
            while len(read_request(connection)) > 4:
                connection.sendall(ANSWER % str(number).encode())
                if number == 0:
                    go_on.wait(10)
                    if event == "stray":
                        connection.sendall(ANSWER % b"stray")
                    elif event == "reset":
                        reset(connection)
                    else:
                        connection.shutdown(socket.SHUT_WR)
                    happened.set()
                    return

        with blocking_server(serve) as url:
            async with self.open(url) as invoker:
                first = await invoker.invoke(REQUEST)
                go_on.set()
                happened.wait(10)  # this holds the event loop
                assert [first, await invoker.invoke(REQUEST)] == [Reply(202, "0", b""), Reply(202, "1", b"")]

    async def test_a_reset_after_a_part_of_the_request_may_have_been_delivered(self) -> None:
        def serve(connection: socket.socket, number: int) -> None:
            connection.recv(1)
            reset(connection)

        with blocking_server(serve, buffer=4096) as url:
            async with self.open(url) as invoker:
                large = InvokeRequest("FF", b"x" * 20_000_000, ())
                assert await invoker.invoke(large) == NoReply(Failure.RESET, sent=True)

    async def test_a_server_that_cuts_every_connection_at_once_is_not_dialled_in_a_circle(self) -> None:
        async def cut(peer: Peer) -> None:
            peer.reset()

        async with raw_server(cut) as server, self.open(server.url) as invoker:
            answers = [await invoker.invoke(REQUEST) for _ in range(5)]
        assert {answer.failure for answer in answers if isinstance(answer, NoReply)} == {Failure.RESET}
        assert server.connections == 5

    async def test_an_address_of_ip_version_6_in_the_base_url(self) -> None:
        async with raw_server(accept, host="::1") as server, self.open(f"http://[::1]:{server.port}") as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"

    async def test_the_environments_proxies_are_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    async def test_more_posts_than_connections_wait_and_are_all_answered_once(self) -> None:
        async with raw_server(accept) as server, self.open(server.url, Options(in_flight=3)) as invoker:
            answers = await asyncio.gather(*(invoker.invoke(REQUEST) for _ in range(50)))
        assert answers == [Reply(202, "id-1", b"")] * 50
        assert len(server.requests) == 50
        assert server.connections <= 3

    async def test_a_post_abandoned_in_its_own_turn_is_never_sent_nor_answered(self) -> None:
        answers: list[Answer] = []
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            invoker.post(REQUEST, answers.append)
            invoker.abandon_all()
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert len(server.requests) == 1
        assert answers == []

    async def test_who_abandons_the_others_in_an_answers_turn_hears_of_none_of_them(self) -> None:
        answers: list[Answer] = []
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            for _ in range(3):
                await asyncio.gather(*(invoker.invoke(REQUEST) for _ in range(4)))  # connections that are open already
                told = asyncio.Event()

                def first(answer: Answer, told: asyncio.Event = told) -> None:
                    answers.append(answer)
                    invoker.abandon_all()
                    told.set()

                for _ in range(4):
                    invoker.post(REQUEST, first)
                await asyncio.wait_for(told.wait(), 60)
                await invoker.invoke(REQUEST)
        assert answers == [Reply(202, "id-1", b"")] * 3

    async def test_a_callback_that_raises_costs_no_other_post_its_answer(self) -> None:
        """Also when its answer comes first in a turn that brings all of them."""
        raised, answers = list[object](), asyncio.Queue[Answer]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
        read, bug = asyncio.Barrier(4), ZeroDivisionError()

        async def together(peer: Peer) -> None:
            while True:
                await peer.request()
                await read.wait()
                await peer.answer(X_Request_Id="id-1")

        def fail(_answer: Answer) -> None:
            raise bug

        async with raw_server(together) as server, self.open(server.url) as invoker:
            await asyncio.gather(*(invoker.invoke(REQUEST) for _ in range(4)))
            for on_answer in (fail, *[answers.put_nowait] * 3):
                invoker.post(REQUEST, on_answer)
            came = [await asyncio.wait_for(answers.get(), 60) for _ in range(3)]
        assert came == [Reply(202, "id-1", b"")] * 3
        assert raised == [bug]

    async def test_a_post_that_a_freeze_kept_from_being_sent_never_will_be(self) -> None:
        """Its event may have expired, and its answer would come after its time-out."""
        answers = asyncio.Queue[Answer]()
        async with raw_server(accept) as server, self.open(server.url, Options(total_timeout=2.0)) as invoker:
            await invoker.invoke(REQUEST)
            asyncio.get_running_loop().call_soon(time.sleep, 1.1)
            for _ in range(4):
                invoker.post(REQUEST, answers.put_nowait)
            came = [await asyncio.wait_for(answers.get(), 60) for _ in range(4)]
            assert came == [NoReply(Failure.TIMEOUT, sent=False)] * 4
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert len(server.requests) == 2

    async def test_a_post_that_was_not_sent_yet_when_the_transport_is_closed_never_will_be(self) -> None:
        answers: list[Answer] = []
        async with raw_server(accept) as server:
            async with self.open(server.url) as invoker:
                await invoker.invoke(REQUEST)
                invoker.post(REQUEST, answers.append)
            assert answers == [NoReply(Failure.RESET, sent=False)]
        assert len(server.requests) == 1

    async def test_posts_under_way_when_the_transport_is_closed_are_answered_as_cut(self) -> None:
        read = asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            read.set()
            await peer.forever()

        async with raw_server(silent) as server:
            async with self.open(server.url, Options(in_flight=1)) as invoker:
                posts = [asyncio.create_task(_invoke(invoker)) for _ in range(2)]
                await asyncio.wait_for(read.wait(), 60)
            assert await asyncio.gather(*posts) == [NoReply(Failure.RESET, sent) for sent in (True, False)]

    # TLS.

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_posts_over_tls_with_a_certificate_that_can_be_verified(
        self, certificates: Certificates, version: str
    ) -> None:
        async with (
            raw_server(accept, tls=certificates.server(version=version)) as server,
            self.open(server.url, Options(tls=Tls(certificates.ca_file))) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    async def test_a_server_certificate_of_an_unknown_authority_was_never_sent(
        self, certificates: Certificates
    ) -> None:
        async with raw_server(accept, tls=certificates.server()) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.SERVER_CERTIFICATE, sent=False)

    async def test_a_server_certificate_for_another_host_was_never_sent(self, certificates: Certificates) -> None:
        async with (
            raw_server(accept, tls=certificates.server("other.example")) as server,
            self.open(server.url, Options(tls=Tls(certificates.ca_file))) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == NoReply(Failure.SERVER_CERTIFICATE, sent=False)

    async def test_a_port_that_does_not_speak_tls_was_never_sent(self) -> None:
        async def plain(peer: Peer) -> None:
            await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await peer.gone()

        async with raw_server(plain) as server, self.open(server.url.replace("http:", "https:")) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.TLS, sent=False)

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_mutual_tls_shows_our_certificate(self, certificates: Certificates, version: str) -> None:
        async with (
            raw_server(accept, tls=certificates.server(version=version, mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    @pytest.mark.parametrize(("version", "sent"), [("1.2", False), ("1.3", True)])
    async def test_a_refused_client_certificate_is_told_from_a_reset(
        self, certificates: Certificates, version: str, sent: bool
    ) -> None:
        """With TLS 1.3 the certificate is judged after the handshake, when the request is already written."""
        async with (
            raw_server(accept, tls=certificates.server(version=version, mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client(trustme.CA()))) as invoker,
        ):
            answers = [await invoker.invoke(REQUEST) for _ in range(8)]
        assert answers == [NoReply(Failure.CLIENT_CERTIFICATE, sent)] * 8

    async def test_a_reset_before_any_answer_under_a_client_certificate_is_taken_for_its_refusal(
        self, certificates: Certificates
    ) -> None:
        async def cut(peer: Peer) -> None:
            await peer.request()
            peer.reset()

        async with (
            raw_server(cut, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == NoReply(Failure.CLIENT_CERTIFICATE, sent=True)

    async def test_a_reset_after_an_answer_under_a_client_certificate_is_a_reset(
        self, certificates: Certificates
    ) -> None:
        async def once(peer: Peer) -> None:
            await peer.request()
            await peer.answer(Connection="close") if not server.requests[1:] else peer.reset()

        async with (
            raw_server(once, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == Reply(202, None, b"")
            assert await invoker.invoke(REQUEST) == NoReply(Failure.RESET, sent=True)


class TestOpenMarket(InvokerSuite):
    """The connector's own transport."""

    def make(self, url: str, options: Options) -> Invoking:
        return OpenMarket(url, "123-456", "s3cret", **options._asdict())


class TestRenewal:
    """A new password and new certificates while posts are under way."""

    both_loops = True

    @asynccontextmanager
    async def open(self, url: str, options: Options = Options()) -> AsyncIterator[OpenMarket]:  # noqa: B008 - immutable
        invoker = OpenMarket(url, "123-456", "s3cret", **options._asdict())
        try:
            yield invoker
        finally:
            await invoker.close()

    async def test_a_new_password_is_on_the_next_post_of_every_service_and_the_connection_is_kept(self) -> None:
        other = InvokeRequest("FF", b"{}", ())
        async with raw_server(accept) as server, self.open(server.url) as invoker:
            for request in (REQUEST, other):
                await invoker.invoke(request)
            invoker.renew_password("changed")
            for request in (REQUEST, other):
                await invoker.invoke(request)
        old, new = (f"Basic {b64encode(f'123-456:{word}'.encode()).decode()}" for word in ("s3cret", "changed"))
        assert [seen.headers["authorization"] for seen in server.requests] == [old, old, new, new]
        assert server.connections == 1

    async def test_a_post_under_way_survives_new_certificates_and_the_next_one_has_a_connection_of_its_own(
        self, certificates: Certificates
    ) -> None:
        read, answered = asyncio.Event(), asyncio.Event()

        async def slow(peer: Peer) -> None:
            while True:
                seen = await peer.request()
                if seen.headers.get("traceparent") == TRACE:
                    read.set()
                    await answered.wait()
                await peer.answer(X_Request_Id="id-1")

        async with (
            raw_server(slow, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            under_way = asyncio.create_task(_invoke(invoker, TraceContext(TRACE)))
            await asyncio.wait_for(read.wait(), 60)
            await invoker.renew_tls(certificates.client())
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
            answered.set()
            assert await under_way == Reply(202, "id-1", b"")
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert (len(server.requests), server.connections) == (3, 2)

    async def test_under_load_every_post_is_answered_once_however_often_the_certificates_change(
        self, certificates: Certificates
    ) -> None:
        async with (
            raw_server(accept, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):

            async def post() -> list[object]:
                return [await invoker.invoke(REQUEST) for _ in range(50)]

            posting = asyncio.gather(*(post() for _ in range(4)))
            renewals = 0
            while not posting.done():
                await invoker.renew_tls(certificates.client())
                renewals += 1
            answers = [answer for some in await posting for answer in some]
        assert answers == [Reply(202, "id-1", b"")] * 200
        assert len(server.requests) == 200
        assert renewals > 1

    async def test_old_and_new_connections_together_are_bounded(self, certificates: Certificates) -> None:
        read = asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.request()
            read.set()
            await peer.forever()

        async with (
            raw_server(silent, tls=certificates.server()) as server,
            self.open(server.url, Options(1, WRITTEN, tls=Tls(certificates.ca_file))) as invoker,
        ):
            under_way = asyncio.create_task(_invoke(invoker))
            await asyncio.wait_for(read.wait(), 60)
            await invoker.renew_tls(Tls(certificates.ca_file))
            assert await invoker.invoke(REQUEST) == NoReply(Failure.TIMEOUT, sent=False)
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
        assert server.connections == 1

    @pytest.mark.parametrize("flaw", ["half-written", "foreign key", "missing", "wrong password", "long password"])
    async def test_a_file_that_cannot_be_used_changes_nothing(
        self, certificates: Certificates, tmp_path: Path, flaw: str
    ) -> None:
        async with (
            raw_server(accept, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            await invoker.invoke(REQUEST)
            with pytest.raises(OSError):
                await invoker.renew_tls(flawed(certificates.client(), tmp_path, flaw))
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert server.connections == 1

    async def test_a_new_authority_is_trusted_from_the_next_post_on(self, certificates: Certificates) -> None:
        async with raw_server(accept, tls=certificates.server()) as server, self.open(server.url) as invoker:
            assert await invoker.invoke(REQUEST) == NoReply(Failure.SERVER_CERTIFICATE, sent=False)
            await invoker.renew_tls(Tls(certificates.ca_file))
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    @pytest.mark.parametrize(("version", "sent"), [("1.2", False), ("1.3", True)])
    async def test_after_a_refused_certificate_a_new_one_is_accepted(
        self, certificates: Certificates, version: str, sent: bool
    ) -> None:
        async with (
            raw_server(accept, tls=certificates.server(version=version, mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client(trustme.CA()))) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == NoReply(Failure.CLIENT_CERTIFICATE, sent)
            await invoker.renew_tls(certificates.client())
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")

    @pytest.mark.parametrize(("version", "sent"), [("1.2", False), ("1.3", True)])
    async def test_a_new_certificate_that_is_refused_is_told_from_a_reset_though_the_old_one_was_accepted(
        self, certificates: Certificates, version: str, sent: bool
    ) -> None:
        async with (
            raw_server(accept, tls=certificates.server(version=version, mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            assert await invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
            await invoker.renew_tls(certificates.client(trustme.CA()))
            assert await invoker.invoke(REQUEST) == NoReply(Failure.CLIENT_CERTIFICATE, sent)

    async def test_a_reset_is_the_refusal_of_a_new_certificate_until_there_was_an_answer_under_it(
        self, certificates: Certificates
    ) -> None:
        resets: list[bool] = []

        async def scripted(peer: Peer) -> None:
            await peer.request()
            peer.reset() if resets.pop(0) else await peer.answer(Connection="close")

        async with (
            raw_server(scripted, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            resets += [False, True, True, False, True]
            answers = [await invoker.invoke(REQUEST) for _ in range(2)]
            await invoker.renew_tls(certificates.client())
            answers += [await invoker.invoke(REQUEST) for _ in range(3)]
        refused, reset = NoReply(Failure.CLIENT_CERTIFICATE, sent=True), NoReply(Failure.RESET, sent=True)
        assert answers == [Reply(202, None, b""), reset, refused, Reply(202, None, b""), reset]

    async def test_what_comes_under_the_old_certificate_says_nothing_about_the_new_one(
        self, certificates: Certificates
    ) -> None:
        """An answer that was under way does not vouch for it, and a reset of what was under way is no refusal."""
        read, go_on = asyncio.Queue[None](), asyncio.Event()

        async def scripted(peer: Peer) -> None:
            seen = await peer.request()
            read.put_nowait(None)
            await go_on.wait()
            await peer.answer() if seen.headers.get("traceparent") else peer.reset()

        async with (
            raw_server(scripted, tls=certificates.server(mutual=True)) as server,
            self.open(server.url, Options(tls=certificates.client())) as invoker,
        ):
            go_on.set()
            assert await invoker.invoke(REQUEST, TraceContext(TRACE)) == Reply(202, None, b"")
            go_on.clear()
            under_way = [asyncio.create_task(_invoke(invoker, trace)) for trace in (TraceContext(TRACE), None)]
            for _ in range(3):
                await asyncio.wait_for(read.get(), 60)
            await invoker.renew_tls(certificates.client())
            go_on.set()
            assert await asyncio.gather(*under_way) == [Reply(202, None, b""), NoReply(Failure.RESET, sent=True)]
            assert await invoker.invoke(REQUEST) == NoReply(Failure.CLIENT_CERTIFICATE, sent=True)


def flawed(tls: Tls, folder: Path, flaw: str) -> Tls:
    """The same files with something wrong about them."""
    assert tls.certificate_file is not None
    assert tls.key_file is not None
    match flaw:
        case "half-written":
            (half := folder / "half.pem").write_bytes(tls.certificate_file.read_bytes()[:-100])
            return tls._replace(certificate_file=half)
        case "foreign key":
            trustme.CA().issue_cert("client.example").private_key_pem.write_to_path(other := folder / "other.key")
            return tls._replace(key_file=other)
        case "missing":
            return tls._replace(key_file=folder / "missing.key")
    key = load_pem_private_key(tls.key_file.read_bytes(), None)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    (locked := folder / "locked.key").write_bytes(text)
    return tls._replace(key_file=locked, key_password="wrong" if flaw == "wrong password" else "x" * 2000)


async def test_a_certificate_file_that_is_none_is_an_oserror_at_once(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("no certificate")
    with pytest.raises(OSError):
        OpenMarket("https://localhost", "a", "b", in_flight=1, tls=Tls(tmp_path / "broken.pem"))


@contextmanager
def no_file_left() -> Iterator[None]:
    """This process may open no more files than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _invoke(invoker: Invoking, trace: TraceContext | None = None) -> object:
    return await invoker.invoke(REQUEST, trace)
