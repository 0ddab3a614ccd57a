"""Lag from the bounds of a log."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from connector.core.record import Partition
from connector.edge.kafka.bounds import Bounds, asking_client, look
from connector.edge.kafka.identity import Log, LogIdentities
from connector.edge.kafka.round_trips import RoundTrips
from connector.edge.kafka.transactions import OLD, Behind, OpenTransactions
from connector.edge.kafka.watermarks import Watermarks
from tests.support.clusters import RealCluster
from tests.support.deadline import eventually, wait_until
from tests.support.kafka_broker import Kafka, KafkaBroker


@pytest.mark.parametrize(
    ("bounds", "position", "lag"),
    [
        (Bounds(0, 10, 10), 4, 6),
        (Bounds(0, 10, 10), 10, 0),
        (Bounds(7, 10, 10), 0, 3),
        (Bounds(9, 9, 9), 0, 0),
        (Bounds(0, 5, 5), 9, 0),
    ],
)
def test_lag_is_what_is_still_there_to_be_read(bounds: Bounds, position: int, lag: int) -> None:
    """Retention may have deleted what lies below the start, and a commit may be newer than the last look."""
    assert bounds.lag(position) == lag


def _unheard(partition: Partition, behind: Behind, seconds: float) -> None:
    raise AssertionError(partition)


def test_lag_ends_at_an_open_transaction_and_an_old_one_is_told_once() -> None:
    """150 offsets where 100 can be read; a transaction that ends, or another one after it, begins anew."""
    partition, told = Partition("invocations", 0), list[tuple[Partition, Behind, float]]()
    transactions = OpenTransactions(lambda *old: told.append(old))
    bounds = Bounds(0, 150, 100)
    assert (bounds.lag(0), bounds.behind_transaction) == (100, 50)
    for now in (0.0, OLD - 1, OLD, OLD + 10):
        transactions.see({partition: bounds}, now)
    assert told == [(partition, Behind(100, 50, 0.0), OLD)]
    transactions.see({partition: Bounds(0, 160, 150)}, OLD + 20)
    assert transactions.behind == {partition: Behind(150, 10, OLD + 20)}
    transactions.see({partition: Bounds(0, 160, 160)}, OLD + 30)
    assert transactions.behind == {}
    assert len(told) == 1


async def test_what_an_open_transaction_keeps_back_is_no_lag_and_is_shown(kafka: Kafka, topic: str) -> None:
    """`list_offsets` answers with the log's end by default, whoever may read it."""
    servers = {"bootstrap.servers": kafka.bootstrap_servers}
    partition = Partition(topic, 0)
    plain, transactional = Producer(servers), Producer(servers | {"transactional.id": topic})
    for _ in range(10):
        plain.produce(topic, b"x")
    assert plain.flush(60) == 0
    await asyncio.to_thread(transactional.init_transactions, 20)
    transactional.begin_transaction()
    for _ in range(5):
        transactional.produce(topic, b"x")
    assert transactional.flush(60) == 0
    watermarks = Watermarks(servers, lambda: [partition], lambda error: None, _unheard)
    looking = asyncio.create_task(watermarks.run())
    await eventually(lambda: watermarks.bounds, 60, "the bounds are known")
    assert watermarks.bounds == {partition: Bounds(0, 15, 10)}
    assert watermarks.bounds[partition].lag(0) == 10
    assert watermarks.transactions.behind[partition].offsets == 5
    looking.cancel()
    await asyncio.to_thread(transactional.commit_transaction, 20)


async def test_the_round_trips_are_those_of_questions_and_of_no_fetch(kafka: Kafka, topic: str) -> None:
    """The consumer's own showed half a second of a healthy broker while its topics were idle."""
    trips, told = RoundTrips(), list[str]()
    client = asking_client(
        {"bootstrap.servers": kafka.bootstrap_servers, "statistics.interval.ms": 100, "stats_cb": told.append}
    )

    def asked() -> bool:
        look(client, [Partition(topic, 0)], 10)
        client.poll(0.2)
        for statistics in told:
            trips.told(statistics)
        return bool(trips.seconds)

    await asyncio.to_thread(wait_until, asked, 20, "a round trip was measured")
    brokers = json.loads(told[-1])["brokers"].values()
    assert {(broker["name"],) for broker in brokers if broker["nodeid"] >= 0} == trips.seconds.keys()
    assert sum(broker["req"].get("Fetch", 0) for broker in brokers) == 0


