"""Every neighbour over IPv6, and nothing over IPv4 but what the broker says to itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from connector.config.sections import Admin
from connector.simulator.server import SimulatorServer
from tests.support.kafka_broker import KafkaBroker
from tests.support.network import needs_ipv6
from tests.whole.stage import SCHEMA, ListeningVendor, Stage, confluent, event

_SCHEMA_ID = 7

pytestmark = [pytest.mark.kafka, needs_ipv6]


@asynccontextmanager
async def _registry() -> AsyncIterator[str]:
    """The URL of a registry that has one schema."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"schema": json.dumps(json.loads(SCHEMA.read_text()))})

    app = web.Application()
    app.add_routes([web.get(f"/schemas/ids/{_SCHEMA_ID}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "::1", 0).start()
        yield f"http://[::1]:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_brokers_registry_vendor_and_probes_are_spoken_to_over_ipv6(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "kafka")
    broker.listen_on_ipv6()
    await asyncio.to_thread(broker.start)
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(broker, tmp_path / "stage", simulator, await simulator.start("::1"))
    try:
        async with _registry() as registry:
            stage.create_topics()
            stage.produce([confluent(event("over-ipv6"), _SCHEMA_ID)])
            connector = stage.connector(
                admin={"host": Admin().host},
                schemas={"framing": "confluent", "registry": {"url": registry}},
            )
            await connector.start()
            await connector.until(accepted=1)
            async with aiohttp.ClientSession() as http, http.get(connector.url("readyz", "[::1]")) as probed:
                assert probed.status == 200
            assert await connector.stop() == 0
        assert stage.accepted_once(["over-ipv6"])
    finally:
        await stage.close()
        broker.stop()
