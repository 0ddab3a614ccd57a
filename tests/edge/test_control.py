"""The listener for commands, over real sockets, with commands behind it that only write down what they are told."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from connector.config.section import EVERY_ADDRESS
from connector.core.pauses import EVERYTHING, Paused, Source, Target
from connector.edge.control import HOLDS, LONGEST_REASON, ControlServer, Deployment
from tests.support.network import needs_ipv6
from tests.support.told import PAUSED_AT_MS, Told

TOPICS = ("invocations", "invocations.retry")
DEPLOYMENT = Deployment("invoke-connector", "invocations")
HERE = {"deployment": {"group": "invoke-connector", "topic": "invocations"}}
TOKEN = "planted-token-0123"


@asynccontextmanager
async def listening(told: Told, token: Callable[[], str] | None = None) -> AsyncIterator[str]:
    server = ControlServer(told, DEPLOYMENT, TOPICS, token)
    port = await server.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


async def ask(
    url: str, body: object = None, *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Status and JSON of the answer; bytes are sent as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=None if method == "GET" else data, headers=given) as response,
    ):
        return response.status, json.loads(await response.read())


def hold(kind: str) -> dict[str, object]:
    return {"kind": kind, "since_ms": PAUSED_AT_MS, "why": "a fault"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_pause_is_told_and_answered_with_what_is_in_force() -> None:
    told = Told(["brake"])
    async with listening(told) as url:
        answer = await ask(url + "/pause", {"targets": ["invocations:3", "*"], "reason": "gates moved"})
    paused = [
        {"target": target, "source": "command", "since_ms": PAUSED_AT_MS, "reason": "gates moved"}
        for target in ("*", "invocations:3")
    ]
    assert answer == (200, {**HERE, "paused": paused, "holds": [hold("brake")]})
    assert {each.target for each in told.paused()} == {EVERYTHING, Target("invocations", 3)}


async def test_a_pause_needs_no_reason() -> None:
    told = Told()
    async with listening(told) as url:
        assert (await ask(url + "/pause", {"targets": ["*"]}))[0] == 200
    assert told.reasons == [""]


async def test_a_phone_number_in_a_reason_goes_no_further() -> None:
    """The reason is for the log and the status page."""
    told = Told()
    async with listening(told) as url:
        await ask(url + "/pause", {"targets": ["*"], "reason": "+12025550123 complains"})
    assert told.reasons == ["[number] complains"]


async def test_a_resume_tells_what_the_file_still_pauses() -> None:
    told = Told()
    told.pauses.follow_file(frozenset({Target("invocations", 3)}), 9)
    told.pauses.pause([Target("invocations")], 5)
    async with listening(told) as url:
        status, answer = await ask(url + "/resume", {"targets": ["invocations"]})
    by_file = {"target": "invocations:3", "source": "file", "since_ms": 9, "reason": ""}
    assert (status, answer) == (200, {**HERE, "paused": [by_file], "holds": [], "stays": [by_file]})
    assert [each.source for each in told.paused()] == [Source.FILE]


@pytest.mark.parametrize("kind", HOLDS)
async def test_a_hold_is_ended_by_its_kind(kind: str) -> None:
    told = Told(HOLDS)
    async with listening(told) as url:
        status, answer = await ask(url + "/resume", {"hold": kind})
    assert status == 200
    assert kind not in {hold["kind"] for hold in answer["holds"]}


async def test_a_hold_that_is_not_in_force_cannot_be_ended() -> None:
    async with listening(Told(["brake"])) as url:
        assert await ask(url + "/resume", {"hold": "endpoint"}) == (409, {"problem": "no endpoint hold is in force"})


async def test_what_is_in_force_can_be_asked_for() -> None:
    async with listening(Told(["deployment"])) as url:
        answer = await ask(url + "/holds", method="GET")
    assert answer == (200, {**HERE, "paused": [], "holds": [hold("deployment")]})


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/pause", b"{", "the body must be JSON"),
        ("/pause", b"\xff", "the body must be JSON"),
        ("/pause", b"", "the body must be JSON"),
        ("/pause", ["*"], "the body must be an object, not list of 1 items"),
        ("/pause", {}, "targets: must be a list of 1 to 1000 texts"),
        ("/pause", {"targets": "*"}, "not string of 1 characters"),
        ("/pause", {"targets": []}, "not list of 0 items"),
        ("/pause", {"targets": ["*"] * 1001}, "not list of 1001 items"),
        ("/pause", {"targets": ["*", 3]}, "targets[1]: must be a text, not int"),
        ("/pause", {"targets": ["invocations:x"]}, "targets[0]: string of 1 characters after the colon is no number"),
        (
            "/pause",
            {"targets": ["invocations-3"]},
            "targets[0]: only invocations and invocations.retry are read here; a partition is written topic:number",
        ),
        ("/pause", {"targets": ["*"], "reason": None}, "reason: must be one line of 200 characters at most"),
        ("/pause", {"targets": ["*"], "reason": "x" * (LONGEST_REASON + 1)}, "not string of 201 characters"),
        ("/pause", {"targets": ["*"], "reason": "two\nlines"}, "reason: must be one line"),
        ("/pause", {"targets": ["*"], "hold": "brake"}, "hold: unknown field; known here: targets, reason"),
        ("/pause", {"+12025550123": "*"}, "[1]: unknown field"),
        ("/resume", {"targets": ["*"], "reason": "x"}, "reason: unknown field; known here: targets, hold"),
        ("/resume", {}, "give targets or hold, one of the two"),
        ("/resume", {"targets": ["*"], "hold": "brake"}, "give targets or hold, one of the two"),
        ("/resume", {"hold": "retry"}, "hold: must be one of deployment, endpoint, brake, not string of 5"),
        ("/resume", {"hold": ["brake"]}, "not list of 1 items"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_with_what_would(path: str, body: object, problem: str) -> None:
    """And nothing of it is done."""
    told = Told(HOLDS)
    told.pauses.pause([EVERYTHING], 1)
    async with listening(told) as url:
        status, answer = await ask(url + path, body)
    assert status == 400
    assert problem in answer["problem"]
    assert (told.paused(), told.in_force) == ((Paused(EVERYTHING, Source.COMMAND, 1),), [*HOLDS])


async def test_a_body_beyond_64_kib_is_refused() -> None:
    async with listening(Told()) as url:
        status, answer = await ask(url + "/pause", b" " * (64 * 1024) + b"{}")
    assert (status, answer) == (413, {"problem": "the body must have 65536 bytes at most"})


async def test_a_body_that_is_not_packed_as_it_says_is_refused() -> None:
    async with listening(Told()) as url:
        status, answer = await ask(url + "/pause", {"targets": ["*"]}, headers={"Content-Encoding": "gzip"})
    assert status == 400
    assert "without Content-Encoding" in answer["problem"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/", 404), ("POST", "/holds", 405), ("GET", "/pause", 405), ("GET", "/metrics", 404)],
)
async def test_there_is_nothing_else_here(method: str, path: str, status: int) -> None:
    async with listening(Told()) as url:
        answer = await ask(url + path, {}, method=method)
    assert answer == (status, {"problem": "there are POST /pause, POST /resume and GET /holds"})


STRANGERS = [
    ({"Origin": "http://127.0.0.1"}, 403, "Origin"),
    ({"Origin": "null"}, 403, "Origin"),
    ({"Host": "rebound.example"}, 403, "Host"),
    ({"Host": "rebound.example:9465"}, 403, "Host"),
    ({"Host": "127.0.0.1.example"}, 403, "Host"),
    ({"Host": "127.0.0.1@rebound.example"}, 403, "Host"),
    ({"Host": "[::1"}, 403, "Host"),
    ({"Host": ""}, 403, "Host"),
    ({"Content-Type": "text/plain"}, 415, "application/json"),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
]
"""What a web page can send, asked or unasked."""


@pytest.mark.parametrize(("headers", "status", "words"), STRANGERS)
async def test_a_web_page_may_not_command(headers: dict[str, str], status: int, words: str) -> None:
    """A form, a script of another origin, and a name that was made to mean loopback."""
    told = Told()
    async with listening(told) as url:
        refused, answer = await ask(url + "/pause", {"targets": ["*"]}, headers=headers)
    assert refused == status
    assert words in answer["problem"]
    assert told.paused() == ()


@pytest.mark.parametrize("headers", [headers for headers, status, _ in STRANGERS if status == 403])
async def test_a_web_page_may_not_look(headers: dict[str, str]) -> None:
    async with listening(Told()) as url:
        assert (await ask(url + "/holds", method="GET", headers=headers))[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9465", "127.0.0.1:1", "[::1]:9465", "127.9.9.9"])
async def test_loopback_is_asked_for_by_any_of_its_names(host: str) -> None:
    """A forwarded port has another number than ours."""
    async with listening(Told()) as url:
        assert (await ask(url + "/pause", {"targets": ["*"]}, headers={"Host": host}))[0] == 200


async def test_with_a_token_any_host_may_be_asked_for() -> None:
    """From elsewhere it goes by the name of the machine or the pod."""
    async with listening(Told(), lambda: TOKEN) as url:
        headers = {"Host": "pod-1.example", **bearer(TOKEN)}
        assert (await ask(url + "/pause", {"targets": ["*"]}, headers=headers))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("another-token"),
        bearer(TOKEN + "0"),
        bearer(TOKEN[:-1]),
        bearer("é"),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/pause"), ("GET", "/holds"), ("GET", "/nothing")])
async def test_without_the_token_nobody_commands_or_looks(headers: dict[str, str], method: str, path: str) -> None:
    told = Told()
    async with listening(told, lambda: TOKEN) as url:
        status, answer = await ask(url + path, {"targets": ["*"]}, method=method, headers=headers)
    assert status == 401
    assert "admin.control_token_file" in answer["problem"]
    assert told.paused() == ()


async def test_the_refusal_of_a_token_says_how_to_bring_one() -> None:
    async with (
        listening(Told(), lambda: TOKEN) as url,
        aiohttp.ClientSession() as session,
        session.get(url + "/holds") as response,
    ):
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_web_page_may_not_command_with_a_token_either() -> None:
    async with listening(Told(), lambda: TOKEN) as url:
        headers = {"Origin": "http://example.com", **bearer(TOKEN)}
        assert (await ask(url + "/pause", {"targets": ["*"]}, headers=headers))[0] == 403


async def test_the_token_of_the_moment_counts() -> None:
    """It is renewed while we run."""
    tokens = ["the-first-token-1", "the-second-token-2"]
    async with listening(Told(), lambda: tokens[0]) as url:
        assert (await ask(url + "/holds", method="GET", headers=bearer("the-first-token-1")))[0] == 200
        tokens.pop(0)
        assert (await ask(url + "/holds", method="GET", headers=bearer("the-first-token-1")))[0] == 401
        assert (await ask(url + "/holds", method="GET", headers=bearer("the-second-token-2")))[0] == 200


@pytest.mark.parametrize("host", ["192.0.2.1", EVERY_ADDRESS, "::"])
async def test_without_a_token_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="without a token"):
        await ControlServer(Told(), DEPLOYMENT, TOPICS, None).start(host, 0)


@needs_ipv6
async def test_with_a_token_it_takes_commands_over_both_families() -> None:
    server = ControlServer(Told(), DEPLOYMENT, TOPICS, lambda: TOKEN)
    port = await server.start(EVERY_ADDRESS, 0)
    try:
        for host in ("127.0.0.1", "[::1]"):
            status, _ = await ask(f"http://{host}:{port}/holds", method="GET", headers=bearer(TOKEN))
            assert status == 200
    finally:
        await server.stop()


async def test_a_port_that_is_taken_is_an_oserror() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = ControlServer(Told(), DEPLOYMENT, TOPICS, None)
        with pytest.raises(OSError, match="address already in use"):
            await server.start("127.0.0.1", taken.getsockname()[1])
        await server.stop()
