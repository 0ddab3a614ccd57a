"""Made-up events in Avro's single-object encoding, and topics filled with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks import mapped
from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing

SCHEMA_FILE = Path(__file__).parent.parent / "schemas" / "invocation-event.avsc"
SERVICE_IDS = ("0A1B2C3D4E5F", "0A1B2C3D4E60")

_ADMIN_SECONDS = 30.0
_FLUSH_SECONDS = 300.0
_HUNDRED = 100


class Shape(NamedTuple):
    """What a topic's events are like. `second` of a hundred are of the second service; `padding` is the size of a
    field that the connector does not read, in bytes. `mapped`: they are of a producer's own schema;
    `ten`: of ours, with the same ten fields."""

    partitions: int = 4
    second: int = 0
    padding: int = 0
    mapped: bool = False
    ten: bool = False


def end_user(number: int) -> str:
    """The phone number of the event of this number, from 1-NPA-555-01XX, the range reserved for fiction."""
    return f"1{200 + number // 100 % 800}55501{number % 100:02d}"


def events(
    count: int,
    shape: Shape = Shape(),  # noqa: B008 - an immutable value
    now_ms: int | None = None,
) -> Iterator[dict[str, object]]:
    """So many events with two scopes and three variables each; the 80,000 end users come again in their turn.

    `now_ms`: when they were created, in milliseconds since 1970; by default, now."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    padding = {"padding": b"x" * shape.padding} if shape.padding else {}
    ten = shape.ten or shape.mapped
    for number in range(count):
        yield {
            "eventId": f"bench-{number:09d}",
            "serviceId": SERVICE_IDS[number * 37 % _HUNDRED < shape.second],
            "phoneNumber": end_user(number),
            "mobileOperatorId": 383,
            "variables": {
                "session": {"seatLocation": "aisle", "flightNumber": "49", **({"carrier": "MJ"} if ten else {})},
                "user": {"frequentFlyerAccountNumber": f"MJHF{number:09d}"},
            },
            "createdAt": now_ms,
            "expiresAt": now_ms + 10_800_000 if ten else None,
            **padding,
        }


def schema_of(shape: Shape) -> str:
    """The schema that its producer writes with: the present one, one that has a field more, or its own."""
    if shape.mapped:
        return mapped.SCHEMA
    text = SCHEMA_FILE.read_text()
    if not shape.padding:
        return text
    schema = json.loads(text)
    schema["fields"].append({"name": "padding", "type": "bytes"})
    return json.dumps(schema)


def written(event: dict[str, object], shape: Shape) -> dict[str, object]:
    """The fields as its producer has them."""
    return mapped.of(event) if shape.mapped else event


def encoder(shape: Shape = Shape()) -> Encoder:  # noqa: B008 - an immutable value
    """Writes what a producer writes."""
    return Encoder(schema_of(shape), Framing.SINGLE_OBJECT)


def create_topics(bootstrap_servers: str, partitions: int, *names: str) -> None:
    """Create topics and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for created in admin.create_topics(topics, operation_timeout=_ADMIN_SECONDS).values():
        created.result(_ADMIN_SECONDS)


def delete_topics(bootstrap_servers: str, *names: str) -> None:
    """Delete topics."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for deleted in admin.delete_topics(list(names), operation_timeout=_ADMIN_SECONDS).values():
        deleted.result(_ADMIN_SECONDS)


def fill(bootstrap_servers: str, topic: str, count: int, shape: Shape) -> int:
    """Write so many events, keyed by end user; return the bytes of an average value."""
    encode, size = encoder(shape).encode, 0
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "partitioner": "murmur2_random"})
    for event in events(count, shape):
        value = encode(written(event, shape))
        size += len(value)
        while True:
            try:
                producer.produce(topic, value, str(event["phoneNumber"]).encode())
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(_FLUSH_SECONDS):
        raise RuntimeError(f"Kafka did not take all events within {_FLUSH_SECONDS:.0f} s")
    return size // count
