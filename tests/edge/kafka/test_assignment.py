"""How the partitions of both topics lie over the processes of a group: on Kafka in memory and on Kafka itself."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Literal

import pytest
from confluent_kafka import Consumer

from connector.core.record import Partition
from connector.core.signals import Assigned, Commit, Committed, Failed, Lost, Revoking, Taken
from connector.edge.kafka.memberships import memberships, static_names
from connector.edge.kafka.source import KafkaSource
from connector.engine.ports import Source
from tests.support.clusters import Cluster, Member, MemoryCluster, RealCluster
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka

PATIENCE = 60.0
SHAPES = ((4, 4), (12, 1))
"""Partitions of the main and of the retry topic."""

REAL = [pytest.param(name, marks=pytest.mark.kafka) for name in ("classic", "eager", "consumer")]


class Process:
    """A source whose flow lets go at once, and commits nothing."""

    def __init__(self, source: Source, room: int = 10_000) -> None:
        self.source = source
        self.holds: set[Partition] = set()
        self.went: set[Partition] = set()
        self.taken: dict[str, int] = {}
        self.committed: list[Committed] = []
        self.failed: list[Failed] = []
        self.may_let_go = asyncio.Event()
        self.may_let_go.set()
        source.start()
        source.give_room(room, 1 << 24)
        self._listening = asyncio.create_task(self._listen())

    def of(self, topic: str) -> int:
        """How many of a topic's partitions it has."""
        return sum(partition.topic == topic for partition in self.holds)

    async def leave(self) -> None:
        """Stop well."""
        await self.source.close({})
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            match await self.source.next():
                case Assigned(partition):
                    self.holds.add(partition)
                case Revoking(partitions):
                    self.holds -= partitions
                    self.went |= partitions
                    await self.may_let_go.wait()
                    self.source.release(partitions, {})
                case Lost(partitions):
                    self.holds -= partitions
                case Taken(records):
                    for record in records:
                        self.taken[record.partition.topic] = self.taken.get(record.partition.topic, 0) + 1
                case Committed() as committed:
                    self.committed.append(committed)
                case Failed() as failed:
                    self.failed.append(failed)


class Deployment:
    """Processes of one group that read the same two topics."""

    def __init__(self, cluster: Cluster, main: int, retry: int) -> None:
        self.cluster = cluster
        self.topics = {cluster.create(main): main, cluster.create(retry): retry}
        self.processes: list[Process] = []

    async def join(self, count: int = 1, **given: Any) -> None:
        """So many more, at once; `given` to `RealCluster.member`."""
        for member in [self.cluster.member(*self.topics, **given) for _ in range(count)]:
            self.processes.append(Process(await _unheard(member)))

    async def leave(self) -> None:
        """The oldest one."""
        await self.processes.pop(0).leave()

    async def is_spread(self) -> None:
        """Wait until each topic lies whole and even over the processes."""
        await eventually(self._is_spread, PATIENCE, "each topic is spread evenly")

    def _is_spread(self) -> bool:
        for topic, partitions in self.topics.items():
            have = [process.of(topic) for process in self.processes]
            if sum(have) != partitions or max(have) - min(have) > 1:
                return False
        return True


async def _unheard(member: Member) -> Source:
    """A member's source, with nobody else listening."""
    await member.stop_listening()
    return member.source


@pytest.fixture(params=["memory", *REAL])
async def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A Kafka with a group of the test's own."""
    if request.param == "memory":
        return MemoryCluster()
    return RealCluster(request.getfixturevalue("kafka"), request.param)


