"""The yardstick: what any Python program must at least do with the fastest parts there are, and nothing that makes it
safe.

Consume, decode with fastavro, one check, JSON with orjson, and a post by an asyncio protocol over httptools on uvloop:
calls and callbacks, no task for a record. It keeps no order, commits nothing, has no time-outs and no log; it would
lose records.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import ssl
from collections import deque
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import fastavro
import httptools
import orjson
import uvloop
from confluent_kafka import Consumer, Message

_BATCH = 500
_FRAME = 10
_IDLE_SECONDS = 0.001
_PROPERTIES = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "queued.max.messages.kbytes": 8192,
    "queued.min.messages": 10000,
    "fetch.queue.backoff.ms": 50,
}


class Requests:
    """Records that wait, as requests."""

    def __init__(self, host: str, schema_file: Path) -> None:
        self.waiting: deque[Message] = deque()
        self._schema = fastavro.parse_schema(json.loads(schema_file.read_text(), object_hook=_plain))
        self._host = host
        self._heads: dict[str, bytes] = {}

    def next(self) -> bytes:
        """The next record's. Raises ValueError for an event that the vendor would refuse."""
        value = self.waiting.popleft().value()
        assert isinstance(value, bytes)
        event = fastavro.schemaless_reader(io.BytesIO(value[_FRAME:]), self._schema, None)
        assert isinstance(event, dict)
        number = event["phoneNumber"]
        if not (6 <= len(number) <= 16 and number.isdecimal()):
            raise ValueError("phoneNumber")
        end_user = {"phoneNumber": number, "mobileOperatorId": event["mobileOperatorId"]}
        body = orjson.dumps({"endUser": end_user, "variables": event["variables"]})
        head = self._heads.get(event["serviceId"]) or self._head(event["serviceId"])
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)

    def _head(self, service_id: str) -> bytes:
        head = (
            f"POST /service/v1/invokeService/{service_id} HTTP/1.1\r\nHost: {self._host}\r\n"
            "Authorization: Basic YmVuY2g6YmVuY2g=\r\nContent-Type: application/json\r\n"
        ).encode()
        self._heads[service_id] = head
        return head


class Connection(asyncio.Protocol):
    """Posts one request after the other, as long as there are any."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self.is_idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def go(self) -> None:
        """Post the next one, if there is one."""
        self.is_idle = not self._requests.waiting
        if not self.is_idle:
            self._transport.write(self._requests.next())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if (status := self._parser.get_status_code()) != 202:
            raise RuntimeError(f"the sink answered {status}")
        self.go()


async def run(given: argparse.Namespace) -> None:
    """Post for ever."""
    url = urlsplit(given.base_url)
    requests = Requests(url.netloc, Path(given.schema_file))
    consumer = Consumer({**_PROPERTIES, "bootstrap.servers": given.bootstrap_servers, "group.id": given.group})
    consumer.subscribe([given.topic])
    context = ssl.create_default_context(cafile=given.ca_file) if url.scheme == "https" else None
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(given.in_flight):
        made = await loop.create_connection(lambda: Connection(requests), url.hostname, url.port, ssl=context)
        connections.append(made[1])
    while True:
        if len(requests.waiting) < _BATCH:
            came = consumer.consume(_BATCH, 0)
            if not came:
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            requests.waiting.extend(message for message in came if message.error() is None)
            for connection in connections:
                if connection.is_idle:
                    connection.go()
        await asyncio.sleep(0)


def _plain(schema: dict[str, object]) -> dict[str, object]:
    """Without logical types: a datetime for each timestamp would cost more than the rest of the decoding."""
    return {name: value for name, value in schema.items() if name != "logicalType"}


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap-servers", "group", "topic", "base-url", "schema-file"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--in-flight", type=int, default=64)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
