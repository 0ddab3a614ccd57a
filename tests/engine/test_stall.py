"""A drain whose process stands still beyond its budget: what was answered in time is settled, not posted again."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from threading import Event as ThreadEvent
from typing import Any

import pytest
import uvloop

from connector.core.record import Partition
from connector.edge.clock import SystemClock
from connector.edge.openmarket import OpenMarket
from tests.engine.stage import MAIN, Connector, broker, event, feed
from tests.support.blocking_http import ANSWER, blocking_server, read_request
from tests.support.deadline import eventually

BUDGET = 0.2  # seconds
HEAD = Partition(MAIN, 0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_an_answer_that_came_while_a_drain_stood_still_is_settled(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """The answer lies in the socket when the budget ends, and nobody had a turn to read it."""
    posted, answer, answered = ThreadEvent(), ThreadEvent(), ThreadEvent()

    def serve(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        posted.set()
        answer.wait(10)
        connection.sendall(ANSWER % b"r")
        answered.set()
        connection.recv(1)

    async def main(url: str) -> None:
        clock = SystemClock()
        kafka = broker(clock)
        feed(kafka, event())
        vendor = OpenMarket(url, "123-456", "s3cret", in_flight=1)
        connector = Connector(kafka, vendor, clock)
        await eventually(posted.is_set, 60, "the record was posted")
        leaving = asyncio.create_task(connector.leave(BUDGET))
        await asyncio.sleep(BUDGET / 4)
        answer.set()
        answered.wait(10)
        time.sleep(BUDGET * 2)  # noqa: ASYNC251 - this holds the event loop
        assert await leaving
        assert kafka.committed[HEAD].offset == 1
        await vendor.close()

    with blocking_server(serve) as url:
        run(main(url))
