"""Asking processes what they show: one for each address of a name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from connector.edge.admin import AdminServer
from connector.edge.status_client import Addresses, Shown, StatusClient, addresses_of
from connector.observe.page.html import Page

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6


def listener(name: str) -> AdminServer:
    """As a connector has it; its version is its name."""
    return AdminServer(
        lambda _form: b"",
        turn_age=lambda: 0.0,
        turn_age_bound=1.0,
        is_ready=lambda: True,
        status=lambda: {"version": name},
        page=lambda: Page("", ""),
    )


@asynccontextmanager
async def listeners(*hosts: str) -> AsyncIterator[int]:
    """A process at each of these addresses, all on the port that this gives."""
    while True:
        async with AsyncExitStack() as ends:
            port = 0
            try:
                for host in hosts:
                    server = listener(host)
                    port = await server.start(host, port)
                    ends.push_async_callback(server.stop)
            except OSError:  # somebody has this port at another address
                continue
            yield port
            return


def resolver(*addresses: tuple[socket.AddressFamily, str]) -> Callable[[str, int], Awaitable[Addresses]]:
    """A name server that says this of every name."""

    async def resolve(_host: str, _port: int) -> Addresses:
        return addresses

    return resolve


async def look(url: str, *addresses: tuple[socket.AddressFamily, str]) -> dict[str, Shown]:
    """Once; again while somebody is too slow for it, which says nothing on a machine with much to do."""
    while True:
        async with StatusClient(addresses=resolver(*addresses)) as client:
            found = await client.look([url])
        if not any("no answer within" in (each.problem or "") for each in found.values()):
            return found


async def test_a_name_with_several_addresses_is_a_process_at_each() -> None:
    """As a headless Service has its pods."""
    async with listeners("127.0.0.1", "127.0.0.2") as port:
        found = await look(f"http://pods:{port}", (IPV4, "127.0.0.1"), (IPV4, "127.0.0.2"), (IPV4, "127.0.0.2"))
    versions = {url: each.status and each.status["version"] for url, each in found.items()}
    assert versions == {f"http://127.0.0.{n}:{port}": f"127.0.0.{n}" for n in (1, 2)}


async def test_one_of_them_that_does_not_answer_is_shown_as_away() -> None:
    async with listeners("127.0.0.1") as port:
        found = await look(f"http://pods:{port}", (IPV4, "127.0.0.1"), (IPV4, "127.0.0.3"))
    assert [each.problem is None for each in found.values()] == [True, False]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_process_with_an_address_of_each_family_counts_once(order: tuple[int, int]) -> None:
    """Of the first family in which anybody answers."""
    addresses = (IPV4, "127.0.0.1"), (IPV6, "::1")
    async with listeners("127.0.0.1") as port:
        found = await look(f"http://localhost:{port}", *(addresses[each] for each in order))
    assert list(found) == [f"http://127.0.0.1:{port}"]


async def test_a_name_with_one_address_keeps_its_name() -> None:
    async with listeners("127.0.0.1") as port:
        found = await look(f"http://127.0.0.1:{port}", (IPV4, "127.0.0.1"))
    ((url, shown),) = found.items()
    assert (url, shown.problem) == (f"http://127.0.0.1:{port}", None)


async def test_a_name_without_an_address_is_a_problem_of_that_name() -> None:
    async def nowhere(_host: str, _port: int) -> Addresses:
        raise socket.gaierror

    for addresses, problem in ((nowhere, "not reached (gaierror)"), (resolver(), "its name has no address")):
        async with StatusClient(addresses=addresses) as client:
            ((url, shown),) = (await client.look(["http://pods.invalid:9464"])).items()
        assert (url, shown.problem) == ("http://pods.invalid:9464", problem)


async def test_a_name_server_that_hangs_keeps_nobody() -> None:
    async def hang(_host: str, _port: int) -> Addresses:
        await asyncio.Event().wait()
        return []

    async with StatusClient(patience=0.01, addresses=hang) as client:
        ((_, shown),) = (await client.look(["http://pods:9464"])).items()
    assert shown.problem == "its name is not resolved within 0.01 s"


async def test_names_are_asked_of_the_system() -> None:
    assert (IPV4, "127.0.0.1") in await addresses_of("127.0.0.1", 9464)
