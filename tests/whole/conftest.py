"""One stage a test, on the broker that all tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.simulator.server import SimulatorServer
from tests.support.kafka_broker import Kafka
from tests.whole.stage import ListeningVendor, Stage


@pytest.fixture
async def stage(kafka: Kafka, tmp_path: Path) -> AsyncIterator[Stage]:
    """Topics, a simulator and processes of the test's own."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(kafka, tmp_path, simulator, await simulator.start())
    try:
        yield stage
    finally:
        await stage.close()
