"""What the page says of a running connector, on virtual time: in peace, in each hold, with a partition that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from connector.config import load
from connector.config.settings import Settings
from connector.core.codes import DEFAULT_TABLE
from connector.core.pauses import Target
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.edge.kafka.source import KafkaSource
from connector.engine.judge import HoldRules
from connector.runtime.commands import EngineCommands
from connector.runtime.glancing import Glancer, Looked
from connector.runtime.reach import Reach
from tests.engine.stage import (
    ACCEPTED,
    FORBIDDEN,
    Connector,
    JsonDecoder,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    running,
)
from tests.engine.test_brake import braking
from tests.observe.test_page import Reader
from tests.runtime.test_view import HEAD, Shown
from tests.support.clock import VirtualClock, run_virtual


@pytest.fixture
def settings(config_file: Callable[..., Path]) -> Settings:
    return load(config_file(), {})


@asynccontextmanager
async def glanced(connector: Connector, clock: VirtualClock, settings: Settings) -> AsyncIterator[Callable[[], str]]:
    """The page's words, of a connector that is looked at each second, as `run` does."""
    shown = Shown(connector, clock, settings)
    shown.health.joined()
    reach = cast(Reach, SimpleNamespace(down_since=None))
    commands, source = EngineCommands(connector.driver, clock), cast(KafkaSource, shown)
    looked = Looked(connector.engine, source, reach, commands, shown.health, shown.view)
    glancer = Glancer(settings, clock, DEFAULT_TABLE, connector.metrics, looked)

    async def look() -> None:
        while True:
            glancer.look()
            await asyncio.sleep(1)

    looking = asyncio.create_task(look())
    try:
        yield lambda: Reader(glancer.page().html).text
    finally:
        looking.cancel()


@run_virtual
async def test_in_peace_it_delivers_and_says_how_much(clock: VirtualClock, settings: Settings) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)) as connector, glanced(connector, clock, settings) as words:
        await asyncio.sleep(400)
        assert "Nothing to deliver" in words()
        for n in range(20):
            feed(kafka, event(n))
        await asyncio.sleep(10)
        page = words()
        await asyncio.sleep(400)
        assert "accepted in 5 min 0" in words()
        assert "last accepted 6 min " in words()
    assert "Delivering 20 records accepted in the last minute." in page
    assert "accepted in 5 min 20" in page
    assert "a post takes half ≤ 0.1 s" in page


@run_virtual
async def test_posting_that_waits_for_a_commit_is_what_the_page_begins_with(
    clock: VirtualClock, settings: Settings
) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    kafka.commit_error = "coordinator_not_available"
    async with running(Connector(kafka, vendor, clock)) as connector, glanced(connector, clock, settings) as words:
        await asyncio.sleep(10)
        for n in range(100):
            feed(kafka, event(n))
        await asyncio.sleep(120)
        page = words()
    assert "Not delivering: commits For 1 min " in page
    assert "commit, for 1 min" in page
    assert "Partitions that take nothing new" not in page


HOLDS: dict[str, tuple[Answer, str]] = {
    "deployment": (FORBIDDEN, "unauthorized"),
    "endpoint": (NoReply(Failure.CONNECT, False), "connect_failed"),
    "retry_after": (Reply(429, "REQ-5", b"", retry_after="600"), "too_many_requests"),
}


@pytest.mark.parametrize("kind", HOLDS)
@run_virtual
async def test_a_hold_that_the_vendor_brings_about_is_what_the_page_begins_with(
    clock: VirtualClock, settings: Settings, kind: str
) -> None:
    answer, code = HOLDS[kind]
    kafka, vendor = broker(clock), ScriptedVendor(always(answer))
    for n in range(100):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector, glanced(connector, clock, settings) as words:
        await asyncio.sleep(120)
        page = words()
    assert "Not delivering: held" in page
    assert f"Hold: {kind}, {code}" in page
    assert f"{HEAD} ? " in page
    assert "hold, for 1 min" in page


@run_virtual
async def test_a_pause_of_everything_names_who_and_why(clock: VirtualClock, settings: Settings) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)) as connector, glanced(connector, clock, settings) as words:
        await asyncio.sleep(10)
        connector.driver.pause([Target("*")], "gate B twice")
        await asyncio.sleep(90)
        page = words()
    assert "Not delivering: held For 1 min 30 s: everything is paused, by command: gate B twice." in page
    assert "Hold: manual, paused" in page
    assert "* command" in page


@run_virtual
async def test_a_brake_that_keeps_a_part_back_is_no_standstill(clock: VirtualClock, settings: Settings) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, b"a bug of the producer", n % 2)
    hold: HoldRules = braking()
    connector = Connector(kafka, vendor, clock, hold=hold)
    async with running(connector), glanced(connector, clock, settings) as words:
        await asyncio.sleep(100)
        page = words()
    assert "Hold: brake, undecodable" in page
    assert "`connector resume --hold brake`" in page


@run_virtual
async def test_a_partition_that_waits_for_a_schema_says_since_when(clock: VirtualClock, settings: Settings) -> None:
    """To a second: it is looked at each second."""
    kafka, vendor, decoder = broker(clock), ScriptedVendor(always(ACCEPTED)), JsonDecoder()
    decoder.unavailable["schema:far"] = 1000
    async with (
        running(Connector(kafka, vendor, clock, decoder=decoder)) as connector,
        glanced(connector, clock, settings) as words,
    ):
        await asyncio.sleep(30)
        feed(kafka, b"schema:far " + event(1))
        await asyncio.sleep(605)
        page = words()
    assert "Delivering, but not all 1 of " in page
    assert f"Partitions that take nothing new partition lag in hand oldest waits for {HEAD} ? " in page
    assert "schema, for 10 min" in page
