"""One stage a test, on the broker that all tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.simulator.server import SimulatorServer
from tests.support.kafka_broker import Kafka, KafkaBroker
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


@pytest.fixture
async def own_stage(private_kafka: KafkaBroker, tmp_path: Path) -> AsyncIterator[Stage]:
    """The same on a broker of the test's own, to kill and to freeze: `stage.cluster.kafka`."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(private_kafka, tmp_path / "stage", simulator, await simulator.start())
    try:
        yield stage
    finally:
        await stage.close()
