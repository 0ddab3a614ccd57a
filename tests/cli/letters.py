"""A dead-letter topic on real Kafka, with letters in it, and settings that name it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from connector.core.envelope import Cause, History, Names, Origin, dead_letter_headers
from connector.core.record import Headers, Partition
from connector.core.refusal import Stage
from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.schemas import reader_schema
from connector.edge.kafka.records import record_of
from tests.support.kafka_broker import Kafka

PHONE = "12025550112"
SERVICE = "0A1B"
NOW_MS = 4_000_000_000_000
ENCODE = Encoder(reader_schema(), Framing.SINGLE_OBJECT).encode
GONE_WRONG = Cause(Stage.INVOKE, "retries_exhausted", "retry.window is over", 500, "1010", "req-1")


def event(event_id: str, phone: str = PHONE, **fields: object) -> dict[str, object]:
    """The fields of a good event."""
    variables = {"session": {"gate": "B7 for Ada"}}
    return {
        "eventId": event_id,
        "serviceId": SERVICE,
        "phoneNumber": phone,
        "variables": variables,
        "createdAt": NOW_MS,
        **fields,
    }


class Letter(NamedTuple):
    """One letter to write."""

    value: bytes | None
    cause: Cause = GONE_WRONG
    key: bytes | None = PHONE.encode()
    maybe_delivered: int = 0
    original: Headers = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),)
    partition: int = 0
    from_partition: int | None = None  # of the main topic; None: the same

    def headers(self, topic: str, offset: int, now_ms: int) -> Headers:
        """As the connector writes them."""
        number = self.partition if self.from_partition is None else self.from_partition
        origin = Origin(Partition(topic, number), offset, now_ms)
        history = History(origin, attempts=4, first_failure_ms=now_ms, maybe_delivered=self.maybe_delivered)
        return next(dead_letter_headers(self.original, history, self.cause, Names("c"), now_ms))


class Topics(NamedTuple):
    """Main and dead-letter topic of a deployment."""

    kafka: Kafka
    main: str
    config: Path

    @property
    def dead_letter(self) -> str:
        return f"{self.main}.dlq"

    def write(self, letters: Iterable[Letter], now_ms: int = 1_700_000_000_000) -> None:
        """Write them in this order."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "linger.ms": 5})
        for offset, letter in enumerate(letters):
            headers = list(letter.headers(self.main, offset, now_ms))
            while True:
                try:
                    producer.produce(
                        self.dead_letter,
                        letter.value,
                        letter.key,
                        partition=letter.partition,
                        headers=headers,  # type: ignore[arg-type]  # a header may have no value
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def read(self, topic: str, partitions: int = 2) -> list[tuple[bytes | None, bytes | None, Headers]]:
        """Every committed record of a topic: key, value and headers."""
        reading = {
            "bootstrap.servers": self.kafka.bootstrap_servers,
            "group.id": "reads",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
        consumer = Consumer(reading)
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found: list[tuple[bytes | None, bytes | None, Headers]] = []
        ended: set[int | None] = set()
        while len(ended) < partitions:
            for message in consumer.consume(500, 1.0):
                if message.error() is None:
                    found.append((message.key(), message.value(), record_of(message).headers))
                else:
                    ended.add(message.partition())
        consumer.close()
        return found


def make(kafka: Kafka, folder: Path, partitions: int = 2) -> Topics:
    """Empty topics, the main one of so many partitions and the other of two, and settings in the folder."""
    main = f"test-{uuid.uuid4().hex[:12]}"
    kafka.create_topic(main, partitions)
    kafka.create_topic(f"{main}.dlq", 2)
    names = {"main": main, "retry": f"{main}.retry", "dead_letter": f"{main}.dlq"}
    password, config = folder / "password", folder / "config.yaml"
    password.write_text("secret")
    openmarket = {
        "base_url": "https://servicemanager.openmarket.com",
        "account_id": "account",
        "password_file": str(password),
        "service_ids": [SERVICE],
    }
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": f"{main}-group", "topics": names}
    config.write_text(json.dumps({"kafka": settings, "openmarket": openmarket}))  # JSON is YAML
    return Topics(kafka, main, config)
