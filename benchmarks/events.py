"""Made-up events in Avro's single-object encoding, and a topic filled with them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMA_FILE = Path(__file__).parent.parent / "schemas" / "invocation-event.avsc"
SERVICE_ID = "0A1B2C3D4E5F"

_ADMIN_SECONDS = 30.0
_MAGIC = b"\xc3\x01"


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


def frame_of(schema: dict[str, object]) -> bytes:
    """The ten bytes that begin every value: the mark, and the schema's fingerprint, lowest byte first."""
    return _MAGIC + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def create_topics(bootstrap_servers: str, partitions: int, *names: str) -> None:
    """Create topics and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for created in admin.create_topics(topics, operation_timeout=_ADMIN_SECONDS).values():
        created.result(_ADMIN_SECONDS)


class Encoder:
    """Turns events into values."""

    def __init__(self, schema_file: Path = SCHEMA_FILE) -> None:
        schema = json.loads(schema_file.read_text())
        self._schema = fastavro.parse_schema(schema)
        self._frame = frame_of(schema)

    def encode(self, event: dict[str, object]) -> bytes:
        """One value."""
        out = io.BytesIO()
        out.write(self._frame)
        fastavro.schemaless_writer(out, self._schema, event)
        return out.getvalue()


def fill(bootstrap_servers: str, topic: str, count: int) -> int:
    """Write so many events, keyed by end user; return the bytes of an average value."""
    encoder, size = Encoder(), 0
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "partitioner": "murmur2_random"})
    for event in events(count):
        value = encoder.encode(event)
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
