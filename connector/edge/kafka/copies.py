"""Copies of records into another topic, and how far it has come, in one transaction where the brokers take those."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from connector.core.record import Headers, Partition
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.tokens import keep, let_go

PROMISED: Mapping[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 5,
    "message.max.bytes": 1_000_000_000,
    "compression.codec": "zstd",
    "message.timeout.ms": 20_000,
}
_TRANSACTION_MS = 30_000
"""After that long the brokers give up what a killed process left open; its successor does so at once."""
_ANSWER = 30.0
_FULL_WAIT = 0.1
NOT_TAKEN = frozenset(
    {
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._UNSUPPORTED_FEATURE,
    }
)
FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
_PASSES = frozenset({KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE})
_MOMENT = 0.1


class Copy(NamedTuple):
    """A record to write. `partition` None: by its key, as producers do; `timestamp_ms` None: now."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None = None


class KafkaCopies:
    """Writes batches. A context manager. Calls block, and raise AdminError.

    `without_transactions` says why the brokers take none, or is None when they do: then a batch and its positions are
    there as a whole or not at all, whatever becomes of this process; without, a batch may be written twice when the
    process dies within it.
    """

    def __init__(self, properties: Mapping[str, Any], group_id: str) -> None:
        """`properties` are the producers'. Ends what another process of this `group_id` has open: it can write no more,
        and says so."""
        self._properties = dict(properties)
        self._failed: KafkaError | None = None
        self.without_transactions: str | None = None
        reading = {"group.id": group_id, "enable.auto.commit": False}
        own = {name: value for name, value in properties.items() if name != "partitioner"}
        try:
            self._consumer = Consumer({**own, **reading}, logger=logging.getLogger("librdkafka.admin"))
            self._producer = self._begun(group_id)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def _begun(self, group_id: str) -> Producer:
        transactional = {"transactional.id": group_id, "transaction.timeout.ms": _TRANSACTION_MS}
        producer = self._new({**PROMISED, **transactional})
        try:
            producer.init_transactions(_ANSWER)
        except KafkaException as raised:
            error = raised.args[0]
            if error.code() not in NOT_TAKEN:
                raise
            self.without_transactions = name_of(error)
            return self._new(PROMISED)
        return producer

    def _new(self, promised: Mapping[str, Any]) -> Producer:
        producer = Producer({**self._properties, **promised}, logger=logging.getLogger("librdkafka.admin"))
        keep(producer, self._properties)
        return producer

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The positions of before; none for a partition without."""
        asked = [TopicPartition(each.topic, each.number) for each in partitions]
        deadline = time.monotonic() + _ANSWER
        while True:
            try:
                found = self._consumer.committed(asked, timeout=_ANSWER)
                break
            except KafkaException as raised:
                if raised.args[0].code() not in _PASSES or time.monotonic() > deadline:
                    raise AdminError.of(raised.args[0]) from None
            time.sleep(_MOMENT)
        return {Partition(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def write(self, copies: Iterable[Copy], positions: Mapping[Partition, int]) -> None:
        """Write a batch, and the positions after it."""
        places = [TopicPartition(each.topic, each.number, offset) for each, offset in positions.items()]
        if self.without_transactions is None:
            self._in_transaction(copies, places)
        else:
            self._one_after_the_other(copies, places)

    def _in_transaction(self, copies: Iterable[Copy], places: list[TopicPartition]) -> None:
        producer = self._producer
        try:
            producer.begin_transaction()
            self._produce(copies)
            if places:
                producer.send_offsets_to_transaction(places, self._consumer.consumer_group_metadata(), _ANSWER)
            producer.commit_transaction(_ANSWER)
        except KafkaException as raised:
            error = self._failed or raised.args[0]
            if raised.args[0].txn_requires_abort():
                with suppress(KafkaException):
                    producer.abort_transaction(_ANSWER)
            if raised.args[0].code() in FENCED:
                raise AdminError("fenced", "another redrive of the same group began meanwhile") from None
            raise AdminError.of(error) from None

    def _one_after_the_other(self, copies: Iterable[Copy], places: list[TopicPartition]) -> None:
        try:
            self._produce(copies)
            left = self._producer.flush(_ANSWER)
            if self._failed is not None or left:
                raise AdminError(
                    "timed_out" if self._failed is None else name_of(self._failed), "a copy was not written"
                )
            if places:
                self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def _produce(self, copies: Iterable[Copy]) -> None:
        for copy in copies:
            produce(self._producer, copy, self._report)
        self._producer.poll(0)

    def _report(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        let_go(self._consumer, self._properties)


def produce(producer: Producer, copy: Copy, report: Callable[[KafkaError | None, Message], None]) -> None:
    """Give a copy to the producer, as soon as its queue has room. Raises KafkaException."""
    more: dict[str, int] = {}
    if copy.partition is not None:
        more["partition"] = copy.partition
    if copy.timestamp_ms is not None:
        more["timestamp"] = copy.timestamp_ms
    while True:
        try:
            producer.produce(
                copy.topic,
                copy.value,
                copy.key,
                headers=list(copy.headers),
                on_delivery=report,
                **more,  # type: ignore[arg-type]  # numbers
            )
        except BufferError:  # its queue is full
            producer.poll(_FULL_WAIT)
        else:
            return
