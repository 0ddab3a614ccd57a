"""The ledger's producer on real Kafka: what is acknowledged, what is left out, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from connector.core.envelope import Origin
from connector.core.ledger import Accepted, Entry, Fate
from connector.core.record import Partition
from connector.edge.avro.entries import Entries, decoded, hmac_of
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.ledger import KafkaLedger
from connector.edge.kafka.recall import Newest, Recalls
from connector.edge.kafka.scan import Scan
from tests.support.clusters import RealCluster
from tests.support.kafka_broker import Kafka

PATIENCE = 60.0


class Told:
    """What the ledger says."""

    def __init__(self) -> None:
        self.written = 0
        self.left_out: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.noted: list[Any] = []
        self._changed = asyncio.Event()

    def ledger_written(self, count: int) -> None:
        self.written += count
        self._changed.set()

    def ledger_failed(self, code: str, topic: str, remedy: str, count: int, *, left_out: bool) -> None:
        assert topic
        assert remedy
        counts = self.left_out if left_out else self.refused
        counts[code] = counts.get(code, 0) + count
        self._changed.set()

    def on_noted(self, noted: Sequence[Any], failed: str | None) -> None:
        if failed is None:
            self.noted += noted

    async def until(self, written: int = 0, failed: int = 0) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.written < written or sum(self.left_out.values()) + sum(self.refused.values()) < failed:
                self._changed.clear()
                await self._changed.wait()


def entry(number: int, partition: int = 0) -> Entry:
    origin = Origin(Partition("main", partition), number, 1)
    return Entry(f"e-{number}", "12025550100", "0A", Fate.ACCEPTED, "accepted", 1, False, "r", 1, 2, origin)


@pytest.fixture
def cluster(kafka: Kafka) -> RealCluster:
    return RealCluster(kafka)


def made(
    cluster: RealCluster,
    topic: str,
    told: Told,
    *,
    required: bool = True,
    group_id: str = "group",
    kind: type[KafkaLedger] = KafkaLedger,
) -> KafkaLedger:
    given = {"bootstrap.servers": cluster.kafka.bootstrap_servers}
    entries = Entries("0123456789abcdef", group_id)
    recalls = Recalls(given, topic, entries.beginning, decoded)
    ledger = kind(given, topic, entries.encode, told, recalls, required=required)
    ledger.start(told.on_noted)
    return ledger


async def test_entries_are_acknowledged_and_lie_in_the_partition_of_their_origins_number(cluster: RealCluster) -> None:
    """Of a topic that has fewer partitions than the main one, too."""
    topic, told = cluster.create(2), Told()
    ledger = made(cluster, topic, told)
    for number in range(6):
        ledger.note((entry(number, partition=number), f"waits-{number}" if number % 2 else None))
    await told.until(written=6)
    await ledger.close()
    assert sorted(told.noted) == ["waits-1", "waits-3", "waits-5"]
    for partition in range(2):
        records = cluster.read(Partition(topic, partition), 3)
        assert [record.key for record in records] == [f"e-{number}".encode() for number in range(partition, 6, 2)]
        assert all(decoded(record.value) is not None for record in records)


async def test_closing_writes_what_waits(cluster: RealCluster) -> None:
    topic, told = cluster.create(), Told()
    ledger = made(cluster, topic, told)
    for number in range(300):
        ledger.note((entry(number), None))
    await ledger.close()
    assert len(cluster.read(Partition(topic, 0), 300)) == 300


async def test_a_topic_that_is_not_there_is_told_and_one_that_is_made_later_is_used(cluster: RealCluster) -> None:
    told = Told()
    name = f"{cluster.create()}-later"
    ledger = made(cluster, name, told)
    try:
        ledger.note((entry(0), None))
        ledger.note((entry(1), "waits"))
        await told.until(failed=2)
        assert told.left_out == {"unknown_topic_or_part": 1}
        assert told.refused == {"unknown_topic_or_part": 1}
        cluster.kafka.create_topic(name)
        failures = 2
        while not told.written:  # a broker may not know of it for a moment
            ledger.note((entry(2), "again"))
            await asyncio.wait_for(_either(told, failures + 1), PATIENCE)
            failures = sum(told.left_out.values()) + sum(told.refused.values())
        assert told.noted == ["again"]
    finally:
        await ledger.close()
        cluster.kafka.delete_topic(name)


async def _either(told: Told, failed: int) -> None:
    waiting = {asyncio.create_task(told.until(written=1)), asyncio.create_task(told.until(failed=failed))}
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


async def test_an_entry_that_cannot_be_encoded_is_left_out_and_the_others_are_written(cluster: RealCluster) -> None:
    """By a bug of ours: the thread goes on."""
    told = Told()
    ledger = made(cluster, cluster.create(), told)
    ledger.note((entry(0)._replace(attempts="one"), None))  # type: ignore[arg-type]  # the bug
    ledger.note((entry(1), None))
    await told.until(written=1, failed=1)
    await ledger.close()
    assert told.left_out == {"fault": 1}


class _Faulty(KafkaLedger):
    """Has a bug once, on its thread."""

    faults = 1

    def _look(self) -> str | None:
        if self.faults:
            self.faults -= 1
            raise ValueError("a bug")
        return super()._look()


async def test_a_bug_on_the_ledgers_thread_is_told_to_what_waits_and_it_goes_on(cluster: RealCluster) -> None:
    """Else nothing would be posted any more where records wait for the ledger."""
    told = Told()
    ledger = made(cluster, cluster.create(), told, kind=_Faulty)
    ledger.note((entry(0), "waits"))
    await told.until(failed=1)
    assert told.refused == {"fault": 1}
    ledger.note((entry(0), "waits again"))
    await told.until(written=1)
    await ledger.close()
    assert told.noted == ["waits again"]


async def test_no_broker_keeps_a_stop_and_what_waits_meanwhile_is_bounded() -> None:
    """What is left is left out."""
    told = Told()
    given, entries = {"bootstrap.servers": "127.0.0.1:1"}, Entries("0123456789abcdef", "group")
    recalls = Recalls(given, "t", entries.beginning, decoded)
    ledger = KafkaLedger(given, "t", entries.encode, told, recalls, required=False)
    for _ in range(20_003):
        ledger.note((entry(0), None))
    ledger.start(told.on_noted)
    await ledger.close()
    await told.until(failed=20_003)
    assert told.left_out["queue_full"] == 3


async def test_what_was_accepted_of_partitions_since_a_time_is_read_back(cluster: RealCluster) -> None:
    """Several at once, each its own, and nothing but what was accepted, nor of another group."""
    topic, told = cluster.create(2), Told()
    ledger, stranger = made(cluster, topic, told), made(cluster, topic, told, group_id="stranger")
    stranger.note((entry(7, partition=0), None))
    for number in range(4):
        ledger.note((entry(number, partition=number), None))
    ledger.note((entry(8)._replace(fate=Fate.RETRY), None))
    ledger.note((entry(9)._replace(event_id=None), None))
    ledger.note((entry(10)._replace(service_id=None), None))
    await told.until(written=8)
    partitions = [Partition("main", number) for number in range(5)]
    found = await asyncio.gather(*(ledger.recall(partition, 0) for partition in partitions))
    hmac = hmac_of("0123456789abcdef", "12025550100")
    assert found == [[Accepted(2, f"e-{number}", "0A", hmac)] for number in range(4)] + [[]]
    assert await ledger.recall(partitions[0], 1 << 42) == []
    await ledger.close()
    await stranger.close()


def test_of_all_that_is_recalled_the_newest_are_kept() -> None:
    """In one bound for all partitions together, or a process with many of them would have no memory left."""
    entries = Entries("0123456789abcdef", "group")
    newest = Newest(4, decoded)
    for number in range(6):
        partition, written_ms = Partition("main", number % 2), number % 5
        value = entries.encode(entry(number)._replace(settled_ms=written_ms))
        newest.take(partition, written_ms, value)
    found = newest.by_partition()
    kept = {partition.number: sorted(each.accepted_ms for each in found[partition]) for partition in found}
    assert kept == {0: [2, 4], 1: [1, 3]}


async def test_a_ledger_that_is_not_there_has_nothing_to_recall_and_says_why(cluster: RealCluster) -> None:
    properties = {"bootstrap.servers": cluster.kafka.bootstrap_servers}
    recalls = Recalls(properties, f"{cluster.create()}-none", Entries("0123456789abcdef", "group").beginning, decoded)
    assert await recalls.of(Partition("main", 0), 0) == "unknown_topic_or_part"


async def test_a_partition_whose_beginning_cannot_be_told_is_no_empty_one(cluster: RealCluster) -> None:
    """It would be passed over, and repeats of what it tells of be posted."""
    topic = cluster.create()
    gone = Partition(topic, 9)
    with Scan({"bootstrap.servers": cluster.kafka.bootstrap_servers}, topic) as scan:
        scan.bounds[gone], scan.starts[gone] = Bounds(0, 5, 5), 0
        with pytest.raises(AdminError, match="unknown_partition"):
            scan.since(0)
