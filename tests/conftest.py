"""Fixtures that more than one room needs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.support.jars import UnavailableError
from tests.support.kafka_broker import NEVER_FENCED, Kafka, KafkaBroker

# The schema registry's fixture lives beside what starts it.
pytest_plugins = ["tests.support.registry"] if find_spec("tests.support.registry") else []

# How fast an example runs says how busy the machine is; what a law holds does not depend on it.
settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("shared_machine"), max_examples=10)  # `make quick`
settings.load_profile("shared_machine")

_MARKED = {"kafka": "kafka", "private_kafka": "kafka", "registry": "registry"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses a fixture that starts a server carries its mark."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in _MARKED:
                item.add_marker(_MARKED[fixture])


def missing(why: UnavailableError) -> NoReturn:
    """Skip, and say how to get what is missing; in CI nothing may be missing."""
    text = f"{why}. Run `make test`, which fetches all of it, or set KAFKA_BOOTSTRAP_SERVERS"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The broker that all tests share: use topics and groups of your own, and do not break it."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield Kafka(given)
        return
    yield from _started(tmp_path_factory.mktemp("kafka"), NEVER_FENCED)


@pytest.fixture
def private_kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker for one test alone, to kill, freeze and restart."""
    yield from _started(tmp_path / "kafka")


@pytest.fixture
def topics(kafka: Kafka) -> Callable[..., str]:
    """Creates a topic with a name of its own: `topics(partitions=3, max_message_bytes="1000")`."""

    def create(partitions: int = 1, **config: str) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        kafka.create_topic(name, partitions, **config)
        return name

    return create


@pytest.fixture
def topic(topics: Callable[..., str]) -> str:
    """A topic of one partition that nobody else uses."""
    return topics()


def _started(folder: Path, settings: dict[str, str] | None = None) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(folder, settings)
    try:
        broker.start()
    except UnavailableError as why:
        missing(why)
    try:
        yield broker
    finally:
        broker.kill()  # nobody reads its data again, and a clean end takes a second
