"""A broker that dies, hangs and refuses, and logs that are not what they were, under load, on real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, TopicPartition

from connector.core.record import Partition
from connector.simulator.server import SimulatorServer
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.kafka_broker import KafkaBroker
from tests.whole.load import PATIENCE, Load
from tests.whole.stage import ListeningVendor, Stage, event, number, single_object

DELIVERY = {"in_flight": 16, "uncommitted": 50}
BOUND = DELIVERY["in_flight"] + DELIVERY["uncommitted"]
FROZEN_SECONDS = 9.0
"""Longer than the session time-out of the stage."""


async def _nothing_lost(stage: Stage, load: Load) -> None:
    await eventually(lambda: not stage.lost(load.marks), PATIENCE, "every event is accepted")


async def test_a_broker_that_dies_and_comes_back_under_load_loses_nothing(
    own_stage: Stage, private_kafka: KafkaBroker
) -> None:
    async with Load(own_stage) as load:
        connectors = [own_stage.connector(delivery=DELIVERY) for _ in range(2)]
        await asyncio.gather(*(connector.start() for connector in connectors))
        await load.goes_on()
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.start)
        await load.goes_on()
    await _nothing_lost(own_stage, load)
    assert own_stage.repeats <= len(connectors) * BOUND
    assert all(connector.lines("kafka_unreachable") for connector in connectors)
    await eventually(lambda: all(each.lines("kafka_reached") for each in connectors), PATIENCE, "Kafka is reached")
    assert [await connector.stop() for connector in connectors] == [0, 0]


async def test_a_broker_that_hangs_for_longer_than_a_session_loses_nothing(
    own_stage: Stage, private_kafka: KafkaBroker
) -> None:
    async with Load(own_stage) as load:
        connector = own_stage.connector(delivery=DELIVERY)
        await connector.start()
        await load.goes_on()
        private_kafka.freeze()
        await asyncio.sleep(FROZEN_SECONDS)
        private_kafka.thaw()
        await load.goes_on()
    await _nothing_lost(own_stage, load)
    assert own_stage.repeats <= 2 * BOUND  # the partitions may be taken away once, and given back
    assert await connector.stop() == 0


async def test_where_the_broker_takes_no_map_a_kill_repeats_nothing_that_the_ledger_has(tmp_path: Path) -> None:
    """Commits go on without a map, behind a post that takes long; `delivery.deduplicate` finds the rest in the ledger,
    as far as its entries were acknowledged before the kill. The record that was under way is posted again."""
    broker = KafkaBroker(tmp_path / "kafka", {"offset.metadata.max.bytes": "60"})
    await asyncio.to_thread(broker.start)
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(broker, tmp_path / "stage", simulator, await simulator.start())
    key_file = tmp_path / "ledger-key"
    key_file.write_text("0123456789abcdef")
    try:
        stage.create_topics()
        broker.create_topic(f"{stage.main}.ledger")
        stage.scenario(rules=[{"when": {"phone_numbers": [number(0)]}, "do": {"kind": "hang"}}])
        marks = [f"e-{n}" for n in range(40)]
        stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
        connector = stage.connector(
            kafka={"group_instance_id": "one"},  # so that it is back at once
            delivery={**DELIVERY, "deduplicate": "10m"},
            ledger={"key_file": str(key_file)},
        )
        await connector.start()
        await connector.until(accepted=39)
        await connector.counts("ledger_written_total", 39)
        await eventually(lambda: bool(connector.lines("map_refused")), PATIENCE, "the map is refused")
        await connector.kill()
        assert stage.cluster.committed(Partition(stage.main, 0)) <= 0
        stage.scenario()
        await connector.start()
        await connector.shows(records_accepted_total=1, records_duplicate_total=39, records_in_hand=0)
        assert await connector.stop() == 0
        assert stage.cluster.committed(Partition(stage.main, 0)) == 40
        assert stage.accepted_once(marks)
    finally:
        await stage.close()
        broker.kill()


async def test_copies_that_no_acl_allows_wait_and_then_go(own_stage: Stage, private_kafka: KafkaBroker) -> None:
    own_stage.create_topics()
    private_kafka.refuse_writes(own_stage.dead_letter)
    own_stage.produce([b"not Avro", single_object(event("behind", 1))])
    connector = own_stage.connector(delivery={"in_flight": 1})
    await connector.start()
    await _waits_to_write(connector, f"{own_stage.main}-0")
    private_kafka.accept_writes(own_stage.dead_letter)
    await connector.until(dead_lettered=1, accepted=1)
    assert await connector.stop() == 0


async def test_copies_for_which_too_few_replicas_are_in_sync_wait_and_then_go(
    own_stage: Stage, private_kafka: KafkaBroker, tmp_path: Path
) -> None:
    """Each is in its topic once. The leader has them already when the other replica is found to be gone, and says so:
    written anew, the copy in the retry topic would be posted twice."""
    own_stage.main = own_stage.cluster.create()
    main = Partition(own_stage.main, 0)
    assert own_stage.cluster.committed(main) < 0  # the group's own topic is made now, where the second broker is not
    second = private_kafka.second(tmp_path / "second")
    await asyncio.to_thread(second.start)
    try:
        for topic in (own_stage.retry, own_stage.dead_letter):
            private_kafka.create_on_both(topic)
        later = {"when": {"markers": ["later"], "first": 1, "of": "invocation"}, "do": {"kind": "reject"}}
        own_stage.scenario(rules=[later])
        connector = own_stage.connector(delivery=DELIVERY)
        await connector.start()
        second.kill()
        own_stage.produce([b"not Avro", single_object(event("later"))])
        waiting = ["dead_letter write", "retry write"]
        await connector.status_when(lambda status: _reasons(status, str(main)) == waiting, 2 * PATIENCE)
        own_stage.produce([single_object(event("behind", 1))])
        await asyncio.to_thread(second.start)
        await connector.until(2 * PATIENCE, accepted=2, retried=1, dead_lettered=1)
        assert await connector.stop() == 0
        assert own_stage.accepted_once(["later", "behind"])
        assert own_stage.cluster.committed(main) == 3
        copies = (Partition(topic, 0) for topic in (own_stage.retry, own_stage.dead_letter))
        assert [own_stage.cluster.end(partition) for partition in copies] == [1, 1]
    finally:
        second.kill()


async def test_a_group_has_its_commits_to_itself_while_it_lives(stage: Stage) -> None:
    """The broker refuses a commit by somebody who is no member; once the group is stopped it is an operator's."""
    partition = await _with_ten_settled(stage)
    connector = stage.connector()
    await connector.start()
    with pytest.raises(KafkaException, match="UNKNOWN_MEMBER_ID"):
        stage.cluster.commit(partition, 3)
    assert await connector.stop() == 0
    stage.cluster.commit(partition, 3)
    await connector.start()
    await connector.until(accepted=7)
    assert await connector.stop() == 0
    assert stage.cluster.committed(partition) == 10


