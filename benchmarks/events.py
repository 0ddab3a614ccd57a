"""Made-up events in Avro's single-object encoding, and a topic filled with them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing

SCHEMA_FILE = Path(__file__).parent.parent / "schemas" / "invocation-event.avsc"
SERVICE_ID = "0A1B2C3D4E5F"

_ADMIN_SECONDS = 30.0


def end_user(number: int) -> str:
    """The phone number of the event of this number, from 1-NPA-555-01XX, the range reserved for fiction."""
    return f"1{200 + number // 100 % 800}55501{number % 100:02d}"


def events(count: int) -> Iterator[dict[str, object]]:
    """So many events with two scopes and five variables each; the 80,000 end users come again in their turn."""
    now_ms = time.time_ns() // 1_000_000
    for number in range(count):
        yield {
            "eventId": f"bench-{number:09d}",
            "serviceId": SERVICE_ID,
            "phoneNumber": end_user(number),
            "mobileOperatorId": 383,
            "variables": {
                "user": {"firstName": "Ada", "preferredLanguage": "en"},
                "request": {"amount": 49.5, "reference": f"INV-{number}", "reminder": True},
            },
            "createdAt": now_ms,
            "expiresAt": now_ms + 86_400_000,
        }


def create_topics(bootstrap_servers: str, partitions: int, *names: str) -> None:
    """Create topics and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for created in admin.create_topics(topics, operation_timeout=_ADMIN_SECONDS).values():
        created.result(_ADMIN_SECONDS)


def encoder() -> Encoder:
    """Writes what a producer of the present schema writes."""
    return Encoder(SCHEMA_FILE.read_text(), Framing.SINGLE_OBJECT)


def fill(bootstrap_servers: str, topic: str, count: int) -> int:
    """Write so many events, keyed by end user; return the bytes of an average value."""
    encode, size = encoder().encode, 0
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "partitioner": "murmur2_random"})
    for event in events(count):
        value = encode(event)
        size += len(value)
        while True:
            try:
                producer.produce(topic, value, str(event["phoneNumber"]).encode())
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take all events within a minute")
    return size // count
