"""Events as libraries of five languages wrote them: read right, whatever names their schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing, Kind, Name, uuid_text
from connector.edge.avro.lookup import Asking
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, json_schema, load_file
from tests.support.avro import CURRENT, record

FOLDER = Path(__file__).parent / "recorded"
EVENTS = json.loads((FOLDER / "events.json").read_text())
SCHEMAS = {"ours": SchemaFile("ours", CURRENT), "booking": load_file(FOLDER / "booking.avsc")}
CELLS = [json.loads(line) for line in (FOLDER / "recorded.jsonl").read_text().splitlines()]
ASKED = {
    "Confluent, id": Kind.ID,
    "Confluent, id, JSON": Kind.ID,
    "Confluent, GUID in a header": Kind.GUID,
    "Apicurio, global id in a header": Kind.GLOBAL_ID,
    "Apicurio, content id in a header": Kind.CONTENT_ID,
    "Apicurio, global id of 8 bytes": Kind.GLOBAL_ID,
    "Apicurio, content id of 8 bytes": Kind.CONTENT_ID,
}


class Registry:
    """Has the event's schema under every name, and says what it was asked for."""

    url = "http://registry"

    def __init__(self, found: Found) -> None:
        self.found = found
        self.asked: list[Kind] = []

    async def schema(self, number: int) -> Found:
        self.asked.append(Kind.ID)
        return self.found

    async def by_name(self, name: Name) -> Found:
        self.asked.append(name.kind)
        return self.found

    async def close(self) -> None:
        pass


def decoder(cell: dict[str, Any], registry: Registry) -> AvroDecoder:
    """With the settings that read this cell."""
    file, framing = SCHEMAS[cell["event"]], Framing.HEADER if cell["headers"] else Framing.AUTO
    folder = SchemaFolder((file,), {})
    if cell["framing"].startswith("AWS Glue"):
        folder = SchemaFolder((), {}, {uuid_text(bytes.fromhex(cell["value"])[2:18]): file})
    if cell["framing"] == "bare":
        return AvroDecoder(file.text, folder, framing=Framing.BARE, bare=file, monotonic=lambda: 0.0)
    eight_bytes = ASKED.get(cell["framing"]) if "8 bytes" in cell["framing"] else None
    also = Asking(dict.fromkeys((Kind.GUID, Kind.GLOBAL_ID, Kind.CONTENT_ID), registry.by_name), eight_bytes)
    return AvroDecoder(file.text, folder, framing=framing, registry=registry, also=also, monotonic=lambda: 0.0)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell['by']}, {cell['framing']}, {cell['event']}")
async def test_what_a_library_wrote_is_read_right(cell: dict[str, Any]) -> None:
    """Field for field; a registry is asked for a name of the right kind."""
    file = json_schema() if cell["framing"].endswith("JSON") else SCHEMAS[cell["event"]]
    registry = Registry(Found(file.text, (), file.is_json))
    one = decoder(cell, registry)
    headers = tuple((name, bytes.fromhex(value)) for name, value in cell["headers"].items())
    given = record(bytes.fromhex(cell["value"]))._replace(headers=headers)
    found = one.decode(given)
    if isinstance(found, SchemaNeeded):
        assert await one.fetch(found, 0) is None
        found = one.decode(given)
    assert not isinstance(found, Refusal), found
    assert found == EVENTS[cell["event"]]
    assert registry.asked == ([ASKED[cell["framing"]]] if cell["framing"] in ASKED else [])


def test_every_language_is_there() -> None:
    """A line lost from the file would lose its test in silence."""
    by = {(cell["by"].partition(",")[0], cell["event"]) for cell in CELLS}
    assert by == {(name, event) for name in ("Go", "Java", "JavaScript", "Python", "Rust") for event in EVENTS}
    assert {cell["framing"] for cell in CELLS} >= set(ASKED)


def test_records_of_two_schemas_can_share_a_topic() -> None:
    """A UUID of AWS Glue's names one schema, as the registry would have it."""
    named = {(cell["value"][4:36], cell["event"]) for cell in CELLS if cell["framing"].startswith("AWS Glue")}
    assert len({uuid for uuid, _ in named}) == len(named) == len(EVENTS)
