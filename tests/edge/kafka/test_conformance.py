"""One suite for Source and Sink, run on Kafka in memory and on Kafka itself with each group protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from random import Random

import pytest

from connector.core.record import Partition, Record
from connector.core.settled_map import BOUND, Run, decode, encode
from connector.core.signals import Commit, WriteFailed
from tests.support.clusters import SIZE, Cluster, Member, MemoryCluster, RealCluster, joined
from tests.support.deadline import eventually

PATIENCE = 60.0

INCOMPRESSIBLE = Random(1).randbytes(2000)
"""A topic's limit counts compressed bytes."""
"""Seconds until a test gives up; nothing here takes that long."""

BATCH = 500
"""Records that may come beyond the room that was given: one batch of the client."""

REAL = [pytest.param(name, marks=pytest.mark.kafka) for name in ("classic", "eager", "consumer")]


FOR_SINKS = pytest.mark.parametrize("cluster", ["memory", REAL[0]], indirect=True)
"""A producer knows nothing of the group's protocol."""


@pytest.fixture(params=["memory", *REAL])
async def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A Kafka with a group of the test's own."""
    if request.param == "memory":
        return MemoryCluster()
    return RealCluster(request.getfixturevalue("kafka"), request.param)


def _values(records: list[Record]) -> list[bytes | None]:
    return [record.value for record in records]


def _fill(cluster: Cluster, partition: Partition, count: int) -> None:
    if isinstance(cluster, RealCluster):
        cluster.append_all(partition, [b"%d" % n for n in range(count)])
        return
    for n in range(count):
        cluster.append(partition, b"%d" % n)


async def _until(predicate: Callable[[], object], why: str) -> None:
    await eventually(predicate, PATIENCE, why)


async def _one_that_went(asked: Collection[Partition], to: Member) -> Partition:
    """An eager group asks for everything back, and gives some of it to whom it was asked of."""
    went = await eventually(lambda: [each for each in asked if each in to.assigned], PATIENCE, "one goes elsewhere")
    return went[0]


async def _commit(member: Member, partition: Partition, offset: int, metadata: str = "") -> None:
    answers = len(member.committed)
    member.source.commit({partition: Commit(offset, metadata)})
    await _until(lambda: len(member.committed) > answers, "a commit is answered")


async def test_a_partition_without_a_commit_is_read_from_its_beginning(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 3)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 3, "all records come")
        assert member.assigned[partition][1:3] == (0, "")
        assert [record.offset for record in member.records] == [0, 1, 2]


async def test_a_member_learns_how_many_partitions_all_members_share(cluster: Cluster) -> None:
    """Whoever has which: each takes its part of the deployment's rate by it."""
    topics = (cluster.create(3), cluster.create(2))
    async with joined(cluster.member(*topics)) as first, joined(cluster.member(*topics)) as second:
        # A topic that was made just now may be seen at the next look only.
        await _until(lambda: first.counted == second.counted == dict(zip(topics, (3, 2), strict=True)), "both are told")


async def test_a_member_goes_on_at_the_committed_offset_and_gets_its_metadata_back(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 5)
    async with joined(cluster.member(partition.topic)) as first:
        await _until(lambda: len(first.records) == 5, "all records come")
        await _commit(first, partition, 3, "what was settled: \u00e9\u4e2d")
    async with joined(cluster.member(partition.topic)) as second:
        await _until(lambda: len(second.records) == 2, "the rest comes")
        assert second.assigned[partition][1:3] == (3, "what was settled: \u00e9\u4e2d")
        assert _values(second.records) == [b"3", b"4"]


async def test_a_gap_at_the_end_of_a_log_is_told_once_it_is_read(cluster: Cluster) -> None:
    """Also where nothing but the gap was ever written, and again after the partition was moved."""
    topic = cluster.create(2)
    some, none = Partition(topic, 0), Partition(topic, 1)
    _fill(cluster, some, 2)
    for partition in (some, none):
        cluster.leave_gap(partition)
    async with joined(cluster.member(topic)) as member:
        await _until(lambda: len(member.gaps) == 2, "both gaps are told")
        firsts = {gap.partition: gap.first for gap in member.gaps}
        assert firsts == {some: 2, none: 0}
        (end,) = (gap.end for gap in member.gaps if gap.partition == some)
        member.source.sleep(some, 1)
        await _until(lambda: member.asleep, "it sleeps")
        member.source.wake(some)
        await _until(lambda: len(member.gaps) == 3, "the gap is told again")
        assert member.gaps[2] == (some, 2, end)
        cluster.append(some, b"next")
        await _until(lambda: len(member.records) == 4, "the next record comes")
        assert member.records[-1].offset == end