async def test_aborted_transactions_and_their_markers_are_passed_over(stage: Stage) -> None:
    stage.create_topics()
    partition = Partition(stage.main, 0)
    for n in range(3):
        stage.produce([single_object(event(f"e-{n}", n))])
        stage.cluster.leave_gap(partition)
    connector = stage.connector()
    await connector.start()
    await connector.until(accepted=3, dead_lettered=0)
    assert await connector.stop() == 0
    assert stage.accepted_once(["e-0", "e-1", "e-2"])


async def test_what_a_transactional_producer_leaves_behind_is_no_lag_and_its_deletion_is_no_loss(stage: Stage) -> None:
    """Markers and aborted records behind the last record, in the retry topic too, and where nothing else ever was."""
    stage.create_topics(partitions=2)
    stage.scenario(rules=[{"when": {"first": 1, "of": "invocation"}, "do": {"kind": "reject"}}])
    some, none, retry = Partition(stage.main, 0), Partition(stage.main, 1), Partition(stage.retry, 0)
    connector = stage.connector()
    await connector.start()
    stage.produce((single_object(event(f"e-{n}", n)) for n in range(3)), partition=0)
    await connector.until(accepted=3, retried=3)
    ends = {}
    for partition in (some, none, retry):
        stage.cluster.leave_gap(partition)
        ends[partition] = stage.cluster.end(partition)
    assert ends[some] > 3
    for partition, end in ends.items():
        await eventually(lambda: stage.cluster.committed(partition) == end, PATIENCE, "the commit follows")  # noqa: B023 - awaited within the turn
    await connector.kill()  # what it said while it lived is enough
    gone = [TopicPartition(p.topic, p.number, end) for p, end in ends.items()]
    for deleted in stage.cluster.kafka.admin().delete_records(gone).values():
        deleted.result(PATIENCE)
    await connector.start()
    comes = stage.connector()
    await comes.start()
    stage.produce([single_object(event("later", 4))], partition=0)
    stage.produce([single_object(event("too", 5))], partition=1)
    marks = ["e-0", "e-1", "e-2", "later", "too"]
    await eventually(lambda: stage.accepted_once(marks), PATIENCE, "both go on")
    assert [await each.stop() for each in (connector, comes)] == [0, 0]


