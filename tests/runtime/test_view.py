"""What a running connector shows while something lasts: not only once it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connector.config import load
from connector.config.settings import Settings
from connector.core.pauses import Target
from connector.core.record import Partition
from connector.core.reply import Answer, Failure, NoReply
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.source import KafkaSource
from connector.edge.kafka.transactions import Behind
from connector.edge.kafka.watermarks import Watermarks
from connector.engine.commits import IN_DOUBT
from connector.engine.limits import PaceRules
from connector.runtime.commands import EngineCommands
from connector.runtime.health import Health
from connector.runtime.view import View
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    FORBIDDEN,
    MAIN,
    RETRY,
    TEMPORARY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    running,
)
from tests.observe.test_metrics import samples
from tests.support.clock import VirtualClock, run_virtual

DOWN = NoReply(Failure.CONNECT, False)
HEAD = Partition(MAIN, 0)


@pytest.fixture
def settings(config_file: Callable[..., Path]) -> Settings:
    return load(config_file(), {})


class Shown:
    """A connector of the stage, and what its page and `/status` say."""

    def __init__(self, connector: Connector, clock: VirtualClock, settings: Settings) -> None:
        self.connector = connector
        self.missing = frozenset[str]()
        self.logs = SimpleNamespace(bounds={}, retention={}, transactions=SimpleNamespace(behind={}))
        commands = EngineCommands(connector.driver, clock)
        source, watermarks = cast(KafkaSource, self), cast(Watermarks, self.logs)
        self.health = Health(clock.monotonic())
        copies = connector.events.copies
        self.view = View(
            settings, clock, self.health, connector.metrics, connector.engine, source, watermarks, commands, copies
        )

    def __call__(self, name: str, *labels: str) -> float:
        """A metric as it is shown now. Raises KeyError without the series."""
        return samples(self.connector.metrics.registry)[f"invoke_connector_{name}", labels]

    def has(self, name: str) -> bool:
        """Whether there is a series of it now."""
        return (f"invoke_connector_{name}", ()) in samples(self.connector.metrics.registry)

    def waits_for(self, partition: Partition = HEAD) -> list[str]:
        """What `/status` says that the partition waits for."""
        partitions = cast(dict[str, Any], self.view.status()["partitions"])
        return cast(list[str], partitions[str(partition)]["waits_for"])


@run_virtual
async def test_a_deployment_hold_shows_while_it_lasts(clock: VirtualClock, settings: Settings) -> None:
    """Its seconds, the records and partitions that wait for it; all of them at 0 or still afterwards."""
    answer: list[Answer] = [FORBIDDEN]
    kafka, vendor = broker(clock), ScriptedVendor(lambda _number, _before: answer[0])
    for n in range(20):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        await asyncio.sleep(11)
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["deployment"]
        held, waiting = shows("hold_seconds_total", "deployment"), shows("records_waiting", "hold")
        assert held > 5
        assert 0 < waiting == connector.engine.in_hand - connector.engine.in_flight
        assert (shows("partitions_waiting", "hold"), shows.waits_for()) == (1, ["hold"])
        await asyncio.sleep(10)
        later = shows("hold_seconds_total", "deployment")
        assert later - held == 10
        answer[0] = ACCEPTED
        await asyncio.sleep(60)
        over = shows("hold_seconds_total", "deployment")
        await asyncio.sleep(60)
        assert over >= later
        assert shows("hold_seconds_total", "deployment") == over
        assert (shows("records_waiting", "hold"), shows("partitions_waiting", "hold")) == (0, 0)
        assert shows.waits_for() == []


@run_virtual
async def test_an_endpoint_hold_shows_while_it_lasts(clock: VirtualClock, settings: Settings) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(DOWN))
    for n in range(100):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        await asyncio.sleep(300)
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["endpoint"]
        assert shows("hold_seconds_total", "endpoint") > 60
        assert shows("records_waiting", "hold") > 0
        assert shows.waits_for() == ["hold"]
        status = cast(dict[str, Any], shows.view.status())
        oldest = status["partitions"][str(HEAD)]["oldest_seconds"]
        assert oldest == status["oldest_unsettled_seconds"] > 60


@run_virtual
async def test_what_a_person_paused_is_told_from_what_a_hold_keeps(clock: VirtualClock, settings: Settings) -> None:
    """Records of a paused partition that were taken before wait for nothing but that person."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1.0)
    for n in range(40):
        feed(kafka, event(7, f"{n:02d}"))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        await asyncio.sleep(2.5)
        assert shows("records_waiting", "lane") > 30
        connector.driver.pause([Target(MAIN, 0)], "")
        await asyncio.sleep(5)
        assert (shows("records_waiting", "paused"), shows("records_waiting", "hold")) == (1, 0)
        assert (shows("partitions_waiting", "paused"), shows.waits_for()) == (1, ["paused"])


