"""Many records written at once, for commands: an idempotent producer with the partitioner of Java's clients."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.tokens import keep

_PROMISED = {"enable.idempotence": True, "acks": "all", "message.timeout.ms": 30_000, "linger.ms": 20}
_FULL_WAIT = 0.1
_FLUSH = 35.0  # seconds: longer than message.timeout.ms, so that every record is answered for


class Keyed(NamedTuple):
    """A record to be written."""

    key: bytes | None
    value: bytes


def write_all(properties: Mapping[str, Any], topic: str, records: Iterable[Keyed]) -> int:
    """Write all records and return how many the brokers acknowledged. Raises AdminError with the first failure.

    `properties` are those of `config.client.producer_properties`.
    """
    answers = _Answers()
    try:
        producer = Producer(dict(properties) | _PROMISED, logger=logging.getLogger("librdkafka.admin"))
        keep(producer, properties)
        for record in records:
            _write(producer, topic, record, answers)
            producer.poll(0)
        left = producer.flush(_FLUSH)
    except KafkaException as raised:
        raise AdminError.of(raised.args[0]) from None
    if answers.failed is not None:
        raise AdminError(name_of(answers.failed), f"{answers.written} records were written before")
    if left:
        raise AdminError("timed_out", f"{answers.written} records were written, {left} not answered for")
    return answers.written


class _Answers:
    """Delivery reports, counted."""

    def __init__(self) -> None:
        self.written = 0
        self.failed: KafkaError | None = None

    def report(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.written += 1
        elif self.failed is None:
            self.failed = error


def _write(producer: Producer, topic: str, record: Keyed, answers: _Answers) -> None:
    while True:
        try:
            producer.produce(topic, record.value, record.key, on_delivery=answers.report)
        except BufferError:  # its queue is full: deliver some, then again
            producer.poll(_FULL_WAIT)
        else:
            return
