"""What schemas/README.md shows to producers works."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from connector.core.event import InvocationEvent, event_from
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.schemas import load_folder, reader_schema, shipped_folder
from tests.support.avro import record

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "schemas" / "README.md").read_text(encoding="utf-8")
DEPARTURE_MS = 4_000_000_000_000


class FakeProducer:
    """Keeps what is produced."""

    def __init__(self) -> None:
        self.produced: list[tuple[str, str, bytes]] = []

    def produce(self, topic: str, *, key: str, value: bytes) -> None:
        self.produced.append((topic, key, value))


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def produced_by_python() -> tuple[str, str, bytes]:
    names: dict[str, Any] = {"__name__": "example"}
    producer = FakeProducer()
    with contextlib.chdir(ROOT):
        exec(compile(example("python"), "schemas/README.md", "exec"), names)  # noqa: S102 - our own page's example
    names["send"](producer, names["gate_change"]("12515550123", 49, "B7", DEPARTURE_MS))
    (produced,) = producer.produced
    return produced


def read(value: bytes) -> InvocationEvent:
    decoder = AvroDecoder(reader_schema(), shipped_folder(), monotonic=lambda: 0.0)
    fields = decoder.decode(record(value))
    assert isinstance(fields, dict)
    event = event_from(fields)
    assert isinstance(event, InvocationEvent)
    return event


def test_the_python_producers_event_is_read() -> None:
    """With nothing configured but the defaults."""
    _, _, value = produced_by_python()
    event = read(value)
    assert (event.service_id, event.phone_number) == ("0A1B2C3D4E5F", "12515550123")
    assert event.variables == {"session": {"flightNumber": 49, "gate": "B7"}}


def test_the_python_producers_gate_change_expires() -> None:
    """A quarter of an hour after it came into being."""
    event = read(produced_by_python()[2])
    assert event.created_at_ms is not None
    assert event.expires_at_ms == event.created_at_ms + 15 * 60_000


def test_the_python_producer_keys_by_phone_number() -> None:
    """So that one person's events stay in one partition."""
    topic, key, _ = produced_by_python()
    assert (topic, key) == ("invocations", "12515550123")


def test_both_producers_compute_the_same_partition() -> None:
    """Java's default is murmur2; librdkafka must be told."""
    assert '"partitioner": "murmur2_random"' in example("python")
    assert "partitioner" not in example("java")


def test_both_producers_set_an_expiry() -> None:
    """Whoever copies the Java example copies it too."""
    assert '.set("expiresAt"' in example("java")


def test_every_framing_is_described() -> None:
    """As the setting spells it."""
    assert all(f"`{framing}`" in README for framing in Framing)


def test_the_map_of_ids_is_shown_as_it_is_read(tmp_path: Path) -> None:
    """The page's own line, beside the page's own file."""
    found = re.search(r"`(\{\"17\".*?\})`", README)
    assert found is not None
    for name in json.loads(found[1]).values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(reader_schema())
    (tmp_path / "ids.json").write_text(found[1])
    folder = load_folder(tmp_path)
    assert set(folder.by_id) == {17, 18}
    assert set(folder.by_uuid) == {"b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"}
    assert folder.by_id[18].is_json
