"""Laws of reading an HTTP answer, and agreement with the parsers of others on whatever they take."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import NamedTuple

import httptools
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParser
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.reply import Reply
from connector.edge.http.answer import LIMIT, HttpAnswer
from connector.edge.http.familiar import Familiar


class Read(NamedTuple):
    """What was made of some bytes and the end of the connection behind them."""

    reply: Reply | None
    reusable: bool


def read(*pieces: bytes) -> Read:
    """Read one answer, as the transport does."""
    answer = HttpAnswer()
    left = list(pieces)
    while left and not answer.feed(left.pop(0)):
        pass
    reusable = answer.reusable and not any(left)
    answer.end(clean=True)
    return Read(answer.reply(), reusable)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut at these places."""
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


LINES = st.sampled_from(
    [
        "X-Request-Id: r-1", "x-request-id:r-2", "X-Request-Id: ", "X-Request-Id: caf\xe9", "X-Request-Id : spaced",
        "Retry-After: 7", "retry-after: Wed, soon", "Server: nginx", "Date: Mon, 30 Nov 2026 06:48:36 GMT",
        "Content-Length: 0", "Content-Length: 3", "content-length: 3", "Content-Length: 4", "Content-Length: 3, 3",
        "Content-Length: +3", "Content-Length: many", "Content-Length : 3", "Transfer-Encoding: chunked",
        "Transfer-Encoding: CHUNKED", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip", "Connection: close", "Connection: keep-alive", "Connection: Upgrade, close",
        "Set-Cookie: a=b; Path=/", "Strange name: a", "no colon at all", ": no name", " folded", "\tfolded too",
        "Via: 1.1 a\x00b", "X-Long: " + "x" * 9000, "Upgrade: websocket",
    ]
)  # fmt: skip
STATUS_LINES = st.sampled_from(
    [
        "HTTP/1.1 202 Accepted", "HTTP/1.1 200 OK", "HTTP/1.0 202 Accepted", "HTTP/1.1 204 None", "HTTP/1.1 304 Same",
        "HTTP/1.1 500 Oops", "HTTP/1.1 202", "HTTP/1.1 202 ", "HTTP/1.1 101 Switching", "HTTP/1.1 20", "HTTP/1.1 abc",
        "HTTP/2.0 202 Accepted", "ICY 200 OK", "SSH-2.0-OpenSSH", "",
    ]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n", b"3\nabc\n0\n\n",
     b"1 \r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"zz\r\n", b"3\r\nabcd\r\n", b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"3\r\nab",
     b"abcHTTP/1.1 202 Accepted\r\nX-Request-Id: other\r\n\r\n"]
)  # fmt: skip
INTERIM = st.sampled_from(
    [b"", b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\nLink: </a>\nX-Request-Id: early\n\n"]
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers as servers, proxies and gateways write them, good and bad."""
    end = draw(st.sampled_from(["\r\n", "\r\n", "\n"]))
    lines = [draw(STATUS_LINES), *draw(st.lists(LINES, max_size=5))]
    head = "".join(line + end for line in lines).encode("latin-1") + end.encode()
    return b"".join(draw(st.lists(INTERIM, max_size=2))) + head + draw(BODIES)


@given(answers(), st.lists(st.integers(0, 400), max_size=8))
@example(b"HTTP/1.1 202 A\r\nContent-Length: 0\r\nX-Request-Id: a\r\n\r\n", list(range(80)))
@example(b"HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n", list(range(80)))
def test_however_the_bytes_are_cut_up_they_say_the_same(data: bytes, cuts: list[int]) -> None:
    assert read(*split(data, cuts)) == read(data)


@given(answers(), answers(), st.sampled_from(["r-1", "7", "", "\xe9", "a b", "x" * 40]))
def test_what_is_familiar_says_the_same_as_when_it_was_read(known: bytes, data: bytes, other: str) -> None:
    """A remembered answer never lends its status or its body to one that says something else."""
    familiar = Familiar()
    for answer in (known, known.replace(b"r-1", other.encode("latin-1")), data):
        found = familiar.reply(answer)
        seen = read(answer)
        if found is not None:
            assert (found, True) == seen
        if seen.reusable and seen.reply is not None:
            familiar.learn(answer, seen.reply)


def test_an_answer_that_differs_in_its_request_id_only_is_familiar() -> None:
    data = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: r-1\r\nContent-Length: 2\r\n\r\nok"
    familiar = Familiar()
    reply = read(data).reply
    assert reply is not None
    familiar.learn(data, reply)
    assert familiar.reply(data.replace(b"r-1", b"another")) == Reply(202, "another", b"ok")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 202 A\r\nContent-Length: 41\r\n\r\n.\nX-Request-Id: in a body\r\n..............",
        b"HTTP/1.1 202 A\r\nX-Request-Id: r\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 A\r\nx-request-id: a\r\nX-Request-Id: a\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_whose_request_id_is_not_one_line_of_its_head_is_not_remembered(data: bytes) -> None:
    familiar = Familiar()
    seen = read(data)
    assert seen.reusable
    assert seen.reply is not None
    familiar.learn(data, seen.reply)
    assert familiar.reply(data) is None


class _Httptools:
    """Notes what httptools reports until the first message is complete."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status: int | None = None
        self.request_id: str | None = None
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-id" and self.request_id is None and self.status is None:
            self.request_id = value.strip().decode("utf-8", "replace")

    def on_body(self, body: bytes) -> None:
        if self.status is None:
            self.body += body

    def on_message_complete(self) -> None:
        if self.status is None:
            self.status = self.parser.get_status_code()


def by_httptools(data: bytes) -> tuple[int, str | None, bytes] | None:
    """What httptools makes of a single answer; None when it refuses it, or does not see its end."""
    notes = _Httptools()
    try:
        notes.parser.feed_data(data)
    except httptools.HttpParserError:
        return None
    return None if notes.status is None else (notes.status, notes.request_id, notes.body)


async def by_aiohttp(data: bytes) -> tuple[int, str | None, bytes] | None:
    """What aiohttp makes of it, likewise."""
    loop = asyncio.get_running_loop()
    parser = HttpResponseParser(
        BaseProtocol(loop), loop, 2**16, response_with_body=True, read_until_eof=True, auto_decompress=False
    )
    try:
        messages, _, _ = parser.feed_data(data)
        if not messages:
            return None
        parser.feed_eof()
        message, payload = messages[0]
        body = b"" if payload.at_eof() and not payload.total_bytes else await payload.read()
    except (HttpProcessingError, ValueError, OSError, asyncio.IncompleteReadError, EOFError):
        return None
    request_id = message.headers.get("X-Request-Id")
    if request_id is not None:
        request_id = request_id.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return message.code, request_id, body


@st.composite
def single_answers(draw: st.DrawFn) -> bytes:
    """One answer and nothing before or behind it, with a status line that says it is HTTP/1."""
    end = draw(st.sampled_from(["\r\n", "\r\n", "\n"]))
    status = draw(st.sampled_from(["HTTP/1.1 202 Accepted", "HTTP/1.0 500 Oops", "HTTP/1.1 202", "HTTP/1.1 400 No"]))
    lines = draw(st.lists(LINES, max_size=4))
    return "".join(line + end for line in (status, *lines)).encode("latin-1") + end.encode() + draw(BODIES)


@given(single_answers())
def test_whatever_aiohttp_or_httptools_takes_is_taken_and_says_the_same(data: bytes) -> None:
    """Status and X-Request-Id; the body too where both of them agree on it."""
    ours = read(data).reply
    others = [found for found in (by_httptools(data), asyncio.run(by_aiohttp(data))) if found is not None]
    for status, request_id, _ in others:
        assert ours is not None
        assert (ours.status, (ours.request_id or "").split()) == (status, (request_id or "").split())
    if len(others) == 2 and others[0] == others[1]:
        assert ours is not None
        assert ours.body == others[0][2]


HEAD = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: r\r\n"


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nok", True),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", True),
        (HEAD + b"Content-Length: 2, 2\r\n\r\nok", True),
        (HEAD + b"Content-Length: 2\r\n\r\nokay", False),
        (HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok", False),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\nok", False),
        (HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", True),
        (HEAD + b"\r\nok", False),
        (b"HTTP/1.0" + HEAD[8:] + b"Content-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0" + HEAD[8:] + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok", True),
        (HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\nok", True),
        (b"HTTP/1.1 100 Go\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 103 Hint\r\nX-Request-Id: no\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok", True),
    ],
)  # fmt: skip
def test_the_connection_is_used_again_only_where_both_sides_know_that_the_answer_has_ended(
    data: bytes, reusable: bool
) -> None:
    assert read(data) == (Reply(202, "r", b"ok"), reusable)


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (b"HTTP/1.1 204 None\r\nX-Request-Id: r\r\n\r\n", True),
        (b"HTTP/1.1 204 None\r\nX-Request-Id: r\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.1 101 Switching Protocols\r\nX-Request-Id: r\r\nUpgrade: a\r\n\r\n", False),
    ],
)
def test_an_answer_that_has_no_body_ends_with_its_head(data: bytes, reusable: bool) -> None:
    status = int(data[9:12])
    assert read(data) == (Reply(status, "r", b""), reusable)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        HEAD + b"Content-Length: two\r\n\r\nok",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nwhat\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"X-Long: " + b"x" * LIMIT,
        HEAD + b"X: cut",
    ],
    ids=["two lengths", "no length", "no chunk", "cut chunks", "cut body", "endless head", "cut head"],
)
def test_what_cannot_be_read_to_its_end_costs_the_connection_and_never_the_verdict(data: bytes) -> None:
    assert read(data) == (Reply(202, "r", b"", None, body_complete=False), False)


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"HTTP/1.1 202 Acc", b"HTTP/1.1 202 A\r\nX-Request-Id: r", b"HTTP/1.1 202 A\r\nServer: x\r\n",
     b"HTTP/1.1 202 A\r\nX: " + b"x" * LIMIT, b"HTTP/1.1 100 Go\r\nX-Request-Id: r\r\n\r\n",
     b"HTTP/1.1 103 Hint\r\nX-Request-Id: r\r\n", b"220 mail ready\r\n", b"HTTP/1.1 xyz\r\nX-Request-Id: r\r\n\r\n"],
)  # fmt: skip
def test_without_a_final_status_line_and_a_whole_request_id_nothing_is_known(data: bytes) -> None:
    assert read(data) == (None, False)


@pytest.mark.parametrize("data", [b"220 mail ready\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 xyz\r\n", b"\x15\x03\x01"])
def test_what_can_never_become_http_is_told_at_once(data: bytes) -> None:
    assert HttpAnswer().feed(data)


@given(st.integers(0, 40), st.integers(0, 40))
def test_head_and_body_are_bounded_wherever_the_bytes_are_cut(over: int, cut: int) -> None:
    head = HEAD + b"X: "
    head += b"x" * (LIMIT - 20 - len(head) + over) + b"\r\nContent-Length: 0\r\n\r\n"
    body = HEAD + b"Content-Length: %d\r\n\r\n" % (LIMIT - 20 + over) + b"x" * (LIMIT - 20 + over)
    for data in (head, body):
        whole = read(data)
        place = LIMIT - 20 + cut
        assert read(data[:place], data[place:]) == whole
        assert whole.reply is not None
        assert len(whole.reply.body) <= LIMIT