class Brokers:
    """An AdminClient of two brokers: 1 leads the even partitions, 2 the odd ones, and says nothing until all of 1's
    were told, and then that it was asked in vain."""

    def __init__(self, partitions: int) -> None:
        leaders = {number: SimpleNamespace(leader=1 + number % 2) for number in range(partitions)}
        self._topic = SimpleNamespace(error=None, partitions=leaders)
        self._left = partitions // 2 * 3
        self._silent: list[Future[Any]] = []
        self.asked: list[int] = []

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(cluster_id="c", topics={topic: self._topic})

    def list_offsets(self, specs: Any, request_timeout: float, isolation_level: Any) -> Any:
        self.asked.append(len(specs))
        answers: dict[Any, Future[Any]] = {asked: Future() for asked in specs}
        for asked, answer in answers.items():
            if asked.partition % 2:
                self._silent.append(answer)
            else:
                answer.set_result(SimpleNamespace(offset=asked.partition))
                self._left -= 1
        while self._silent and not self._left:
            self._silent.pop().set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        return answers


def test_who_leads_many_partitions_is_asked_for_some_at_a_time_and_waits_for_no_other_leader() -> None:
    """2,000 partitions were asked for at once: 6,000 futures, and a search through the answer for each of them."""
    brokers, partitions = Brokers(900), [Partition("events", number) for number in range(900)]
    told = look(cast("AdminClient", brokers), partitions, 60)
    assert told.bounds == {partition: Bounds(*[partition.number] * 3) for partition in partitions[::2]}
    assert told.unknown == dict.fromkeys(partitions[1::2], "timed_out")
    assert max(brokers.asked) <= 200


def test_who_has_no_time_left_asks_each_leader_once() -> None:
    """What could not be asked any more is unknown."""
    partitions = [Partition("events", number) for number in range(0, 900, 2)]
    told = look(cast("AdminClient", Brokers(900)), partitions, 0)
    assert 0 < len(told.bounds) < 450
    assert told.unknown == {each: "timed_out" for each in partitions if each not in told.bounds}


async def test_bounds_are_those_of_the_broker(kafka: Kafka) -> None:
    """They come without the consumer, so a pause does not freeze them."""
    cluster = RealCluster(kafka)
    partition = Partition(cluster.create(), 0)
    sink = cluster.sink()
    for _ in range(3):
        assert await sink.write(partition.topic, None, b"x", ()) is None
    await sink.close()
    errors: list[str] = []
    watermarks = Watermarks(
        {"bootstrap.servers": cluster.kafka.bootstrap_servers}, lambda: [partition], errors.append, _unheard
    )
    looking = asyncio.create_task(watermarks.run())
    await eventually(lambda: watermarks.bounds == {partition: Bounds(0, 3, 3)}, 60, "the bounds are known")
    looking.cancel()
    assert errors == []


async def test_after_a_restart_of_the_broker_the_bounds_are_known_again_within_seconds(
    private_kafka: KafkaBroker,
) -> None:
    """A restart raises the epochs of the leaders, and a question that names an old one is refused."""
    cluster = RealCluster(private_kafka)
    partition = Partition(cluster.create(), 0)
    cluster.append(partition, b"before")
    properties = {"bootstrap.servers": private_kafka.bootstrap_servers}
    watermarks, identities = (
        Watermarks(properties, lambda: [partition], lambda error: None, _unheard),
        LogIdentities(properties),
    )
    looking = asyncio.create_task(watermarks.run())
    await eventually(lambda: watermarks.bounds == {partition: Bounds(0, 1, 1)}, 60, "the bounds are known")
    identities.ask(partition.topic)
    (before,) = identities.of([partition], urgent=[partition]).values()
    await asyncio.to_thread(private_kafka.restart)
    cluster.append(partition, b"after")
    await eventually(lambda: watermarks.bounds == {partition: Bounds(0, 2, 2)}, 60, "the bounds are known again")
    looking.cancel()
    identities.ask(partition.topic)
    assert identities.of([partition], urgent=[partition]) == {partition: Log(before.identity, 0, 2)}


async def test_retention_is_that_of_the_topic_and_none_where_records_are_kept_for_ever(kafka: Kafka) -> None:
    cluster = RealCluster(kafka)
    kept, for_ever = (Partition(f"{cluster.group}-{name}", 0) for name in ("kept", "for-ever"))
    kafka.create_topic(kept.topic, retention_ms="7200000")
    kafka.create_topic(for_ever.topic, retention_ms="-1")
    watermarks = Watermarks(
        {"bootstrap.servers": kafka.bootstrap_servers}, lambda: [kept, for_ever], lambda error: None, _unheard
    )
    looking = asyncio.create_task(watermarks.run())
    await eventually(lambda: watermarks.retention, 60, "the retention is known")
    looking.cancel()
    assert watermarks.retention == {kept.topic: 7200.0}
