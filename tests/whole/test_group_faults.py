"""Processes that die, stop, come and go on real Kafka, while the vendor's ledger counts what was posted."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from connector.core.record import Partition
from connector.edge.kafka.groups import KafkaGroups
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.whole.load import PATIENCE, Load
from tests.whole.stage import Stage, books_balance, event, single_object

DELIVERY = {"in_flight": 16, "uncommitted": 50}
BOUND = DELIVERY["in_flight"] + DELIVERY["uncommitted"]
"""What one death may repeat."""

PROTOCOLS: dict[str, dict[str, Any]] = {
    "cooperative": {},
    "eager": {"assignment": "range"},
    "consumer": {"group_protocol": "consumer", "client": {}},
}


async def _nothing_lost(stage: Stage, marks: list[str]) -> None:
    await eventually(lambda: not stage.lost(marks), PATIENCE, "every event is accepted")


async def _stop(*connectors: ConnectorProcess) -> None:
    for connector in connectors:
        assert await connector.stop() == 0


async def test_deaths_at_any_time_lose_nothing_and_repeat_no_more_than_their_bounds(stage: Stage) -> None:
    chance = random.Random(1)
    deaths = 3
    async with Load(stage) as load:
        connectors = [stage.connector(delivery=DELIVERY) for _ in range(2)]
        await asyncio.gather(*(connector.start() for connector in connectors))
        for _ in range(deaths):
            await load.goes_on(chance.randrange(50, 300))
            victim = chance.choice(connectors)
            await victim.kill()
            await victim.start()
    await _nothing_lost(stage, load.marks)
    assert stage.repeats <= deaths * BOUND
    await _stop(*connectors)


async def test_a_rolling_restart_of_three_processes_repeats_nothing(stage: Stage) -> None:
    async with Load(stage) as load:
        connectors = [stage.connector(delivery=DELIVERY) for _ in range(3)]
        await asyncio.gather(*(connector.start() for connector in connectors))
        for connector in connectors:
            await load.goes_on()
            await _stop(connector)
            await connector.start()
    await _nothing_lost(stage, load.marks)
    await _stop(*connectors)
    assert stage.accepted_once(load.marks)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_members_that_come_and_go_without_pause_repeat_nothing(stage: Stage, protocol: str) -> None:
    settings = {"kafka": PROTOCOLS[protocol], "delivery": DELIVERY}
    async with Load(stage) as load:
        stays, comes = (stage.connector(**settings) for _ in range(2))
        await stays.start()
        for _ in range(2):
            await comes.start()
            await load.goes_on()
            await _stop(comes)
    await _nothing_lost(stage, load.marks)
    metrics = await stays.shows(in_flight=0)
    assert books_balance(metrics)
    await _stop(stays)
    assert stage.accepted_once(load.marks)


async def test_a_live_group_changes_its_protocol_one_process_after_the_other_and_repeats_nothing(stage: Stage) -> None:
    await _changes_protocol(stage, "eager", "consumer")
    assert stage.repeats == 0


@pytest.mark.parametrize("after", ["cooperative", "eager"])
async def test_a_live_group_that_leaves_the_new_protocol_repeats_no_more_than_a_death_would(
    stage: Stage, after: str
) -> None:
    """When the last member of the new protocol leaves, the brokers change the group under those that stay."""
    await _changes_protocol(stage, "consumer", after)
    assert stage.repeats <= BOUND


async def _changes_protocol(stage: Stage, before: str, after: str) -> None:
    old, new = ({"kafka": PROTOCOLS[protocol], "delivery": DELIVERY} for protocol in (before, after))
    async with Load(stage) as load:
        leaving, coming = ([stage.connector(**settings) for _ in range(2)] for settings in (old, new))
        await asyncio.gather(*(connector.start() for connector in leaving))
        for goes, comes in zip(leaving, coming, strict=True):
            await load.goes_on()
            await _stop(goes)
            await comes.start()
        await load.goes_on()
    await _nothing_lost(stage, load.marks)
    await _stop(*coming)


def _members(groups: KafkaGroups, name: str) -> int:
    found = groups.group(name)
    return 0 if found is None else found.members


async def test_a_cooperative_group_refuses_who_comes_with_the_other_protocol_and_goes_on(stage: Stage) -> None:
    """Once it was rebalanced the broker cannot convert it while it lives: stop all of its processes first."""
    cooperative, other = ({"kafka": PROTOCOLS[name], "delivery": DELIVERY} for name in ("cooperative", "consumer"))
    async with Load(stage) as load:
        stays = [stage.connector(**cooperative) for _ in range(2)]
        for connector in stays:
            await connector.start()
            await load.goes_on()
        comes = stage.connector(**other)
        with pytest.raises(AssertionError, match="exit code 1"):
            await comes.start()
        (failed,) = comes.lines("source_failed")
        assert failed["code"] == "group_not_convertible"
        assert "Stop all processes" in failed["remedy"]
        await load.goes_on()
    await _nothing_lost(stage, load.marks)
    await _stop(*stays)
    groups = KafkaGroups({"bootstrap.servers": stage.cluster.kafka.bootstrap_servers})
    await eventually(lambda: not _members(groups, stage.cluster.group), PATIENCE, "nobody counts as a member any more")
    await comes.start()
    await _stop(comes)
    assert stage.accepted_once(load.marks)


async def test_added_partitions_are_read_within_half_a_minute_with_each_protocol(stage: Stage) -> None:
    """Librdkafka by itself looks for them every five minutes."""
    stage.create_topics()
    groups = [stage.connector(kafka={**kafka, "group_id": f"{stage.main}-{name}"}) for name, kafka in PROTOCOLS.items()]
    await asyncio.gather(*(connector.start() for connector in groups))
    stage.cluster.grow(stage.main, 3)
    for partition in (1, 2):
        stage.cluster.append(Partition(stage.main, partition), single_object(event(f"e-{partition}", partition)))
    await asyncio.gather(*(connector.until(30, accepted=2) for connector in groups))
    await _stop(*groups)


async def test_a_process_that_died_gets_its_static_name_back_from_the_broker(stage: Stage) -> None:
    """With KIP-848 the broker keeps the name until the dead one's session ends, and the process waits for it."""
    named = {**PROTOCOLS["consumer"], "group_instance_id": "pod-0"}
    async with Load(stage) as load:
        connector = stage.connector(kafka=named, delivery=DELIVERY)
        await connector.start()
        await load.goes_on()
        await connector.kill()
        await connector.start()
    await _nothing_lost(stage, load.marks)
    assert stage.repeats <= BOUND
    await _stop(connector)


