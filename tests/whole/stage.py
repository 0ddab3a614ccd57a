"""A stage for the whole: real Kafka, real processes, and the simulator as the judge of what the vendor got."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from connector.core.record import Headers, Partition, Record
from connector.simulator.rules import ACCOUNT_ID, PASSWORD, Request
from connector.simulator.scenario import Scenario, parse
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Plan, Vendor
from tests.support.clusters import RealCluster
from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import Kafka

SERVICE = "0A1B2C3D4E5F"
SCHEMA = Path(__file__).parents[2] / "schemas" / "invocation-event.avsc"
_PARSED = fastavro.parse_schema(json.loads(SCHEMA.read_text()))
_FINGERPRINT = bytes.fromhex(
    fastavro.schema.fingerprint(
        fastavro.schema.to_parsing_canonical_form(json.loads(SCHEMA.read_text())), "CRC-64-AVRO"
    )
)

Fields = dict[str, Any]


class ListeningVendor(Vendor):
    """The simulator's vendor, who also keeps each request's trace context, and when it came in its own seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []
        self.traceparents: list[str | None] = []
        self.tracestates: list[str | None] = []

    def on_request(self, request: Request, now: float) -> Plan:
        """Judge, and listen."""
        self.at.append(now)
        self.traceparents.append(request.headers.get("traceparent"))
        self.tracestates.append(request.headers.get("tracestate"))
        return super().on_request(request, now)


def number(n: int) -> str:
    """A number of the range that is reserved for fiction."""
    return f"1201555{n:04d}"


def event(mark: str, n: int = 0, **fields: Any) -> Fields:
    """An event for the n-th end user; the ledger knows it by `mark`."""
    return {
        "eventId": mark,
        "serviceId": SERVICE,
        "phoneNumber": number(n),
        "variables": {"session": {"eventId": mark}},
        "createdAt": time.time_ns() // 1_000_000,
        **fields,
    }


def single_object(fields: Fields) -> bytes:
    """Avro's single-object encoding."""
    return b"\xc3\x01" + _FINGERPRINT + bare(fields)


def decoded(value: bytes) -> Fields:
    """What `single_object` wrote."""
    fields = fastavro.schemaless_reader(BytesIO(value[10:]), _PARSED, None)
    assert isinstance(fields, dict)
    return fields


def confluent(fields: Fields, schema_id: int) -> bytes:
    """Confluent's frame."""
    return b"\x00" + schema_id.to_bytes(4, "big") + bare(fields)


def bare(fields: Fields) -> bytes:
    """Avro without a frame."""
    return encoded(_PARSED, fields)


def encoded(schema: Any, fields: Fields) -> bytes:
    """A value by a parsed schema."""
    out = BytesIO()
    fastavro.schemaless_writer(out, schema, fields)
    return out.getvalue()


