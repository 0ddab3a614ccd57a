"""What goes wrong around a real process: topics that refuse, members that come and go, stops, and a large crowd."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.whole.stage import Stage, books_balance, event, single_object

PATIENCE = 60.0


async def _waits_to_write(connector: ConnectorProcess, partition: str) -> None:
    status: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while status.get("partitions", {}).get(partition, {}).get("waits_for") != ["dead_letter write"]:
            status = await connector.status()


async def test_a_missing_dead_letter_topic_stops_its_partition_and_loses_nothing(stage: Stage) -> None:
    stage.create_topics(partitions=2, dead_letter=False)
    stage.client["topic.metadata.propagation.max.ms"] = 500  # or the first failure shows after 30 s
    connector = stage.connector()
    await connector.start()
    stage.produce([single_object(event("first", 3))], partition=1)
    await connector.until(accepted=1)
    stage.produce([b"not Avro"], partition=0)
    await _waits_to_write(connector, f"{stage.main}-0")
    stage.produce([single_object(event("behind", 1))], partition=0)
    stage.produce([single_object(event("beside", 2))], partition=1)
    await connector.until(accepted=2)
    assert stage.accepted_once(["first", "beside"])
    assert (await connector.metrics())["records_dead_lettered_total"] == 0

    stage.cluster.kafka.create_topic(stage.dead_letter)

    await connector.until(seconds=45, accepted=3, dead_lettered=1)
    assert stage.accepted_once(["first", "beside", "behind"])
    assert stage.dead_letters(1)[0].value == b"not Avro"
    assert await connector.stop() == 0
    assert connector.lines("write_recovered")


async def test_a_dead_letter_topic_that_takes_too_little_stops_its_partition_and_loses_nothing(stage: Stage) -> None:
    stage.create_topics(dead_letter=False)
    stage.cluster.kafka.create_topic(stage.dead_letter, max_message_bytes="1000")
    bad = b"\x01" + random.Random(1).randbytes(5000)  # not Avro, and not smaller when compressed
    stage.produce([bad, single_object(event("behind"))])
    connector = stage.connector(delivery={"in_flight": 1})
    await connector.start()
    await _waits_to_write(connector, f"{stage.main}-0")

    stage.configure(stage.dead_letter, "max.message.bytes", "100000")

    await connector.until(accepted=1, dead_lettered=1)
    assert stage.dead_letters(1)[0].value == bad
    assert stage.accepted_once(["behind"])
    assert await connector.stop() == 0


async def test_headers_give_way_before_a_record_does(stage: Stage) -> None:
    stage.create_topics(dead_letter=False)
    stage.cluster.kafka.create_topic(stage.dead_letter, max_message_bytes="2000")
    bad = b"\x01" + random.Random(1).randbytes(800)
    stage.produce([bad, single_object(event("good"))], (("large", random.Random(2).randbytes(1500)),))
    connector = stage.connector()
    await connector.start()
    await connector.until(dead_lettered=1)
    (letter,) = stage.dead_letters(1)
    assert letter.value == bad
    assert dict(letter.headers)["invoke.headers-dropped"] == b"texts, original"
    assert await connector.stop() == 0


async def test_members_that_come_and_go_under_load_lose_nothing_and_repeat_nothing(stage: Stage) -> None:
    stage.create_topics(partitions=4)
    stage.scenario(latency={"kind": "uniform", "low": 0.0, "high": 0.05})
    events = [event(f"e-{n}", n % 500) for n in range(4000)]
    stage.produce_events(events)
    first, second = (stage.connector(delivery={"in_flight": 32}) for _ in range(2))
    await first.start()
    await eventually(lambda: stage.simulator.ledger.accepted > 300, PATIENCE, "the first is at work")
    await second.start()
    await eventually(lambda: second.lines("accepted"), PATIENCE, "the second is at work too")
    assert await first.stop() == 0
    await eventually(lambda: stage.simulator.ledger.accepted >= len(events), PATIENCE, "all are accepted")
    metrics = await second.shows(in_flight=0)
    assert books_balance(metrics)
    assert await second.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)


async def test_rolling_stops_repeat_nothing(stage: Stage) -> None:
    stage.create_topics()
    stage.scenario(latency={"kind": "uniform", "low": 0.0, "high": 0.1})
    events = [event(f"e-{n}", n % 200) for n in range(1500)]
    stage.produce_events(events)
    connector = stage.connector(delivery={"in_flight": 32})
    for share in (1, 2):
        await connector.start()
        await eventually(lambda: stage.simulator.ledger.accepted > 300 * share, PATIENCE, "it is at work")  # noqa: B023 - awaited in this round
        assert await connector.stop() == 0
    await connector.start()
    await eventually(lambda: stage.simulator.ledger.accepted >= len(events), PATIENCE, "all are accepted")
    assert await connector.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)


async def test_a_group_that_must_have_a_commit_and_has_none_ends_with_exit_code_1(stage: Stage) -> None:
    stage.create_topics()
    connector = stage.connector(kafka={"start": "error"})
    with pytest.raises(AssertionError, match="no_committed_offset"):
        await connector.start()
    assert await connector.ended() == 1


async def test_20000_events_by_one_process_none_lost_none_twice(stage: Stage) -> None:
    stage.create_topics(partitions=8)
    events = [event(f"e-{n}", n % 5000) for n in range(20_000)]
    stage.produce_events(events)
    connector = stage.connector(log={"accepted": False})
    await connector.start()
    metrics = await connector.until(seconds=55, accepted=20_000)
    assert books_balance(metrics)
    assert await connector.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)
