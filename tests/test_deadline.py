"""Deadlines are judged after the input that has arrived, on asyncio's event loop and on uvloop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from connector.deadline import Deadlines, in_time
from tests.support.deadline import eventually

DUE = 0.02  # seconds
LATE = 0.05  # seconds for which the event loop stands still


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return asyncio.run if request.param == "asyncio" else uvloop.run


def test_what_lies_in_the_socket_at_the_deadline_is_in_time(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> bytes:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)

        def stand_still() -> None:
            theirs.send(b"x")
            time.sleep(LATE)

        asyncio.get_running_loop().call_later(DUE / 2, stand_still)
        try:
            return await in_time(reader.read(1), DUE)
        finally:
            writer.close()
            theirs.close()

    assert run(main()) == b"x"


def test_what_is_in_hand_at_the_deadline_is_in_time(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> str:
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def stand_still() -> None:
            time.sleep(LATE)
            answered.set_result("in hand")

        asyncio.get_running_loop().call_later(DUE / 2, stand_still)
        return await in_time(answered, DUE)

    assert run(main()) == "in hand"


def test_what_takes_longer_is_cancelled_and_a_timeout(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> asyncio.Task[bool]:
        work = asyncio.create_task(asyncio.Event().wait())
        with pytest.raises(TimeoutError):
            await in_time(work, DUE)
        return work

    assert run(main()).cancelled()


async def test_its_errors_are_raised() -> None:
    async def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await in_time(fail(), 10.0)


async def test_whoever_is_cancelled_while_waiting_cancels_the_work() -> None:
    work = asyncio.create_task(asyncio.Event().wait())
    waiting = asyncio.create_task(in_time(work, 10.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait({work})
    assert work.cancelled()


def test_who_is_due_is_told_in_order_and_who_is_done_is_not(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    async def main() -> list[int]:
        told: list[int] = []
        deadlines = Deadlines[int](DUE, told.append)
        for number in range(3):
            deadlines.add(number)
        deadlines.discard(1)
        await eventually(lambda: len(told) >= 2, 30.0, "not told")
        deadlines.add(3)
        assert told == [0, 2]
        await eventually(lambda: len(told) >= 3, 30.0, "not told")
        return told

    assert run(main()) == [0, 2, 3]


def test_one_that_is_done_by_what_became_of_another_is_not_told() -> None:
    async def main() -> list[int]:
        told: list[int] = []

        def overdue(number: int) -> None:
            told.append(number)
            deadlines.discard(1)

        deadlines = Deadlines[int](DUE, overdue)
        deadlines.add(0)
        deadlines.add(1)
        await eventually(lambda: told, 30.0, "not told")
        deadlines.add(2)
        await eventually(lambda: 2 in told, 30.0, "not told")
        return told

    assert asyncio.run(main()) == [0, 2]