async def test_a_log_without_gaps_is_told_to_have_none(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 3)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 3, "all records come")
        cluster.append(partition, b"next")
        await _until(lambda: len(member.records) == 4, "the next record comes")
        assert member.gaps == []


async def test_a_record_arrives_as_it_was_written(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    headers = (("a", b"\x00\xff"), ("a", b""), ("b", None), ("\u00e9", "\u00e9".encode()))
    cluster.append(partition, b"\x00value\xff", b"\x00key\xff", headers, 1_600_000_000_123)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.records, "the record comes")
        assert member.records == [
            Record(partition, 0, 1_600_000_000_123, b"\x00key\xff", b"\x00value\xff", headers, leader_epoch=0),
        ]


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (b"key", None), (None, b"value")])
async def test_no_key_or_value_is_not_an_empty_one(cluster: Cluster, key: bytes | None, value: bytes | None) -> None:
    partition = Partition(cluster.create(), 0)
    cluster.append(partition, value, key)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.records, "the record comes")
        assert (member.records[0].key, member.records[0].value) == (key, value)
        assert member.records[0].headers == ()


async def test_records_of_a_partition_come_in_the_order_of_their_offsets(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    for number in range(2):
        _fill(cluster, Partition(topic, number), 800)
    async with joined(cluster.member(topic)) as member:
        await _until(lambda: len(member.records) == 1600, "all records come")
        for number in range(2):
            assert [record.offset for record in member.of(Partition(topic, number))] == list(range(800))


async def test_offsets_may_have_gaps(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    cluster.append(partition, b"before")
    cluster.leave_gap(partition)
    cluster.append(partition, b"after")
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 2, "both records come")
        assert _values(member.records) == [b"before", b"after"]
        assert member.records[1].offset > 1


async def test_no_more_than_the_room_and_one_batch_is_taken(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 1500)
    async with joined(cluster.member(partition.topic), room=100) as member:
        await _until(lambda: len(member.records) >= 100, "the room is used")
        # Answered in order: whatever was taken before the commit has arrived with its answer.
        await _commit(member, partition, 1)
        # Until then a full member takes a record a turn, since only a poll brings the answer.
        assert len(member.records) < 100 + 2 * BATCH
        assert max(member.batches) <= BATCH


async def test_room_in_bytes_binds_too(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 1500)
    async with joined(cluster.member(partition.topic), size=10) as member:
        await _until(lambda: len(member.records) >= 10, "the room is used")
        await _commit(member, partition, 1)
        assert len(member.records) < 2 * BATCH


async def test_new_room_brings_the_rest_without_a_gap(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 1500)
    async with joined(cluster.member(partition.topic), room=100) as member:
        await _until(lambda: len(member.records) >= 100, "the room is used")
        member.source.give_room(2000, SIZE)
        await _until(lambda: len(member.records) == 1500, "the rest comes")
        assert [record.offset for record in member.records] == list(range(1500))


async def test_a_commit_is_answered_with_its_offsets(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    async with joined(cluster.member(topic)) as member:
        await _until(lambda: len(member.assigned) == 2, "both partitions are assigned")
        member.source.commit({Partition(topic, n): Commit(n + 7, "") for n in range(2)})
        await _until(lambda: member.committed, "the commit is answered")
        assert member.committed == [({Partition(topic, 0): 7, Partition(topic, 1): 8}, None)]


async def test_nothing_comes_of_a_partition_that_sleeps(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    sleeping, awake = Partition(topic, 0), Partition(topic, 1)
    _fill(cluster, sleeping, 3)
    async with joined(cluster.member(topic)) as member:
        await _until(lambda: len(member.records) == 3, "all records come")
        member.source.sleep(sleeping, 1)
        await _until(lambda: member.asleep == [sleeping], "the partition falls asleep")
        _fill(cluster, sleeping, 3)
        _fill(cluster, awake, 3)
        await _until(lambda: len(member.of(awake)) == 3, "the other partition goes on")
        assert len(member.of(sleeping)) == 3


async def test_a_partition_wakes_at_the_offset_it_was_put_to_sleep_with(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 4)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: len(member.records) == 4, "all records come")
        member.source.sleep(partition, 2)
        await _until(lambda: member.asleep, "the partition falls asleep")
        member.source.wake(partition)
        await _until(lambda: len(member.records) == 6, "the rest comes again")
        assert [record.offset for record in member.records] == [0, 1, 2, 3, 2, 3]


async def test_an_assignment_says_which_log_it_is_and_where_it_ends(cluster: Cluster) -> None:
    topic, other = cluster.create(partitions=2), cluster.create()
    _fill(cluster, Partition(topic, 0), 3)
    async with joined(cluster.member(topic, other)) as member:
        await _until(lambda: len(member.assigned) == 3, "all partitions are assigned")
        first, second = (member.assigned[Partition(topic, n)] for n in range(2))
        third = member.assigned[Partition(other, 0)]
        assert (first.end, second.end, third.end) == (3, 0, 0)
        assert first.identity is not None
        assert third.identity is not None
        assert first.identity == second.identity
        assert first.identity.cluster_id == third.identity.cluster_id
        assert first.identity.topic_id != third.identity.topic_id


async def test_a_topic_that_was_created_anew_is_another_log(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.assigned, "the partition is assigned")
        before = member.assigned[partition].identity
    cluster.create_anew(partition.topic)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.assigned, "the partition is assigned")
        after = member.assigned[partition].identity
    assert before is not None
    assert after is not None
    assert before.topic_id != after.topic_id


async def test_the_longest_map_comes_back_as_it_was_written(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 1)
    async with joined(cluster.member(partition.topic)) as first:
        await _until(lambda: first.assigned, "the partition is assigned")
        identity = first.assigned[partition].identity
        runs = [Run(offset, offset, 0) for offset in range(1, 3_000_000, 500)]
        text, inside = encode(0, runs, identity)
        assert inside < len(runs)
        assert len(text) > BOUND - 5
        await _commit(first, partition, 0, text)
        assert first.committed[-1].error is None
    async with joined(cluster.member(partition.topic)) as second:
        await _until(lambda: second.assigned, "the partition is assigned")
        assigned = second.assigned[partition]
        assert decode(assigned.metadata, assigned.position, assigned.identity, 3_000_000) == tuple(runs[:inside])


async def test_metadata_that_is_too_long_is_refused_by_name(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    async with joined(cluster.member(partition.topic)) as member:
        await _until(lambda: member.assigned, "the partition is assigned")
        await _commit(member, partition, 0, "x" * 4097)
        assert member.committed[-1].error == "offset_metadata_too_large"
        await _commit(member, partition, 0, "x" * BOUND)
        assert member.committed[-1].error is None


async def test_what_is_released_with_a_commit_goes_on_elsewhere_from_there(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    for number in range(2):
        _fill(cluster, Partition(topic, number), 4)
    async with joined(cluster.member(topic)) as first:
        await _until(lambda: len(first.records) == 8, "all records come")
        async with joined(cluster.member(topic)) as second:
            await _until(lambda: first.revoking, "a partition is asked back")
            asked = first.revoking[0].partitions
            assert first.revoking[0].budget > 0
            assert not second.assigned
            first.source.release(asked, {partition: Commit(2, "map") for partition in asked})
            partition = await _one_that_went(asked, second)
            await _until(lambda: len(second.of(partition)) == 2, "the rest comes to the other member")
            assert second.assigned[partition][1:3] == (2, "map")


async def test_what_is_released_without_a_commit_starts_elsewhere_where_it_was(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    for number in range(2):
        _fill(cluster, Partition(topic, number), 4)
    async with joined(cluster.member(topic)) as first:
        await _until(lambda: len(first.records) == 8, "all records come")
        async with joined(cluster.member(topic)) as second:
            await _until(lambda: first.revoking, "a partition is asked back")
            asked = first.revoking[0].partitions
            first.source.release(asked, {})
            partition = await _one_that_went(asked, second)
            await _until(lambda: len(second.of(partition)) == 4, "all comes to the other member")


async def test_a_partition_that_comes_back_is_awake(cluster: Cluster) -> None:
    topic = cluster.create(partitions=2)
    async with joined(cluster.member(topic)) as first:
        await _until(lambda: len(first.assigned) == 2, "both partitions are assigned")
        for number in range(2):
            first.source.sleep(Partition(topic, number), 0)
        await _until(lambda: len(first.asleep) == 2, "both sleep")
        async with joined(cluster.member(topic)) as second:
            await _until(lambda: first.revoking, "a partition is asked back")
            asked = first.revoking[0].partitions
            first.assigned.clear()
            first.source.release(asked, {})
            partition = await _one_that_went(asked, second)
        await _until(lambda: partition in first.assigned, "it comes back")
        _fill(cluster, partition, 3)
        await _until(lambda: len(first.of(partition)) == 3, "it is read")


async def test_closing_commits(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    _fill(cluster, partition, 3)
    first = cluster.member(partition.topic)
    first.start()
    await _until(lambda: len(first.records) == 3, "all records come")
    await first.source.close({partition: Commit(2, "last")})
    await first.stop_listening()
    async with joined(cluster.member(partition.topic)) as second:
        await _until(lambda: second.records, "the rest comes")
        assert second.assigned[partition][1:3] == (2, "last")


@FOR_SINKS
async def test_a_write_is_acknowledged_and_kept_byte_for_byte(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    headers = (("a", b"\x00\xff"), ("a", b""), ("b", None), ("\u00e9", "\u00e9".encode()))
    sink = cluster.sink()
    assert await sink.write(partition.topic, b"\x00key\xff", b"\x00value\xff", headers) is None
    await sink.close()
    (record,) = cluster.read(partition, 1)
    assert (record.key, record.value, record.headers) == (b"\x00key\xff", b"\x00value\xff", headers)


@FOR_SINKS
async def test_a_tombstone_can_be_written(cluster: Cluster) -> None:
    partition = Partition(cluster.create(), 0)
    sink = cluster.sink()
    assert await sink.write(partition.topic, None, None, ()) is None
    await sink.close()
    (record,) = cluster.read(partition, 1)
    assert (record.key, record.value, record.headers) == (None, None, ())


@FOR_SINKS
async def test_writes_side_by_side_are_each_acknowledged(cluster: Cluster) -> None:
    topic = cluster.create()
    sink = cluster.sink()
    assert await asyncio.gather(*(sink.write(topic, None, b"%d" % n, ()) for n in range(200))) == [None] * 200
    await sink.close()
    assert sorted(_values(cluster.read(Partition(topic, 0), 200)), key=lambda v: int(v or 0)) == [
        b"%d" % n for n in range(200)
    ]


@FOR_SINKS
async def test_a_record_too_large_for_its_topic_is_refused_as_such(cluster: Cluster) -> None:
    sink = cluster.sink()
    failed = await sink.write(cluster.create(max_bytes=1000), b"key", INCOMPRESSIBLE, ())
    await sink.close()
    assert failed == WriteFailed("msg_size_too_large", too_large=True)


@FOR_SINKS
async def test_headers_count_towards_the_size(cluster: Cluster) -> None:
    topic = cluster.create(max_bytes=1000)
    sink = cluster.sink()
    failed = await sink.write(topic, b"key", b"value", (("name", INCOMPRESSIBLE),))
    without = await sink.write(topic, b"key", b"value", ())
    await sink.close()
    assert failed is not None
    assert failed.too_large
    assert without is None


@FOR_SINKS
async def test_a_topic_that_is_not_there_is_a_failure_with_a_name(cluster: Cluster) -> None:
    sink = cluster.sink()
    failed = await sink.write("test-not-there", None, b"value", ())
    await sink.close()
    assert failed == WriteFailed("unknown_topic_or_part", too_large=False)


@FOR_SINKS
async def test_records_of_one_key_share_a_partition(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    if isinstance(cluster, MemoryCluster):
        request.applymarker(pytest.mark.xfail(reason="memory writes to the partitions in turn", strict=True))
    topic = cluster.create(partitions=2)
    sink = cluster.sink()
    for n in range(4):
        assert await sink.write(topic, b"12015550100", b"%d" % n, ()) is None
    await sink.close()
    # murmur2("12015550100") of Java's clients, over two partitions.
    assert _values(cluster.read(Partition(topic, 0), 4)) == [b"0", b"1", b"2", b"3"]