@pytest.fixture
async def leaving() -> AsyncIterator[AsyncExitStack]:
    """What is to be closed whatever happens."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize("protocol", REAL)
async def test_who_gets_no_partition_has_joined_all_the_same(
    kafka: Kafka, leaving: AsyncExitStack, protocol: Literal["classic", "eager", "consumer"]
) -> None:
    """With KIP-848 the client calls nothing then, and a process that never says so is never ready."""
    deployment = Deployment(RealCluster(kafka, protocol), 1, 1)
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    await deployment.join(3)
    await eventually(lambda: _have_joined(deployment.processes), PATIENCE, "all three have joined")


@pytest.mark.parametrize("protocol", REAL)
async def test_who_had_no_partition_is_counted_no_more_once_it_has_left(
    kafka: Kafka, leaving: AsyncExitStack, protocol: Literal["classic", "eager", "consumer"]
) -> None:
    """Or no rebalance would end until its session does, and what anybody leaves behind would be read by nobody."""
    cluster = RealCluster(kafka, protocol)
    deployment = Deployment(cluster, 1, 1)
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    await deployment.join()
    await deployment.is_spread()
    await deployment.join()
    await eventually(lambda: _have_joined(deployment.processes), PATIENCE, "the second one has joined")
    await deployment.is_spread()
    deployment.processes.reverse()
    await deployment.leave()
    assert len(cluster.members()) == (1 if protocol == "eager" else 2)


@pytest.mark.kafka
async def test_who_has_no_partition_also_leaves_while_another_one_drains(
    kafka: Kafka, leaving: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """The group answers nobody until the drain is over, and the client puts its goodbye off till then."""
    caplog.set_level(logging.DEBUG, "librdkafka")
    cluster = RealCluster(kafka)
    deployment = Deployment(cluster, 2, 1)
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    await deployment.join(drain=PATIENCE)
    await deployment.is_spread()
    (drains,) = deployment.processes
    drains.may_let_go.clear()
    await deployment.join(properties={"debug": "cgrp"})
    await eventually(lambda: drains.went, PATIENCE, "the first one is asked for a partition")
    idle = deployment.processes.pop()
    await deployment.join()
    await eventually(lambda: _states(caplog) == ["wait-join"] * 2, PATIENCE, "both members of the second one join anew")
    leaves = asyncio.create_task(idle.leave())
    await eventually(lambda: "postponing subscribe" in caplog.text, PATIENCE, "its goodbye is put off")
    drains.may_let_go.set()
    await leaves
    await deployment.is_spread()
    await eventually(lambda: len(cluster.members()) == 4, PATIENCE, "nobody else is counted")


@pytest.mark.parametrize(("main", "retry"), SHAPES)
async def test_each_topic_is_spread_over_the_processes_whoever_comes_and_goes(
    cluster: Cluster, leaving: AsyncExitStack, main: int, retry: int
) -> None:
    """With a difference of one at most: 1, 2, 3, 5 processes, then each replaced by another, then two."""
    deployment = Deployment(cluster, main, retry)
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    for more in (1, 1, 1, 2):
        await deployment.join(more)
        await deployment.is_spread()
    for _ in range(2):
        await deployment.leave()
    await deployment.is_spread()
    for _ in range(2):
        await deployment.leave()
        await deployment.join()
        await deployment.is_spread()
    await deployment.leave()
    await deployment.is_spread()


@pytest.mark.parametrize("protocol", [REAL[0], REAL[2]])
async def test_only_what_moves_is_let_go(kafka: Kafka, leaving: AsyncExitStack, protocol: str) -> None:
    """Nobody stops the world when a process comes: the first keeps half of each topic all the time."""
    deployment = Deployment(RealCluster(kafka, protocol), 4, 4)  # type: ignore[arg-type]  # a parameter
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    await deployment.join()
    await deployment.is_spread()
    await deployment.join()
    await deployment.is_spread()
    assert len(deployment.processes[0].went) == 4
    assert not deployment.processes[1].went


@pytest.mark.parametrize("protocol", [REAL[0], REAL[2]])
async def test_beside_members_of_an_earlier_version_each_partition_has_one_reader(
    kafka: Kafka, leaving: AsyncExitStack, protocol: Literal["classic", "eager", "consumer"]
) -> None:
    """Those subscribe to both topics: while they are replaced one by one, all is read, and spread in the end."""
    cluster = RealCluster(kafka, protocol)
    deployment = Deployment(cluster, 4, 4)
    leaving.push_async_callback(lambda: asyncio.gather(*(each.leave() for each in deployment.processes)))
    old = [_earlier(cluster, list(deployment.topics)) for _ in range(2)]
    asking = asyncio.create_task(_poll(old))
    try:
        await eventually(lambda: sum(len(each.assignment()) for each in old) == 8, PATIENCE, "the old ones have all")
        while old:
            await deployment.join()
            await eventually(lambda: sum(len(each.holds) for each in deployment.processes), PATIENCE, "it has some")
            goes = old.pop()
            await asyncio.to_thread(goes.close)
            await eventually(
                lambda: (
                    sum(len(each.holds) for each in deployment.processes) + sum(len(each.assignment()) for each in old)
                    == 8
                ),
                PATIENCE,
                "all is read, once",
            )
    finally:
        asking.cancel()
        for each in old:
            await asyncio.to_thread(each.close)
    await deployment.is_spread()
    assert not any(process.failed for process in deployment.processes)


def _states(caplog: pytest.LogCaptureFixture) -> list[str]:
    """How far each client that says so (`debug: cgrp`) is with joining its group."""
    last = dict(re.findall(r"CGRPJOINSTATE \[(rdkafka#consumer-\d+)\].* -> (\S+) ", caplog.text))
    return list(last.values())


def _have_joined(processes: list[Process]) -> bool:
    return all(isinstance(each.source, KafkaSource) and each.source.joined for each in processes)


def _has_taken(process: Process, count: int) -> bool:
    return sum(process.taken.values()) >= count


def _earlier(cluster: RealCluster, topics: list[str]) -> Consumer:
    consumer = Consumer(cluster._member_properties())
    consumer.subscribe(topics)
    return consumer


async def _poll(consumers: list[Consumer]) -> None:
    while True:
        for consumer in list(consumers):
            consumer.poll(0)
        await asyncio.sleep(0.02)


async def test_one_commit_of_both_topics_is_answered_once(cluster: Cluster, leaving: AsyncExitStack) -> None:
    deployment = Deployment(cluster, 1, 1)
    await deployment.join()
    (process,) = deployment.processes
    leaving.push_async_callback(process.leave)
    await deployment.is_spread()
    for offset in (1, 2):
        process.source.commit({partition: Commit(offset, "") for partition in process.holds})
        await eventually(lambda: process.committed, PATIENCE, "it is answered")
        assert process.committed.pop() == Committed(dict.fromkeys(process.holds, offset), None)
    process.source.commit(
        {Partition(topic, 0): Commit(3, "x" * (4097 * n)) for n, topic in enumerate(deployment.topics)}
    )
    await eventually(lambda: process.committed, PATIENCE, "it is answered")
    assert [each.error for each in process.committed] == ["offset_metadata_too_large"]


@pytest.mark.kafka
async def test_the_credit_is_that_of_both_topics_and_neither_keeps_the_other_out(
    kafka: Kafka, leaving: AsyncExitStack
) -> None:
    """Each member's last batch may overdraw it, and no more."""
    cluster = RealCluster(kafka)
    main, retry = cluster.create(), cluster.create()
    for topic in (main, retry):
        cluster.append_all(Partition(topic, 0), [b"x"] * 5000)
    process = Process(await _unheard(cluster.member(main, retry)), room=100)
    leaving.push_async_callback(process.leave)
    await eventually(lambda: sum(process.taken.values()) >= 100, PATIENCE, "the room is used")
    given = 100
    for _ in range(200):
        if len(process.taken) == 2:
            break
        given += 100
        process.source.give_room(100, 1 << 20)
        await eventually(partial(_has_taken, process, given), PATIENCE, "the room is used")
        assert sum(process.taken.values()) < given + 2 * 500
    assert len(process.taken) == 2


def test_the_member_of_the_main_topic_keeps_the_static_name_and_the_others_add_their_topic() -> None:
    named = {"group.instance.id": "pod-0"}
    assert static_names(named, "events", ["retry-b", "retry-a"]) == ["pod-0", "pod-0.retry-a", "pod-0.retry-b"]
    assert static_names({}, "events", ["retry"]) == []


def test_the_member_of_the_main_topic_alone_tells_statistics() -> None:
    """Of the brokers each would tell the same, in a megabyte of text where there are 1,000 partitions."""
    members = memberships({}, "events", ["retry"])
    assert [member.properties.get("statistics.interval.ms") for member in members] == [15_000, None]


@pytest.mark.parametrize("strategy", ["range", "roundrobin"])
def test_an_eager_process_is_one_member(strategy: str) -> None:
    """Its assignors share each topic alone anyway, and each member more would be a rebalance that stops everybody."""
    (member,) = memberships({"partition.assignment.strategy": strategy}, "events", ["retry"])
    assert member.topics == ("events", "retry")
