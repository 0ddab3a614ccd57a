"""The admin listener, over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest

from connector.config.sections import Admin
from connector.edge.admin import AdminServer
from connector.observe.metrics import Metrics
from connector.observe.page.html import POLICY, Page
from tests.support.network import UNSHARE_NETWORK, can_unshare_network, needs_ipv6


class State:
    """What the callables behind the listener say."""

    def __init__(self) -> None:
        self.turn_age = 0.0
        self.ready = True
        self.status: Mapping[str, object] = {}
        self.html = ""


def idle_server() -> AdminServer:
    return AdminServer(
        Metrics().page,
        turn_age=lambda: 0.0,
        turn_age_bound=60.0,
        is_ready=lambda: True,
        status=dict,
        page=lambda: Page(""),
    )


@asynccontextmanager
async def listening(state: State, metrics: Metrics | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    admin = AdminServer(
        (metrics or Metrics()).page,
        turn_age=lambda: state.turn_age,
        turn_age_bound=60.0,
        is_ready=lambda: state.ready,
        status=lambda: state.status,
        page=lambda: Page(state.html),
    )
    port = await admin.start(host, 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await admin.stop()


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.content_type, await response.text()


@pytest.mark.parametrize(("age", "status"), [(0.0, 200), (60.0, 200), (60.1, 503)])
async def test_livez_fails_when_our_loops_last_turned_longer_ago_than_the_bound(age: float, status: int) -> None:
    state = State()
    state.turn_age = age
    async with listening(state) as url:
        assert (await get(url + "/livez"))[0] == status


async def test_livez_says_how_long_ago_the_last_turn_was() -> None:
    state = State()
    state.turn_age = 61.25
    async with listening(state) as url:
        assert (await get(url + "/livez"))[2] == "stuck: last turn 61.2 s ago, bound 60 s\n"


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_readyz_follows_whether_it_is_ready(ready: bool, status: int) -> None:
    state = State()
    state.ready = ready
    async with listening(state) as url:
        assert (await get(url + "/readyz"))[0] == status


async def test_metrics_are_those_of_our_registry_as_they_are_now() -> None:
    metrics = Metrics()
    async with listening(State(), metrics) as url:
        metrics.counter("records_taken").at().value += 3
        status, content_type, text = await get(url + "/metrics")
    assert (status, content_type) == (200, "text/plain")
    assert "\ninvoke_connector_records_taken_total 3.0\n" in text


async def test_who_asks_for_open_metrics_is_told_so() -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    async with listening(State()) as url, aiohttp.ClientSession(headers=accept) as session:
        async with session.get(url + "/metrics") as response:
            text = await response.text()
        assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert response.headers["Vary"] == "Accept"
    assert text.endswith("\n# EOF\n")


async def test_status_is_json_for_people() -> None:
    state = State()
    state.status = {"hold": None, "partitions": [{"topic": "invocations", "lag": 7}]}
    async with listening(state) as url:
        status, content_type, text = await get(url + "/status")
    assert (status, content_type) == (200, "application/json")
    assert text == (
        '{\n  "hold": null,\n  "partitions": [\n    {\n      "topic": "invocations",\n      "lag": 7\n    }\n  ]\n}\n'
    )


async def test_the_page_comes_with_a_policy_that_lets_nothing_but_its_style_in() -> None:
    state = State()
    state.html = "<!DOCTYPE html>\n<p>…"
    async with listening(state) as url, aiohttp.ClientSession() as session, session.get(url + "/") as response:
        assert await response.text() == state.html
        headers = response.headers
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_it_takes_no_commands() -> None:
    async with listening(State()) as url, aiohttp.ClientSession() as session:
        for path in ("/", "/livez", "/readyz", "/metrics", "/status"):
            async with session.post(url + path) as response:
                assert response.status == 405


async def test_a_port_that_is_taken_is_an_oserror_and_leaves_nothing_behind() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        admin = idle_server()
        with pytest.raises(OSError, match="address already in use"):
            await admin.start("127.0.0.1", taken.getsockname()[1])
        await admin.stop()


async def test_it_can_be_stopped_twice() -> None:
    admin = AdminServer(
        Metrics().page,
        turn_age=lambda: 0.0,
        turn_age_bound=1.0,
        is_ready=lambda: True,
        status=dict,
        page=lambda: Page(""),
    )
    await admin.start("127.0.0.1", 0)
    await admin.stop()
    await admin.stop()


@needs_ipv6
async def test_the_default_host_serves_both_families_on_one_port() -> None:
    """Whichever family the pods of a cluster have, its probes get through."""
    async with listening(State(), host=Admin().host) as url:
        assert (await get(url + "/livez"))[0] == 200
        assert (await get(url.replace("127.0.0.1", "[::1]") + "/livez"))[0] == 200


async def test_a_port_that_one_family_has_already_is_taken() -> None:
    """Else half of the probes would ask somebody else."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = AdminServer(
            Metrics().page,
            turn_age=lambda: 0.0,
            turn_age_bound=60.0,
            is_ready=lambda: True,
            status=dict,
            page=lambda: Page(""),
        )
        with pytest.raises(OSError, match="in use"):
            await admin.start(Admin().host, taken.getsockname()[1])


_WITHOUT_IPV6 = """
import asyncio, fcntl, socket, struct
from pathlib import Path
from aiohttp import web
from connector.edge.listener import Listener

Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP

async def main():
    port = await Listener().start(web.Application(), "*", 0)
    await asyncio.open_connection("127.0.0.1", port)
    print("reached")

asyncio.run(main())
"""


@pytest.mark.skipif(not can_unshare_network(), reason="needs the right to make a network namespace")
def test_the_default_host_serves_ipv4_where_ipv6_is_switched_off() -> None:
    run = subprocess.run(
        [*UNSHARE_NETWORK, sys.executable, "-c", _WITHOUT_IPV6], capture_output=True, text=True, check=False
    )
    assert run.stdout == "reached\n", run.stderr
