"""Every fault, observed over a real socket by an HTTP client."""

from __future__ import annotations

import asyncio
import errno
import io
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import orjson
import pytest
import trustme

from connector.simulator.rules import Page
from connector.simulator.scenario import parse
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Vendor
from tests.simulator.test_rules import EXAMPLE, authorization

PATH = "/service/v1/invokeService/F9E8D7C6B5A4"
HEADERS = {"Authorization": authorization(), "Content-Type": "application/json"}
WALL = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


class Client:
    """A server and a session that posts to it."""

    def __init__(self, server: SimulatorServer, url: str, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.url = url
        self.session = session

    async def post(self, fault: str = "", body: bytes | io.BytesIO = EXAMPLE, **kwargs: Any) -> tuple[int, Any, bytes]:
        if fault:
            self.server.set_scenario(parse(f"rules: [{{do: {fault}}}]"))
        async with self.session.post(
            self.url + PATH, data=body, headers=HEADERS, allow_redirects=False, **kwargs
        ) as response:
            return response.status, response.headers, await response.read()

    async def control(self, method: str, name: str, body: bytes = b"") -> tuple[int, Any]:
        async with self.session.request(method, f"{self.url}/_simulator/{name}", data=body) as response:
            return response.status, orjson.loads(await response.read())


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    server = SimulatorServer(wall_clock=lambda: WALL)
    url = await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(server, url, session)
    await server.stop()


async def test_accepted(client: Client) -> None:
    """Accepted: 202, an X-Request-Id, no body, one entry."""
    status, headers, body = await client.post()
    assert (status, body) == (202, b"")
    assert headers["X-Request-Id"] == client.server.ledger.entries[0].request_id


async def test_rejected(client: Client) -> None:
    """Rejected: the vendor's JSON and an X-Request-Id."""
    status, headers, body = await client.post(body=b'{"endUser": {"phnNumber": "12515550123"}}')
    assert status == 400
    assert headers["X-Request-Id"]
    assert headers["Content-Type"].startswith("application/json")
    assert orjson.loads(body) == {
        "error": {
            "code": "12002",
            "description": "Invalid JSON in the payload. The phoneNumber property is missing or malformed.",
        }
    }


@pytest.mark.parametrize(("numeric", "code"), [(True, 1010), (False, "1010")])
async def test_codes_as_numbers_or_strings(numeric: bool, code: int | str) -> None:
    """Whether a code is a number or a string is open: a setting of the page."""
    server = SimulatorServer(Vendor(Page(numeric_codes=numeric)))
    async with aiohttp.ClientSession() as session:
        client = Client(server, await server.start(), session)
        _, _, body = await client.post("{kind: reject}")
    await server.stop()
    assert orjson.loads(body)["error"]["code"] == code


async def test_a_body_beyond_all_bounds(client: Client) -> None:
    """A body of megabytes gets the vendor's own answer."""
    status, _, body = await client.post(body=io.BytesIO(b" " * 3_000_000))
    assert (status, b"8K" in body) == (413, True)
    assert client.server.ledger.answers == {"too_large": 1}


async def test_replaced_rejection(client: Client) -> None:
    """Status, code and words of a rejection can be replaced, and echo a value of the request."""
    fault = "{kind: reject, cause: value, status: 422, code: 99, description: 'Bad:', echo: true}"
    status, _, body = await client.post(fault)
    assert status == 422
    assert orjson.loads(body) == {"error": {"code": 99, "description": "Bad: 12515550123 aisle"}}


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        ("{kind: too_many, retry_after: 7}", 429, "7"),
        ("{kind: too_many, retry_after: 1, as_date: true, status: 503}", 503, "Sun, 06 Nov 1994 08:49:38 GMT"),
        ("{kind: too_many, retry_after: soon}", 429, "soon"),
        ("{kind: too_many, retry_after: null}", 429, None),
    ],
)
async def test_too_many(client: Client, fault: str, status: int, header: str | None) -> None:
    """Retry-After comes in seconds, as a date, as nonsense, or not at all."""
    got, headers, _ = await client.post(fault)
    assert (got, headers.get("Retry-After")) == (status, header)


async def test_html_page(client: Client) -> None:
    """A gateway's page is HTML without X-Request-Id."""
    status, headers, body = await client.post("{kind: html, status: 200}")
    assert (status, body[:9]) == (200, b"<!DOCTYPE")
    assert "X-Request-Id" not in headers


async def test_redirect(client: Client) -> None:
    """A redirect names its location."""
    status, headers, _ = await client.post("{kind: redirect, status: 308, location: 'https://example.com/'}")
    assert (status, headers["Location"]) == (308, "https://example.com/")


async def test_no_request_id(client: Client) -> None:
    """A 202 that is not the vendor's has no X-Request-Id."""
    status, headers, _ = await client.post("{kind: no_request_id}")
    assert (status, "X-Request-Id" in headers) == (202, False)


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("{kind: reset, when: before_body}", 0),
        ("{kind: reset, when: after_body}", 0),
        ("{kind: reset, when: after_body, accepted: true}", 1),
    ],
)
async def test_reset(client: Client, fault: str, accepted: int) -> None:
    """A reset is one on the wire (ECONNRESET), before or after the body was read."""
    await client.post()
    client.server.vendor.clear()
    with pytest.raises(aiohttp.ClientOSError) as raised:
        await client.post(fault)
    assert raised.value.errno == errno.ECONNRESET
    assert client.server.ledger.accepted == accepted
    assert client.server.ledger.answers == {"reset": 1}


