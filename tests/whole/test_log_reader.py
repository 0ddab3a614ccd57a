"""A log that nobody reads: stderr of a real process is a pipe that stands still, and the deliveries do not."""

from __future__ import annotations

import asyncio
import os
import signal

from tests.support.deadline import eventually
from tests.whole.stage import Stage, event, single_object

PATIENCE = 60.0
EVENTS = 3000
LONG_ID = "x" * 56
TRACED = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)
"""With these the lines are more than the pipe and the buffer hold together."""


async def test_a_log_reader_that_stands_still_stops_nothing(stage: Stage) -> None:
    """Posting, probes and SIGTERM go on, nothing is posted twice, and the lines that were dropped are counted."""
    stage.create_topics(partitions=4)
    marks = [f"e-{n}" for n in range(EVENTS)]
    stage.produce((single_object(event(mark, n, eventId=f"{mark}-{LONG_ID}")) for n, mark in enumerate(marks)), TRACED)
    reading, writing = os.pipe()
    try:
        connector = stage.connector()
        await connector.spawn(stderr=writing)
        await connector.joins()
        await eventually(lambda: stage.simulator.ledger.accepted >= EVENTS, PATIENCE, "all are accepted")
        metrics = await connector.until(accepted=EVENTS)
        assert await connector.lives()
        assert 0 < metrics["log_lines_dropped_total"] < EVENTS
        connector.signal(signal.SIGTERM)
        assert await connector.ended() == 0
    finally:
        os.close(writing)
        os.close(reading)
    assert stage.accepted_once(marks)


async def test_what_a_process_says_last_comes_out_when_somebody_reads_it(stage: Stage) -> None:
    """The reader may be late: what waits is written as soon as it comes."""
    stage.create_topics()
    reading, writing = os.pipe()
    try:
        connector = stage.connector()
        await connector.spawn(stderr=writing)
        os.close(writing)
        await connector.joins()
        connector.signal(signal.SIGTERM)
        assert await connector.ended() == 0
        with os.fdopen(os.dup(reading), "rb") as log:
            said = await asyncio.to_thread(log.read)
    finally:
        os.close(reading)
    assert b'"event":"stopped"' in said.splitlines()[-1]
