"""What only the real consumer does: where it starts, what ends it, what passes by itself, and how it stops."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AdminClient,
    TopicDescription,
)

from connector.core.envelope import UNREADABLE_HEADERS
from connector.core.record import Partition
from connector.core.settled_map import LogIdentity, as_shadows, encode
from connector.core.signals import Assigned, Commit, Revoking, Taken
from connector.edge.kafka.identity import LogIdentities, Logs
from connector.edge.kafka.mock import MockKafka
from connector.edge.kafka.source import KafkaSource
from tests.support.clusters import Member, RealCluster, joined
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka, KafkaBroker
from tests.support.librdkafka import MockCluster, produce_with_header_name

IDENTITY = LogIdentity("a-cluster", "a-topic")
PATIENCE = 60.0
ANSWER = 20.0
_OFFSET_COMMIT = 8
"""API key of the protocol."""


@pytest.fixture
def cluster(kafka: Kafka) -> RealCluster:
    """The shared broker, with a group of the test's own."""
    return RealCluster(kafka)


@pytest.fixture
def mock_cluster() -> MockCluster:
    """librdkafka's own, whose answers a test can spoil."""
    return MockCluster()


async def _until(predicate: Callable[[], object], why: str) -> None:
    await eventually(predicate, PATIENCE, why)


def _is_paused(member: Member) -> bool:
    assert isinstance(member.source, KafkaSource)
    return all(each._credit.paused for each in member.source._members)


def _damage(folder: Path, partition: Partition, value: bytes) -> None:
    """Write another value into the log's file; the batch keeps the checksum of the first one."""
    (log,) = folder.rglob(f"{partition.topic}-{partition.number}/*.log")
    log.write_bytes(log.read_bytes().replace(value, value.upper()))


def _partition(cluster: RealCluster, records: int = 0) -> Partition:
    partition = Partition(cluster.create(), 0)
    cluster.append_all(partition, [b"%d" % n for n in range(records)])
    return partition


