"""What the contenders run against: a broker, the sinks, and a topic for each shape of events."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import typer

from benchmarks import contenders
from benchmarks.contenders import Stage
from benchmarks.events import SERVICE_IDS, Shape, create_topics, delete_topics, fill, schema_of
from benchmarks.mapped import mapping
from benchmarks.scenarios import Scenario
from benchmarks.sink import Sink, SlowSink
from tests.support.apache_kafka import ApacheKafka

_SLOW_SECONDS = 0.1


class Rig:
    """All in `folder`, and on other cores than the one that is left to the contenders.

    `events` is how many a contender posts in a scenario that says nothing else.
    """

    def __init__(self, folder: Path, events: int) -> None:
        self._core = contenders.take_the_rest()
        self._folder = folder
        self._events = events
        self._broker = ApacheKafka(folder / "kafka")
        self._sink = Sink(folder / "sink")
        self._slow_sink = SlowSink(folder / "slow", _SLOW_SECONDS)
        self._topics: dict[tuple[Shape, int], str] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start everything, and stop it at the end."""
        try:
            for each in (self._sink, self._slow_sink, self._broker):
                each.start()
            yield
        finally:
            for each in (self._broker, self._slow_sink, self._sink):
                each.stop()

    def events(self, scenario: Scenario) -> int:
        """How many events lie in the scenario's topic."""
        return round(self._events * scenario.part)

    def stage(self, scenario: Scenario) -> Stage:
        """Where a scenario takes place. Its topic is filled when the first one needs it."""
        shape, count = scenario.shape, self.events(scenario)
        if (shape, count) not in self._topics:
            self._topics[shape, count] = self._fill(shape, count)
        urls = {"tls": self._sink.tls_url, "odd": self._sink.odd_url, "slow": self._slow_sink.base_url}
        return Stage(
            self._broker.bootstrap_servers,
            self._topics[shape, count],
            urls.get(scenario.base_url, self._sink.base_url),
            self._folder,
            self._core,
            self._schemas(shape),
            scenario.in_flight,
            scenario.service_ids,
            self._sink.ca_file if scenario.base_url == "tls" else None,
            scenario.ledger,
            mapping(SERVICE_IDS[: scenario.service_ids]) if shape.mapped else "",
        )

    @contextlib.contextmanager
    def quiet_stage(self, partitions: int, in_flight: int) -> Iterator[Stage]:
        """A stage whose topic is new and empty, for a vendor that somebody else is.

        Its topics are deleted at the end: with some 15,000 partitions the broker takes seconds for each answer.
        """
        names = self._create_topics(partitions)
        yield Stage(self._broker.bootstrap_servers, names[0], "", self._folder, self._core, in_flight=in_flight)
        delete_topics(self._broker.bootstrap_servers, *names)

    def posts(self, scenario: Scenario) -> int:
        """Posts so far to the sink of this scenario."""
        return (self._slow_sink if scenario.base_url == "slow" else self._sink).posts()

    def _fill(self, shape: Shape, count: int) -> str:
        topic, *_ = self._create_topics(shape.partitions)
        size = fill(self._broker.bootstrap_servers, topic, count, shape)
        typer.echo(f"{count:,} events of {size:,} bytes in {shape.partitions:,} partitions")
        return topic

    def _create_topics(self, partitions: int) -> tuple[str, ...]:
        topic = f"bench-{uuid.uuid4().hex[:8]}"
        names = topic, f"{topic}.retry", f"{topic}.dlq", f"{topic}.ledger"
        create_topics(self._broker.bootstrap_servers, partitions, *names)
        return names

    def _schemas(self, shape: Shape) -> Path:
        folder = self._folder / f"schemas-{shape.padding}{'-mapped' if shape.mapped else ''}"
        folder.mkdir(exist_ok=True)
        (folder / "invocation-event.avsc").write_text(schema_of(shape))
        return folder