async def test_a_retry_that_sleeps_while_its_partition_goes_and_comes_back_is_posted_once(stage: Stage) -> None:
    stage.create_topics(partitions=2)
    stage.scenario(rules=[{"when": {"first": 1, "of": "invocation"}, "do": {"kind": "reject"}}])
    marks = [f"e-{n}" for n in range(40)]
    stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
    delayed = {"delay": "12s", "window": "1h"}
    no_outage = {"endpoint": {"minimum": 1000}}
    stays, comes = (stage.connector(retry=delayed, hold=no_outage) for _ in range(2))
    await stays.start()
    await stays.until(retried=40)
    await comes.start()
    await _stop(comes)
    await _nothing_lost(stage, marks)
    await _stop(stays)
    assert stage.accepted_once(marks)


ANSWERS: list[dict[str, Any]] = [
    {"kind": "reject", "cause": "temporary"},
    {"kind": "reset", "when": "before_body"},
    {"kind": "reset", "when": "after_body"},
    {"kind": "truncate", "status": 500},
    {"kind": "truncate", "accepted": True},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 503},
    {"kind": "html", "status": 504},
    {"kind": "too_many", "retry_after": None},
    {"kind": "no_request_id"},
    {"kind": "huge", "size": 100_000},
    {"kind": "late", "seconds": 1.0},
    {"kind": "close"},
    {"kind": "reject", "cause": "permanent"},
]
_SHARES = {"too_many": 0.003, "no_request_id": 0.003}
"""These make the whole deployment slow, or hold it: a few are as good as many."""


async def test_whatever_the_vendor_or_a_proxy_answers_while_members_come_and_go_nothing_is_lost(stage: Stage) -> None:
    """Each event ends as accepted or as a dead letter."""
    async with Load(stage, partitions=4) as load:
        rules = [{"when": {"share": _SHARES.get(answer["kind"], 0.02)}, "do": answer} for answer in ANSWERS]
        stage.scenario(latency={"kind": "uniform", "low": 0.0, "high": 0.05}, rules=rules)
        soon = {"canary": {"first": "200ms", "longest": "1s"}}
        stays, comes = (stage.connector(delivery=DELIVERY, hold=soon) for _ in range(2))
        await stays.start()
        for _ in range(2):
            await comes.start()
            await load.goes_on()
            await _stop(comes)
    await eventually(
        lambda: stage.lost(load.marks) <= stage.dead_marks(), PATIENCE, "each is accepted or a dead letter"
    )
    metrics = await stays.shows(in_flight=0)
    assert books_balance(metrics)
    await _stop(stays)