async def test_a_compacted_topic_is_read_over_its_gaps(tmp_path: Path) -> None:
    """Of each key the newest event is posted, and the commit reaches the end."""
    broker = KafkaBroker(tmp_path / "kafka", {"log.cleaner.backoff.ms": "100"})
    await asyncio.to_thread(broker.start)
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(broker, tmp_path / "stage", simulator, await simulator.start())
    try:
        stage.create_topics()
        for name, value in {
            "cleanup.policy": "compact",
            "segment.ms": "50",
            "min.cleanable.dirty.ratio": "0.001",
        }.items():
            stage.configure(stage.main, name, value)
        partition, written = Partition(stage.main, 0), 0

        def has_gaps() -> bool:
            nonlocal written
            stage.produce_events([event(f"e-{written}", written % 5)])
            written += 1
            return stage.cluster.read(partition, 1)[0].offset > 0

        await eventually(has_gaps, PATIENCE, "the log is compacted")
        connector = stage.connector()
        await connector.start()
        newest = {f"e-{n}" for n in range(written - 5, written)}
        await eventually(lambda: not stage.lost(newest), PATIENCE, "the newest of each key is accepted")
        assert await connector.stop() == 0
        assert stage.repeats == 0
        assert stage.cluster.committed(partition) == written
    finally:
        await stage.close()
        broker.kill()


async def test_records_deleted_before_they_were_read_end_the_process_and_nothing_is_skipped(stage: Stage) -> None:
    partition = await _with_ten_settled(stage)
    stage.produce(single_object(event(f"later-{n}", n)) for n in range(5))
    gone = TopicPartition(partition.topic, 0, 12)
    stage.cluster.kafka.admin().delete_records([gone])[gone].result(PATIENCE)
    await _ends_for_the_offset(stage)
    assert stage.cluster.committed(partition) == 10


async def test_a_topic_that_was_made_anew_while_the_process_was_stopped_is_read_from_its_beginning(
    stage: Stage,
) -> None:
    """The broker forgets a group's commits together with their topic, and `kafka.start` decides again."""
    partition = await _with_ten_settled(stage)
    stage.cluster.create_anew(partition.topic)
    await eventually(lambda: _is_there(stage, partition), PATIENCE, "the topic is there")
    marks = [f"new-{n}" for n in range(12)]
    stage.produce(single_object(event(mark, n)) for n, mark in enumerate(marks))
    connector = stage.connector()
    await connector.start()
    await eventually(lambda: not stage.lost(marks), PATIENCE, "the new topic is read")
    assert await connector.stop() == 0


async def test_a_topic_that_is_made_anew_under_a_process_loses_nothing_of_the_new_one(stage: Stage) -> None:
    """It ends, and the next process reads the new topic from its beginning, or it does so itself: both are seen, by
    when the client learns of it. The new one is longer than the old one was, so that the old offset is in it."""
    partition = await _with_ten_settled(stage)
    connector = stage.connector()
    await connector.start()
    stage.cluster.create_anew(partition.topic)
    await eventually(lambda: _is_there(stage, partition), PATIENCE, "the topic is there")
    marks = [f"new-{n}" for n in range(30)]
    stage.produce(single_object(event(mark, n)) for n, mark in enumerate(marks))
    await eventually(lambda: not connector.runs or not stage.lost(marks), PATIENCE, "it ends or goes on")
    if not connector.runs:
        assert await connector.ended() == 1
        assert connector.lines("source_failed")[-1]["code"] in ("offset_out_of_range", "topic_created_anew")
        await connector.start()
        await eventually(lambda: not stage.lost(marks), PATIENCE, "the new topic is read from its beginning")
    assert await connector.stop() == 0


async def _with_ten_settled(stage: Stage) -> Partition:
    """Ten records, accepted and committed by a process that has stopped."""
    stage.create_topics()
    stage.produce(single_object(event(f"e-{n}", n)) for n in range(10))
    connector = stage.connector()
    await connector.start()
    await connector.until(accepted=10)
    assert await connector.stop() == 0
    return Partition(stage.main, 0)


async def _ends_for_the_offset(stage: Stage) -> None:
    connector = stage.connector()
    try:
        await connector.start()
    except AssertionError:
        pass  # it can end before it is seen to be ready
    assert await connector.ended() == 1
    assert connector.lines("source_failed")[-1]["code"] == "offset_out_of_range"


async def _waits_to_write(connector: ConnectorProcess, partition: str) -> None:
    await connector.status_when(lambda status: _reasons(status, partition) == ["dead_letter write"], PATIENCE)
    assert not (await connector.metrics())["records_dead_lettered_total"]


def _reasons(status: Mapping[str, Any], partition: str) -> list[str]:
    """Why the partition takes nothing new."""
    return sorted(status.get("partitions", {}).get(partition, {}).get("waits_for", ()))


def _is_there(stage: Stage, partition: Partition) -> bool:
    found = stage.cluster.kafka.admin().list_topics(partition.topic, timeout=PATIENCE).topics[partition.topic]
    return found.error is None