class Stage:
    """Three topics and a group of the test's own, a simulator, and the processes that a test starts."""

    def __init__(self, kafka: Kafka, folder: Path, simulator: SimulatorServer, base_url: str) -> None:
        self.cluster = RealCluster(kafka)
        self.simulator = simulator
        self.folder = folder
        self.main = ""
        self.client: dict[str, int] = {"heartbeat.interval.ms": 200, "session.timeout.ms": 6000}
        self._base_url = base_url
        self._processes: list[ConnectorProcess] = []
        self._producer = Producer(
            {"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 5, "reconnect.backoff.max.ms": 500}
        )
        folder.mkdir(exist_ok=True)
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD)

    @property
    def retry(self) -> str:
        """The retry topic."""
        return f"{self.main}.retry"

    @property
    def dead_letter(self) -> str:
        """The dead-letter topic."""
        return f"{self.main}.dlq"

    def create_topics(self, partitions: int = 1, *, retry: int = 1, dead_letter: bool = True) -> None:
        """Make the topics, with so many partitions; the dead-letter topic only when asked for."""
        self.main = self.cluster.create(partitions)
        self.cluster.kafka.create_topic(self.retry, retry)
        if dead_letter:
            self.cluster.kafka.create_topic(self.dead_letter)

    def configure(self, topic: str, name: str, value: str) -> None:
        """Change a setting of a topic."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.cluster.kafka.admin().incremental_alter_configs([resource])[resource].result(60)

    def scenario(self, **content: Any) -> None:
        """The vendor's day from now on, as in a scenario file."""
        self.simulator.set_scenario(parse(json.dumps(content)) if content else Scenario())

    def connector(self, **sections: Mapping[str, Any]) -> ConnectorProcess:
        """Make a process; `sections` are merged into its settings. Not started yet."""
        settings: dict[str, dict[str, Any]] = {
            "kafka": {
                "bootstrap_servers": self.cluster.kafka.bootstrap_servers,
                "group_id": self.cluster.group,
                "topics": {"main": self.main, "retry": self.retry, "dead_letter": self.dead_letter},
                "client": self.client,
            },
            "openmarket": {
                "base_url": self._base_url,
                "account_id": ACCOUNT_ID,
                "password_file": str(self.password_file),
                "service_ids": [SERVICE],
            },
            "retry": {"delay": "1s", "window": "1h"},
            "log": {"format": "json"},
        }
        for name, section in sections.items():
            settings[name] = {**settings.get(name, {}), **section}
        process = ConnectorProcess(self.folder / f"process-{len(self._processes)}", settings)
        self._processes.append(process)
        return process

    def produce(self, values: Iterable[bytes | None], headers: Headers = (), partition: int | None = None) -> None:
        """Write to the main topic; without a partition in turn to each."""
        for value in values:
            self._send(value, None, headers, -1 if partition is None else partition)
        self._flush()

    def produce_events(self, events: Iterable[Fields]) -> None:
        """Write events keyed by phone number."""
        for fields in events:
            self._send(single_object(fields), fields["phoneNumber"].encode(), (), -1)
        self._flush()

    def send(self, value: bytes, partition: int = -1) -> None:
        """Write one record to the main topic, and do not wait for it."""
        self._send(value, None, (), partition)

    def dead_letters(self, count: int) -> list[Record]:
        """Read the first dead letters."""
        return self.cluster.read(Partition(self.dead_letter, 0), count)

    def dead_marks(self) -> set[str]:
        """The marks of the dead letters written so far."""
        consumer = Consumer({"bootstrap.servers": self.cluster.kafka.bootstrap_servers, "group.id": "dead-letters"})
        try:
            partition = TopicPartition(self.dead_letter, 0, 0)
            _, end = consumer.get_watermark_offsets(partition, timeout=60)
            consumer.assign([partition])
            values = [message.value() for message in consumer.consume(end, 20)] if end else []
        finally:
            consumer.close()
        return {str(decoded(value or b"")["eventId"]) for value in values}

    def lost(self, marks: Iterable[str]) -> set[str]:
        """Those that the vendor never accepted."""
        return set(marks) - self.simulator.ledger.counts("marker").keys()

    @property
    def repeats(self) -> int:
        """How often the vendor accepted again what it had accepted."""
        return sum(count - 1 for count in self.simulator.ledger.counts("marker").values())

    def accepted_once(self, marks: Iterable[str]) -> bool:
        """Whether the vendor accepted exactly these, each once."""
        return self.simulator.ledger.counts("marker") == dict.fromkeys(marks, 1)

    async def close(self) -> None:
        """End whatever still runs."""
        for process in self._processes:
            await process.kill()
        await self.simulator.stop()

    def _send(self, value: bytes | None, key: bytes | None, headers: Headers, partition: int) -> None:
        self._producer.produce(self.main, value, key, partition, headers=list(headers))
        self._producer.poll(0)

    def _flush(self) -> None:
        assert self._producer.flush(120) == 0  # a broker that was killed needs a while to come back


def books_balance(metrics: Mapping[str, float]) -> bool:
    """Whether what was taken is accounted for, from the metrics alone."""
    accounted = ("accepted", "retried", "dead_lettered", "duplicate", "skipped", "released")
    total = sum(metrics[f"records_{name}_total"] for name in accounted) + metrics["records_in_hand"]
    return metrics["records_taken_total"] == total
