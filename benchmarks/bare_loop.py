"""The yardstick: what any Python program must at least do with the same libraries, and nothing that makes it safe.

Consume, decode with fastavro, look at each field, write JSON with orjson, post with aiohttp, count. 64 workers on
uvloop. It commits now and then whatever it has read, so it would lose records; it has no retries, no order, no
metrics and no log.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
from collections import deque
from pathlib import Path

import aiohttp
import fastavro
import orjson
import uvloop
from confluent_kafka import Consumer
from yarl import URL

_WORKERS = 64
_BATCH = 500
_PHONE_NUMBER = re.compile(r"[1-9][0-9]{5,15}").fullmatch
_SERVICE_ID = re.compile(r"[0-9A-Fa-f]{1,64}").fullmatch
_KEY = re.compile(r"[A-Za-z_\-.]{1,255}").fullmatch
_FRAME = 10
_COMMIT_SECONDS = 0.1


def body_of(event: dict[str, object]) -> bytes:
    """The request's body. Raises ValueError for an event that the vendor would refuse."""
    number, variables = event["phoneNumber"], event["variables"]
    if not isinstance(number, str) or not _PHONE_NUMBER(number) or not isinstance(variables, dict):
        raise ValueError("phoneNumber or variables")
    if not _SERVICE_ID(str(event["serviceId"])):
        raise ValueError("serviceId")
    sent: dict[str, dict[str, str]] = {}
    for scope, keys in variables.items():
        values = sent[scope.lower()] = {}
        for key, value in keys.items():
            if not _KEY(key):
                raise ValueError("key")
            text = value if isinstance(value, str) else str(value)
            if len(text) > 4096:
                raise ValueError("value")
            values[key] = text
    end_user = {"phoneNumber": number, "mobileOperatorId": event["mobileOperatorId"]}
    body = orjson.dumps({"endUser": end_user, "variables": sent})
    if len(body) > 8000:
        raise ValueError("body")
    return body


class BareLoop:
    """One consumer, one session, and workers that take turns to fetch the next batch."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str, base_url: str, schema_file: Path) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": True,
                "auto.commit.interval.ms": int(_COMMIT_SECONDS * 1000),
                "queued.max.messages.kbytes": 8192,
            }
        )
        self._consumer.subscribe([topic])
        self._base = f"{base_url}/service/v1/invokeService/"
        self._schema = fastavro.parse_schema(json.loads(schema_file.read_text(), object_hook=_plain))
        self._values: deque[bytes] = deque()

    async def run(self) -> None:
        """Post for ever."""
        connector = aiohttp.TCPConnector(limit=_WORKERS)
        headers = {
            "Authorization": aiohttp.encode_basic_auth("bench", "bench"),
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        session = aiohttp.ClientSession(connector=connector, headers=headers)
        async with session, asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work(session))

    async def _work(self, session: aiohttp.ClientSession) -> None:
        urls: dict[str, URL] = {}
        while True:
            value = await self._next()
            event = fastavro.schemaless_reader(io.BytesIO(value[_FRAME:]), self._schema, None)
            assert isinstance(event, dict)
            service_id = str(event["serviceId"])
            url = urls.get(service_id) or urls.setdefault(service_id, URL(self._base + service_id))
            async with session.post(url, data=body_of(event), allow_redirects=False) as response:
                await response.read()
                if response.status != 202 or "X-Request-Id" not in response.headers:
                    raise RuntimeError(f"the sink answered {response.status}")

    async def _next(self) -> bytes:
        while not self._values:
            for message in self._consumer.consume(_BATCH, 0):
                value = message.value()
                if message.error() is None and isinstance(value, bytes):
                    self._values.append(value)
            if not self._values:
                await asyncio.sleep(0.005)
        return self._values.popleft()


def _plain(schema: dict[str, object]) -> dict[str, object]:
    """Without logical types: a datetime for each timestamp would cost more than the rest of the decoding."""
    return {name: value for name, value in schema.items() if name != "logicalType"}


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap-servers", "group", "topic", "base-url", "schema-file"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    bare = BareLoop(given.bootstrap_servers, given.group, given.topic, given.base_url, Path(given.schema_file))
    uvloop.run(bare.run())


if __name__ == "__main__":
    main()
