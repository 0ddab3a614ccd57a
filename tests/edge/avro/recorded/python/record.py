"""Events as Python's serializers write them. Usage: python record.py FOLDER REGISTRY (Confluent-compatible)."""

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path

import fastavro
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro.schema import fingerprint, to_parsing_canonical_form

folder, registry = Path(sys.argv[1]), sys.argv[2]
events = json.loads((folder / "events.json").read_text())
schemas = {"ours": folder / "../../../../schemas/invocation-event.avsc", "booking": folder / "booking.avsc"}
json_schema = (folder / "../../../../schemas/invocation-event.schema.json").read_text()


def say(library, name, event, framing, value, headers=()):
    print(
        json.dumps(
            {
                "by": f"{library} {version(name)}",
                "event": event,
                "framing": framing,
                "value": value.hex(),
                "headers": {key: bytes(header).hex() for key, header in headers},
            }
        )
    )


for event, fields in events.items():
    text = schemas[event].read_text()
    schema = json.loads(text)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    head = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    say("Python, fastavro", "fastavro", event, "single object", head + out.getvalue())
    say("Python, fastavro", "fastavro", event, "bare", out.getvalue())
    for framing, place, url in (
        ("Confluent, id", prefix_schema_id_serializer, registry),
        ("Confluent, GUID in a header", header_schema_id_serializer, "mock://recorded"),
    ):
        client = SchemaRegistryClient.new_client({"url": url})
        serializer = AvroSerializer(client, text, conf={"schema.id.serializer": place})
        context = SerializationContext(f"py-{event}", MessageField.VALUE, headers=[])
        value = serializer(fields, context)
        say("Python, confluent-kafka", "confluent-kafka", event, framing, value, context.headers)

client = SchemaRegistryClient({"url": registry})
serializer = JSONSerializer(Schema(json_schema, "JSON").schema_str, client)
value = serializer(events["ours"], SerializationContext("py-json", MessageField.VALUE, headers=[]))
say("Python, confluent-kafka JSONSerializer", "confluent-kafka", "ours", "Confluent, id, JSON", value)
