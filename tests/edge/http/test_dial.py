"""Connections to a host with several addresses, on asyncio's event loop and on uvloop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohappyeyeballs import AddrInfoType

from connector.core.reply import Failure
from connector.edge.http.dial import Dialer, DialError

V4, V6 = "127.0.0.1", "::1"


@contextmanager
def listening(address: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        yield server.getsockname()[1]


def info(address: str, port: int) -> AddrInfoType:
    (found, *_) = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    return found


class Noted(asyncio.Protocol):
    """Notes its transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


async def reach(dialer: Dialer) -> object:
    """The address that a connection came to be with."""
    protocol = await dialer.connect(lambda _: Noted(), None, lambda: Failure.TLS)
    address = protocol.transport.get_extra_info("peername")
    protocol.transport.close()
    return address[0]


class TestDialer:
    both_loops = True

    @pytest.mark.parametrize("there", [V4, V6])
    async def test_both_families_of_a_name_are_tried(self, there: str) -> None:
        with listening(there) as port:
            dialer = Dialer("vendor.example", port, resolve=lambda _, port: [info(V6, port), info(V4, port)])
            assert [await reach(dialer) for _ in range(3)] == [there] * 3

    async def test_the_addresses_of_a_name_take_turns(self) -> None:
        others = [f"127.0.0.{number}" for number in (1, 2, 3)]
        with listening("0.0.0.0") as port:  # noqa: S104 - every address is what is tested
            dialer = Dialer("vendor.example", port, resolve=lambda _, port: [info(one, port) for one in others])
            assert [await reach(dialer) for _ in range(4)] == [*others, others[0]]

    async def test_a_name_is_looked_up_again_when_its_addresses_are_old(self) -> None:
        asked: list[str] = []

        def moves(host: str, port: int) -> list[AddrInfoType]:
            asked.append(host)
            return [info(f"127.0.0.{len(asked)}", port)]

        with listening("0.0.0.0") as port:  # noqa: S104 - every address is what is tested
            fresh = Dialer("vendor.example", port, resolve=moves)
            assert [await reach(fresh) for _ in range(2)] == ["127.0.0.1"] * 2
            old = Dialer("vendor.example", port, resolve=moves, name_seconds=0.0)
            assert [await reach(old) for _ in range(2)] == ["127.0.0.2", "127.0.0.3"]

    async def test_those_that_connect_at_once_look_the_name_up_once(self) -> None:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[AddrInfoType]:
            asked.append(host)
            return [info(V4, port)]

        with listening(V4) as port:
            dialer = Dialer("vendor.example", port, resolve=resolve)
            await asyncio.gather(*(reach(dialer) for _ in range(5)))
        assert asked == ["vendor.example"]

    @pytest.mark.parametrize("found", [OSError("no such name"), UnicodeError("no name"), None])
    async def test_a_name_without_an_address_is_told_apart_and_looked_up_again(self, found: Exception | None) -> None:
        answers: list[Exception | None] = [found]

        def resolve(host: str, port: int) -> list[AddrInfoType]:
            if not answers:
                return [info(V4, port)]
            if (error := answers.pop()) is not None:
                raise error
            return []

        with listening(V4) as port:
            dialer = Dialer("vendor.example", port, resolve=resolve)
            with pytest.raises(DialError) as caught:
                await reach(dialer)
            assert caught.value.failure is Failure.DNS
            assert await reach(dialer) == V4