async def test_truncated(client: Client) -> None:
    """The status line is good and the body breaks off."""
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.post("{kind: truncate}")


@pytest.mark.parametrize("fault", ["{kind: hang}", "{kind: late, seconds: 3600}", "{kind: drip, seconds: 0.01}"])
async def test_only_the_total_time_out_helps(client: Client, fault: str) -> None:
    """Silence, lateness and a drip all run into the caller's total time-out; only lateness was accepted."""
    with pytest.raises(TimeoutError):
        await client.post(fault, timeout=aiohttp.ClientTimeout(total=0.1))
    assert client.server.ledger.accepted == ("late" in fault)


async def test_late(client: Client) -> None:
    """A late answer is the page's own."""
    status, headers, _ = await client.post("{kind: late, seconds: 0.01}")
    assert (status, "X-Request-Id" in headers) == (202, True)


async def test_huge(client: Client) -> None:
    """A huge body has the size asked for; a caller that hangs up in the middle harms nobody."""
    status, _, body = await client.post("{kind: huge, size: 300000}")
    assert (status, len(body)) == (500, 300_000)
    client.server.set_scenario(parse("rules: [{do: {kind: huge, size: 100000000}}]"))
    response = await client.session.post(client.url + PATH, data=EXAMPLE, headers=HEADERS)
    response.close()
    assert (await client.post("{kind: close}"))[0] == 202


async def test_connection_close(client: Client) -> None:
    """The page's own answer, and the connection ends."""
    status, headers, _ = await client.post("{kind: close}")
    assert (status, headers["Connection"]) == (202, "close")
    assert client.server.ledger.accepted == 1


async def test_latency(client: Client) -> None:
    """The scenario's latency passes before the answer."""
    client.server.set_scenario(parse("latency: {kind: fixed, seconds: 3600}"))
    with pytest.raises(TimeoutError):
        await client.post(timeout=aiohttp.ClientTimeout(total=0.1))


async def test_closed_port(client: Client) -> None:
    """A closed port refuses connections, open ones end, and the same port opens again."""
    await client.post()
    await client.server.close_port()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post()  # perhaps still on the aborted connection
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.post()
    await client.server.open_port()
    assert (await client.post())[0] == 202


async def test_port_closed_for_a_while(client: Client) -> None:
    """The control API closes the port for so many seconds."""
    await client.control("POST", "port", b'{"closed_for": 0.05}')

    async def refused() -> bool:
        try:
            await client.post()
        except aiohttp.ClientError:
            return True
        return False

    await _until(refused)
    await _until(lambda: _not(refused()))


async def test_scenario_by_control(client: Client) -> None:
    """A scenario can be set and seen while the vendor runs; a wrong one changes nothing."""
    assert (await client.control("PUT", "scenario", b"rules: [{do: {kind: html}}]"))[0] == 200
    assert (await client.control("PUT", "scenario", b"rulez: []"))[0] == 400
    assert (await client.post())[0] == 502
    status, scenario = await client.control("GET", "scenario")
    assert (status, scenario["rules"][0]["do"]["kind"]) == (200, "html")


async def test_ledger_by_control(client: Client) -> None:
    """The ledger's queries: summary, counts, repeats, order, and forgetting."""
    body = b'{"endUser":{"phoneNumber":"12025550100"},"variables":{"session":{"eventId":"a"}}}'
    for each in (body, body, body.replace(b'"a"', b'"b"')):
        await client.post(body=each)
    summary = {"accepted": 3, "distinct": 2, "repeated": 1, "answers": {"accepted": 3}}
    assert await client.control("GET", "ledger") == (200, summary)
    assert await client.control("GET", "ledger/counts?by=marker") == (200, {"a": 2, "b": 1})
    assert await client.control("GET", "ledger/repeats?by=marker") == (200, {"a": 2})
    assert await client.control("GET", "ledger/order?phone_number=12025550100") == (200, ["a", "a", "b"])
    assert await client.control("DELETE", "ledger") == (200, {})
    assert await client.control("GET", "ledger/counts") == (200, {})


@pytest.mark.parametrize(
    ("method", "name", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "ledger/counts?by=mood", 400),
        ("POST", "port", 400),
        ("POST", "scenario", 404),
    ],
)
async def test_control_refuses_nonsense(client: Client, method: str, name: str, status: int) -> None:
    """A control request that makes no sense gets its problem told."""
    got, answer = await client.control(method, name, b"[]")
    assert (got, list(answer)) == (status, ["problem"])


async def test_tls_with_client_certificates() -> None:
    """With an SSL context that wants a client certificate, only who shows one is served."""
    authority = trustme.CA()
    theirs, ours = (ssl.SSLContext(kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(theirs)
    authority.configure_trust(ours)
    theirs.verify_mode = ssl.CERT_REQUIRED
    server = SimulatorServer()
    url = await server.start(ssl_context=theirs)
    try:
        for shows in (False, True):
            if shows:
                authority.issue_cert("client.example").configure_cert(ours)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ours)) as session:
                if not shows:
                    with pytest.raises(
                        aiohttp.ClientConnectionError
                    ):  # Python 3.13 tells of the close, not of the alert
                        await session.post(url + PATH, data=EXAMPLE, headers=HEADERS)
                    continue
                async with session.post(url + PATH, data=EXAMPLE, headers=HEADERS) as response:
                    assert response.status == 202
    finally:
        await server.stop()


async def _not(condition: Coroutine[Any, Any, bool]) -> bool:
    return not await condition


async def _until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 # another process would be asked the same way
            await asyncio.sleep(0.005)