async def test_latest_starts_a_new_group_at_the_end(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    async with joined(cluster.member(partition.topic, start="latest")) as member:
        await _until(lambda: member.assigned, "the partition is assigned")
        cluster.append(partition, b"new")
        await _until(lambda: member.records, "the new record comes")
        assert [record.offset for record in member.records] == [3]
        assert member.assigned[partition].position == 3


async def test_the_end_that_latest_found_is_kept_before_anything_is_settled(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    async with joined(cluster.member(partition.topic, start="latest")) as first:
        await _until(lambda: first.assigned, "the partition is assigned")
    cluster.append(partition, b"written while nobody reads")
    async with joined(cluster.member(partition.topic, start="latest")) as second:
        await _until(lambda: second.records, "what was written meanwhile comes")
        assert second.assigned[partition].position == 3


async def test_error_refuses_a_group_without_a_commit(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    async with joined(cluster.member(partition.topic, start="error")) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "no_committed_offset"
        assert "kafka.start" in member.failed[0].remedy
        assert member.records == []


async def test_a_shadow_in_the_group_of_a_connector_that_delivers_takes_nothing(cluster: RealCluster) -> None:
    """Whatever the settings let pass: it would commit events that nobody posted."""
    partition = _partition(cluster, 3)
    cluster.commit(partition, 1, encode(1, (), IDENTITY)[0])
    async with joined(cluster.member(partition.topic, is_shadow=True)) as shadow:
        await _until(lambda: shadow.failed, "the source fails")
        assert shadow.failed[0].code == "commit_of_a_delivery"
        assert shadow.records == []
    assert cluster.committed(partition) == 1


async def test_who_delivers_does_not_go_on_from_a_shadows_commit_and_the_shadow_does(cluster: RealCluster) -> None:
    """By its mark, which each commit of a shadow has."""
    partition = _partition(cluster, 5)
    cluster.commit(partition, 2, as_shadows(""))
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "commit_of_a_shadow"
        assert member.records == []
    async with joined(cluster.member(partition.topic, is_shadow=True)) as shadow:
        await _until(lambda: shadow.records, "the shadow goes on")
        assert shadow.records[0].offset == 2
        assert shadow.assigned[partition].metadata == ""
        shadow.source.commit({partition: Commit(3, "s1:map")})
        await _until(lambda: shadow.committed, "the commit is answered")
    assert cluster.committed_with_metadata(partition) == (3, "w1:map")


async def test_error_lets_a_group_with_a_commit_go_on(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    cluster.commit(partition, 2)
    async with joined(cluster.member(partition.topic, start="error")) as member:
        await _until(lambda: member.records, "the rest comes")
        assert [record.offset for record in member.records] == [2]


@pytest.mark.parametrize("start", ["latest", "error"])
async def test_a_new_partition_of_a_known_topic_starts_at_its_beginning(cluster: RealCluster, start: str) -> None:
    partition = _partition(cluster, 1)
    cluster.commit(partition, 1)
    member = cluster.member(partition.topic, start="latest" if start == "latest" else "error")
    async with joined(member):
        await _until(lambda: member.assigned, "the partition is assigned")
        cluster.grow(partition.topic, 2)
        added = Partition(partition.topic, 1)
        cluster.append_all(added, [b"first", b"second"])
        await _until(lambda: len(member.of(added)) == 2, "records of the new partition come")
        assert member.failed == []


async def test_a_retry_topic_without_a_commit_starts_at_its_beginning_whatever_the_main_topic_does(
    cluster: RealCluster,
) -> None:
    main, retry = _partition(cluster, 2), _partition(cluster, 2)
    async with joined(cluster.member(main.topic, retry.topic, start="latest")) as member:
        await _until(lambda: len(member.of(retry)) == 2, "the waiting records come")
        assert member.of(main) == []


async def test_records_deleted_before_they_were_read_end_the_process(cluster: RealCluster) -> None:
    partition = _partition(cluster, 10)
    cluster.commit(partition, 5)
    gone = TopicPartition(partition.topic, 0, 8)
    cluster.kafka.admin().delete_records([gone])[gone].result(ANSWER)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "offset_out_of_range"
        assert member.records == []


async def test_a_batch_that_was_damaged_ends_the_process_and_is_neither_read_nor_skipped(
    private_kafka: KafkaBroker, tmp_path: Path
) -> None:
    cluster = RealCluster(private_kafka)
    partition = _partition(cluster)
    for value in (b"before", b"damaged", b"behind"):
        cluster.append(partition, value)
    private_kafka.stop()
    _damage(tmp_path, partition, b"damaged")
    private_kafka.start()
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "damaged"
        assert partition.topic in member.failed[0].remedy
        assert {record.offset for record in member.records} <= {0}


async def test_a_committed_offset_beyond_the_end_ends_the_process(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    cluster.commit(partition, 100)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "offset_out_of_range"


class _OtherTopic(AdminClient):
    """Answers for every topic with what there is to say of this one."""

    def __init__(self, properties: dict[str, str | int | float], topic: str) -> None:
        super().__init__(properties)
        self._topic = topic

    def describe_topics(  # type: ignore[override]  # its stub is that of an inner method
        self, topics: TopicCollection, **options: Any
    ) -> dict[str, Future[TopicDescription]]:
        """Under the names that were asked for."""
        found = super().describe_topics(TopicCollection([self._topic]), **options)
        return dict.fromkeys(topics.topic_names, found[self._topic])


class _OtherTopicLater(LogIdentities):
    """True at an assignment; whoever watches the topic afterwards is told of another one, as if it was made anew."""

    def __init__(self, properties: dict[str, str | int | float], topic: str) -> None:
        super().__init__(properties)
        self._first = LogIdentities(properties)
        self.admin = _OtherTopic(properties, topic)

    def ask(self, topic: str) -> None:
        """See whether brokers answer."""
        self._first.ask(topic)

    def of(
        self, partitions: Collection[Partition], *, urgent: Collection[Partition], needs_cluster: bool = False
    ) -> Logs:
        """The true ones."""
        return self._first.of(partitions, urgent=urgent, needs_cluster=needs_cluster)


async def test_a_topic_that_was_made_anew_ends_the_process_and_is_read_from_its_beginning(cluster: RealCluster) -> None:
    """Commits of the meantime are taken back: what they skip of the new topic was never read."""
    partition, other = _partition(cluster, 5), _partition(cluster)
    cluster.commit(partition, 2)
    identities = _OtherTopicLater({"bootstrap.servers": cluster.kafka.bootstrap_servers}, other.topic)
    async with joined(cluster.member(partition.topic, identities=identities)) as member:
        await _until(lambda: member.failed, "the source fails")
        assert member.failed[0].code == "topic_created_anew"
        assert member.lost[0].partitions == {partition}
        member.source.commit({partition: Commit(4, "")})
        await _until(lambda: member.committed, "a commit that was on its way is answered")
        assert member.committed[0].error == "partitions_gone"
    assert cluster.committed(partition) == 0


async def test_a_topic_that_is_not_there_is_waited_for(cluster: RealCluster) -> None:
    main, later = _partition(cluster, 1), f"test-{uuid.uuid4().hex[:12]}"
    async with joined(cluster.member(main.topic, later)) as member:
        await _until(lambda: "unknown_topic_or_part" in cluster.errors, "the missing topic is reported")
        await _until(lambda: member.records, "the topic that is there is read")
        cluster.kafka.create_topic(later)
        cluster.append(Partition(later, 0), b"late")
        await _until(lambda: member.of(Partition(later, 0)), "the topic that came is read")
        assert member.failed == []


async def test_a_full_flow_is_paused_and_goes_on_when_it_has_room(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3000)
    member = cluster.member(partition.topic)
    async with joined(member, room=100):
        await _until(lambda: _is_paused(member), "it stays full and is paused")
        taken = len(member.records)
        assert taken < 100 + 500
        member.source.give_room(4000, 1 << 20)
        await _until(lambda: len(member.records) == 3000, "the rest comes")
        assert [record.offset for record in member.records] == list(range(3000))


async def test_a_partition_that_comes_during_a_pause_does_not_leave_the_others_paused(cluster: RealCluster) -> None:
    partition = _partition(cluster, 1000)
    member = cluster.member(partition.topic)
    async with joined(member, room=100):
        await _until(lambda: _is_paused(member), "it stays full and is paused")
        # Some room, and too little to go on with.
        member.source.give_room(len(member.records) - 100 + 10, 1 << 20)
        cluster.grow(partition.topic, 2)
        added = Partition(partition.topic, 1)
        cluster.append_all(added, [b"x"] * 10)
        await _until(lambda: added in member.assigned, "the new partition is assigned")
        member.source.give_room(4000, 1 << 20)
        await _until(lambda: len(member.records) == 1010, "both go on")


async def test_the_main_topics_member_is_the_first_of_a_process_in_its_group(kafka: Kafka) -> None:
    """Behind the retry topic's it would wait for that one's next heartbeat, which here comes too late."""
    for _ in range(5):
        cluster = RealCluster(kafka)
        main, retry = Partition(cluster.create(), 0), Partition(cluster.create(), 0)
        properties = {"heartbeat.interval.ms": 40_000}
        async with joined(cluster.member(main.topic, retry.topic, properties=properties)) as member:
            await eventually(partial(member.assigned.get, main), ANSWER, "the main topic's partition is assigned")


async def test_a_flow_that_stays_full_hands_over_what_another_member_is_to_have(cluster: RealCluster) -> None:
    """Who is full for long, as during a hold, is still a member: it answers to the group, or would lose its place."""
    topic = cluster.create(2)
    for number in range(2):
        cluster.append_all(Partition(topic, number), [b"x"] * 1000)
    full = cluster.member(topic)
    async with joined(full, room=100):
        await _until(lambda: _is_paused(full), "it stays full and is paused")
        taken = len(full.records)
        async with joined(cluster.member(topic)) as comes:
            await _until(lambda: full.revoking, "it is asked to hand one over")
            full.source.release(full.revoking[0].partitions, {})
            await _until(lambda: comes.assigned, "the other one has it")
            assert len(full.records) == taken


async def test_what_a_transaction_aborted_never_comes(cluster: RealCluster) -> None:
    partition = _partition(cluster)
    cluster.leave_gap(partition)
    cluster.append(partition, b"after")
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.records, "the record comes")
        assert [record.value for record in member.records] == [b"after"]


async def test_a_header_name_that_is_not_utf8_costs_the_headers_and_not_the_record(cluster: RealCluster) -> None:
    partition = _partition(cluster)
    produce_with_header_name(cluster.kafka.bootstrap_servers, partition.topic, b"\xff\xfe", b"value")
    cluster.append(partition, b"next")
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 2 or member.failed, "both records come")
        assert member.failed == []
        assert member.records[0].value == b"value"
        assert member.records[0].headers == ((UNREADABLE_HEADERS, None),)


async def test_a_last_commit_whose_map_is_refused_goes_without_it(cluster: RealCluster) -> None:
    partition = _partition(cluster, 3)
    member = cluster.member(partition.topic)
    member.start()
    await _until(lambda: len(member.records) == 3, "all records come")
    await member.source.close({partition: Commit(2, "x" * 4097)})
    await member.stop_listening()
    assert cluster.committed_with_metadata(partition) == (2, "")


async def test_a_last_commit_that_is_too_large_for_one_request_is_split(cluster: RealCluster) -> None:
    topic = cluster.create(partitions=300)
    member = cluster.member(topic)
    member.start()
    await _until(lambda: len(member.assigned) == 300, "all partitions are assigned")
    await member.source.close({Partition(topic, n): Commit(n, "x" * 4095) for n in range(300)})
    await member.stop_listening()
    for n in (0, 150, 299):
        assert cluster.committed_with_metadata(Partition(topic, n)) == (n, "x" * 4095)


async def test_a_record_keeps_the_epoch_it_was_written_under(private_kafka: KafkaBroker) -> None:
    cluster = RealCluster(private_kafka)
    partition = _partition(cluster, 2)
    private_kafka.restart()
    cluster.append_all(partition, [b"written under a new leader"])
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 3, "all records come")
        first, second, third = (record.leader_epoch for record in member.records)
        assert first == second == 0
        assert third > 0


async def test_a_kafka_that_does_not_say_which_log_it_is_assigns_all_the_same() -> None:
    with closing(MockKafka()) as mock:
        cluster = RealCluster(Kafka(mock.bootstrap_servers))
        mock.make("mocked")
        async with joined(cluster.member("mocked")) as member:
            await _until(lambda: len(member.assigned) == 4, "its four partitions are assigned")
            assert {(assigned.identity, assigned.end) for assigned in member.assigned.values()} == {(None, None)}


async def test_a_broker_that_hangs_cannot_keep_the_process(private_kafka: KafkaBroker) -> None:
    cluster = RealCluster(private_kafka)
    partition = _partition(cluster, 3)
    member, sink = cluster.member(partition.topic), cluster.sink()
    member.start()
    await _until(lambda: len(member.records) == 3, "all records come")
    private_kafka.freeze()
    copy = asyncio.create_task(sink.write(partition.topic, None, b"copy", ()))
    async with asyncio.timeout(40):
        await asyncio.gather(member.source.close({partition: Commit(3, "")}), sink.close())
    copy.cancel()
    await asyncio.gather(copy, return_exceptions=True)
    await member.stop_listening()
    private_kafka.thaw()


@pytest.mark.parametrize("refusals", [(27,), (14, 14), (27, 16)])
async def test_a_last_commit_that_is_refused_for_a_moment_is_tried_again(
    mock_cluster: MockCluster, refusals: tuple[int, ...]
) -> None:
    """A group on the move (27), a coordinator that loads (14) or has moved (16): a clean stop repeats nothing."""
    partition = Partition("stop", 0)
    mock_cluster.create_topic("stop")
    cluster = RealCluster(Kafka(mock_cluster.bootstrap_servers))
    cluster.append_all(partition, [b"x"] * 3)
    async with joined(cluster.member("stop")) as member:
        await eventually(lambda: len(member.records) == 3, 2 * PATIENCE, "all records come")
        mock_cluster.refuse(_OFFSET_COMMIT, *refusals)
        await member.source.close({partition: Commit(3, "")})
    assert cluster.committed(partition) == 3


async def test_a_sleep_that_was_asked_for_an_earlier_assignment_changes_nothing(cluster: RealCluster) -> None:
    """The partition went and came back meanwhile: paused and moved now, it would be skipped up to there for ever."""
    topic = cluster.create(2)
    for number in range(2):
        cluster.append_all(Partition(topic, number), [b"x"] * 5)
    source = cluster.member(topic)
    await source.stop_listening()
    first = source.source
    assert isinstance(first, KafkaSource)
    source.start()
    while not isinstance(happening := await first.next(), Taken):
        pass
    second = cluster.member(topic)
    async with joined(second):
        while not isinstance(happening := await first.next(), Revoking):
            pass
        (gone,) = happening.partitions
        first.release(happening.partitions, {})
        await _until(lambda: second.of(gone), "the second member reads it")
    await _until(lambda: any(isinstance(event, Assigned) for event in first._events), "it comes back")
    first.sleep(gone, 4)
    while not (isinstance(happening, Taken) and happening.records[0].partition == gone):
        happening = await asyncio.wait_for(first.next(), PATIENCE)
    assert happening.records[0].offset == 0
    await first.close({})


async def test_a_static_member_that_comes_back_moves_no_partition(cluster: RealCluster) -> None:
    topic = cluster.create(partitions=2)
    names = [{"group.instance.id": f"{cluster.group}-{number}"} for number in range(2)]
    async with joined(cluster.member(topic, properties=names[0])) as stays:
        await _until(lambda: len(stays.assigned) == 2, "the first member has all")
        async with joined(cluster.member(topic, properties=names[1])) as goes:
            await _until(lambda: stays.revoking, "one is asked back")
            stays.source.release(stays.revoking[-1].partitions, {})
            await _until(lambda: goes.assigned, "the second member has its share")
            before = dict(goes.assigned)
        asked_back = len(stays.revoking)
        async with joined(cluster.member(topic, properties=names[1])) as back:
            await _until(lambda: back.assigned, "the second member is back")
            assert back.assigned.keys() == before.keys()
            assert len(stays.revoking) == asked_back


async def test_of_two_processes_of_one_name_the_older_one_ends(cluster: RealCluster) -> None:
    topic = cluster.create()
    name = {"group.instance.id": cluster.group}
    async with joined(cluster.member(topic, properties=name)) as older:
        await _until(lambda: older.assigned, "the partition is assigned")
        async with joined(cluster.member(topic, properties=name)) as newer:
            await _until(lambda: newer.assigned, "the newer one has it")
            await _until(lambda: older.failed, "the older one ends")
            assert older.failed[0].code == "fatal"