@run_virtual
async def test_the_commits_age_counts_from_when_something_was_uncommitted(
    clock: VirtualClock, settings: Settings
) -> None:
    """An idle topic has no commits, and nothing is wrong; nor is a commit an hour late that is due since just now."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        for _ in range(3600):
            await asyncio.sleep(1)
            shows.view.look()
        assert (shows("uncommitted"), shows("last_commit_age_seconds")) == (0, 0)
        kafka.commit_error = "coordinator_not_available"
        feed(kafka, event())
        await asyncio.sleep(30)
        assert shows("uncommitted") == 1
        assert 28 < shows("last_commit_age_seconds") <= 31
        kafka.commit_error = None
        await asyncio.sleep(30)
        assert (shows("uncommitted"), shows("last_commit_age_seconds")) == (0, 0)


@pytest.mark.parametrize("how", ["refused", "late"])
@run_virtual
async def test_posting_that_waits_for_a_commit_says_so_while_it_does(
    clock: VirtualClock, settings: Settings, how: str
) -> None:
    """No hold, nothing blocked, nothing under way: without it nobody could see why nothing is posted."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        for n in range(40):
            feed(kafka, event(n))
        await asyncio.sleep(2)
        assert shows.waits_for() == []
        kafka.commit_error, kafka.commit_delay = (
            ("coordinator_not_available", 0.0) if how == "refused" else (None, 30.0)
        )
        for n in range(200):
            feed(kafka, event(n, "again"))
        await asyncio.sleep(10)
        posts = len(vendor.posted)
        await asyncio.sleep(10)
        assert len(vendor.posted) == posts < 240
        assert shows("uncommitted") >= BOUNDS.uncommitted * IN_DOUBT
        assert (shows("in_flight"), shows.waits_for()) == (0, ["commit"])
        assert shows("partitions_waiting", "commit") == 1
        assert shows.waits_for(Partition(RETRY, 0)) == []
        kafka.commit_error, kafka.commit_delay = None, 0.0
        await asyncio.sleep(60)
        assert len(vendor.posted) == 240
        assert (shows("partitions_waiting", "commit"), shows.waits_for()) == (0, [])


@run_virtual
async def test_commits_that_are_answered_soon_are_nothing_to_wait_for(clock: VirtualClock, settings: Settings) -> None:
    """At the bound posting waits for some milliseconds, again and again: that is full speed."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=0.01)
    kafka.commit_delay = 0.05
    bounds, seen = BOUNDS._replace(uncommitted=2), set[bool]()
    for n in range(200):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        shows = Shown(connector, clock, settings)
        while connector.engine.commits.last_acknowledged == 0 or len(vendor.posted) < 200:
            await asyncio.sleep(0.003)
            seen.add(connector.engine.commits.full)
            assert shows.waits_for() == []
    assert seen == {False, True}


@run_virtual
async def test_what_waits_for_a_retry_shows_its_age_its_attempts_and_when_it_is_due(
    clock: VirtualClock, settings: Settings
) -> None:
    """15 minutes and 23 hours do not look alike."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TEMPORARY))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        assert not shows.has("retry_next_due_timestamp_seconds")
        await asyncio.sleep(600)
        assert (shows("retry_oldest_seconds"), shows("retry_most_attempts")) == (600 - 0.05, 1)
        due = shows("retry_next_due_timestamp_seconds")
        assert 0 < due - clock.now_ms() / 1000 < 330
        assert shows.waits_for(Partition(RETRY, 0)) == ["due time"]
        await asyncio.sleep(22 * 3600)
        assert shows("retry_oldest_seconds") > 22 * 3600
        assert shows("retry_most_attempts") > 80
        assert shows("retry_age_seconds_bucket", "43200.0") < shows("retry_age_seconds_count")
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(1000)
        assert (shows("retry_oldest_seconds"), shows("retry_most_attempts")) == (0, 0)
        assert not shows.has("retry_next_due_timestamp_seconds")


