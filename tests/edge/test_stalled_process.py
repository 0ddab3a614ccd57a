"""A process that is stopped while its posts are answered, on real sockets: what came in time was answered in time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest

from tests.support.deadline import eventually
from tests.support.raw_http import Peer, raw_server

IN_FLIGHT = 64
STALLS = 2
TOTAL_TIMEOUT = 4.0  # seconds; all posts must be read before, however busy the machine is
STALL = 4.5  # seconds; longer than the time-out, so that every deadline has passed when it goes on


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_answers_that_came_while_the_process_was_stopped_are_not_lost_to_the_timeout(loop: str) -> None:
    """As many posts as may be under way are read, the process is stopped, and only then they are answered."""
    rounds = [asyncio.Event() for _ in range(STALLS)]
    answered = 0

    async def slow(peer: Peer) -> None:
        nonlocal answered
        while True:
            await peer.request()
            await rounds[(len(server.requests) - 1) // IN_FLIGHT].wait()
            await peer.answer(X_Request_Id="r")
            answered += 1

    async with raw_server(slow) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.posting_process"),
            *(server.url, str(IN_FLIGHT), str(TOTAL_TIMEOUT), str(STALLS * IN_FLIGHT), loop),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            for number, answer in enumerate(rounds, 1):
                await eventually(
                    lambda: len(server.requests) >= number * IN_FLIGHT, 60, "all posts were read"  # noqa: B023 - awaited within the turn
                )  # fmt: skip
                os.kill(process.pid, signal.SIGSTOP)
                answer.set()
                await eventually(lambda: answered >= number * IN_FLIGHT, 60, "all were answered")  # noqa: B023 - awaited within the turn
                await asyncio.sleep(STALL)
                os.kill(process.pid, signal.SIGCONT)
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert json.loads(output) == {"202": STALLS * IN_FLIGHT}
    assert len(server.requests) == STALLS * IN_FLIGHT