@run_virtual
async def test_another_process_that_reads_the_retry_topic_knows_the_age_too(
    clock: VirtualClock, settings: Settings
) -> None:
    """It wrote none of the copies: their headers say so, and a hold does not make them younger."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TEMPORARY))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(7200)
    other = ScriptedVendor(always(FORBIDDEN))
    async with running(Connector(kafka, other, clock)) as connector:
        shows = Shown(connector, clock, settings)
        await asyncio.sleep(60)
        assert shows("retry_oldest_seconds") > 7200
        await asyncio.sleep(3600)
        assert connector.engine.holds.active
        assert shows("retry_oldest_seconds") > 10800
        assert shows("retry_most_attempts") >= 8


@run_virtual
async def test_the_books_and_the_load_show_what_happens(clock: VirtualClock, settings: Settings) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=5.0)
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        await asyncio.sleep(1)
        assert (shows("assigned_partitions"), shows("assigned_main_partitions"), shows("rate_share")) == (3, 2, 1)
        assert (shows("records_in_hand"), shows("in_flight"), shows("oldest_unsettled_seconds")) == (0, 0, 0)
        limit = shows("in_flight_limit")
        assert limit == 8
        for n in range(20):
            feed(kafka, event(n))
        await asyncio.sleep(3)
        assert (shows("in_flight"), shows("oldest_unsettled_seconds")) == (8, 3)
        assert shows("records_in_hand") >= 8
        shows.logs.bounds[HEAD] = Bounds(0, 20, 20)
        shows.logs.retention[MAIN] = 300.0
        shows.logs.transactions.behind[HEAD] = Behind(20, 5, clock.monotonic() - 7)
        assert shows("lag", "0", MAIN) == 20
        assert shows("oldest_unsettled_retention_ratio") == 0.01
        assert shows("open_transaction_seconds", "0", MAIN) == 7
        assert shows("topics_missing") == 0
        shows.missing = frozenset({RETRY})
        assert shows("topics_missing") == 1


@run_virtual
async def test_the_limit_and_the_rate_are_those_in_force(clock: VirtualClock, settings: Settings) -> None:
    """It opens from one post on; of a rate this process has the part that goes with its partitions."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock, warm=False, pace=PaceRules(rate=20.0))) as connector:
        shows = Shown(connector, clock, settings)
        assert (shows("in_flight_limit"), shows("rate")) == (1, 0)
        await asyncio.sleep(1)
        for n in range(20):
            feed(kafka, event(n))
        await asyncio.sleep(5)
        assert (shows("in_flight_limit"), shows("rate")) == (8, 20)


@run_virtual
async def test_it_is_ready_from_joining_on_during_a_hold_too(clock: VirtualClock, settings: Settings) -> None:
    """No hold is cured by taking pods out of service."""
    kafka, vendor = broker(clock), ScriptedVendor(always(FORBIDDEN))
    async with running(Connector(kafka, vendor, clock)) as connector:
        shows = Shown(connector, clock, settings)
        assert shows("ready") == 0
        shows.health.joined()
        assert shows("ready") == 1
        feed(kafka, event())
        await asyncio.sleep(20)
        assert connector.engine.holds.active
        assert shows("ready") == 1


@run_virtual
async def test_a_turn_ages_until_the_next_one(clock: VirtualClock, settings: Settings) -> None:
    """And `/livez` hangs on the older of the two."""
    async with running(Connector(broker(clock), ScriptedVendor(always(FORBIDDEN)), clock)) as connector:
        shows = Shown(connector, clock, settings)
        shows.health.turned(loop=clock.monotonic(), owner=clock.monotonic())
        await asyncio.sleep(7)
        shows.health.turned(loop=clock.monotonic(), owner=clock.monotonic() - 7)
        await asyncio.sleep(2)
        ages = shows("loop_turn_age_seconds"), shows("owner_thread_turn_age_seconds"), shows.view.turn_age()
        assert ages == pytest.approx((2, 9, 9))
