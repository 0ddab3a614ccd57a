"""Puts the rooms together for `connector run`. The only place that knows the concrete classes of all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import orjson

from connector import __version__
from connector.cli import parts, policies
from connector.cli.renewal import Hide, Renewal, read_again
from connector.config import ConfigError
from connector.config.client import consumer_properties, kafka_properties, producer_properties
from connector.config.settings import Settings
from connector.core.destination import OWN_CODES
from connector.core.envelope import Names
from connector.core.event import EVENT_CODES
from connector.core.outcome import Fate, Table
from connector.core.record import Partition
from connector.core.request import REMEDIES
from connector.edge.admin import AdminServer
from connector.edge.avro import DECODE_CODES, FETCH_CODES
from connector.edge.clock import SystemClock
from connector.edge.kafka_consumer import KafkaSource
from connector.edge.kafka_errors import remedy_of
from connector.edge.kafka_identity import LogIdentities
from connector.edge.kafka_producer import KafkaSink
from connector.edge.kafka_properties import refusal
from connector.edge.kafka_starts import Subscription
from connector.edge.kafka_watermarks import Watermarks
from connector.edge.watch import FileWatch
from connector.flow.deliver import Road, Rules
from connector.flow.hold import Hold
from connector.flow.lifecycle import Ending, run_until
from connector.flow.loop import Limits, Loop, Topics, World
from connector.flow.settle import Targets
from connector.observe.events import AcceptedLine, Events, Logger
from connector.observe.metrics import Metrics

_HEARTBEAT = 1.0
"""Seconds between two signs of life of the event loop."""

_LIVENESS_BEYOND_DRAIN = 30.0
"""Seconds without a turn beyond the drain's budget that make `/livez` fail."""


class Output(NamedTuple):
    """Where the log goes."""

    logger: Logger
    accepted_line: AcceptedLine | None
    hide: Hide


class CannotStartError(Exception):
    """Something that a connector needs before its first record is not to be had. Both texts are for a person."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


async def run(settings: Settings, output: Output, stop: asyncio.Event) -> Ending:
    """Run one connector until `stop` is set or Kafka refuses for good.

    Raises ConfigError for schemas or Kafka properties that cannot be used, and CannotStartError.
    """
    if (why := refusal(consumer_properties(settings.kafka), producer_properties(settings.kafka))) is not None:
        raise ConfigError((f"kafka: librdkafka refuses these settings: {why}",))
    process = _Process(settings, output)
    return await process.run(stop)


@contextmanager
def _needs(remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        raise CannotStartError(error.strerror or type(error).__name__, remedy) from None


class _Process:
    """One connector process and all its neighbours. Made on a running event loop."""

    def __init__(self, settings: Settings, output: Output) -> None:
        settings, self._files = read_again(settings, output.hide)
        self._settings = settings
        self._clock = SystemClock()
        table = parts.outcome_table(settings)
        self._metrics = _metrics(table)
        self._events = Events(self._metrics, output.logger, settings.log.accepted, accepted_line=output.accepted_line)
        self._round_trips: dict[tuple[str, ...], float] = {}
        kafka = settings.kafka
        self._source = KafkaSource(
            consumer_properties(kafka),
            _subscription(settings),
            LogIdentities(kafka_properties(kafka)),
            self._consumer_error,
            self._statistics,
        )
        self._sink = KafkaSink(producer_properties(kafka), self._producer_error)
        with _needs("openmarket.tls: PEM files, the key belonging to the certificate; `connector check` looks at them"):
            self._invoker = parts.invoker(settings)
        with _needs("schemas.registry.ca_file: a PEM file"):
            registry = parts.registry(settings)
        self._decoder = parts.decoder(settings, self._clock, registry)
        self._renewal = Renewal(
            settings, self._invoker, registry, self._events, output.hide, lambda: self._loop.judge.renewed()
        )
        rules = Rules(parts.request_rules(settings), table, policies.policy(settings))
        world = World(self._source, self._sink, self._decoder, self._clock, self._events)
        road = Road(rules, self._decoder, self._invoker, self._clock, self._events, random.random)
        self._loop = Loop(
            world,
            road,
            _topics(settings),
            _limits(settings),
            policies.flow_rules(settings),
            policies.limit(settings),
            random.random,
        )
        self._watermarks = Watermarks(kafka_properties(kafka), lambda: self._loop.assignments, self._consumer_error)
        self._admin = AdminServer(
            self._metrics.registry,
            turn_age=self._turn_age,
            turn_age_bound=settings.delivery.drain + _LIVENESS_BEYOND_DRAIN,
            is_ready=self._is_ready,
            status=self._status,
        )
        self._provide()

    async def run(self, stop: asyncio.Event) -> Ending:
        """Start the neighbours, run the loop, and let go of all of them."""
        settings = self._settings
        with _needs("admin.host and admin.port: an address of this machine, and a port that nobody else has"):
            await self._admin.start(settings.admin.host, settings.admin.port)
        self._events.starting(_summary(settings), settings.openmarket.is_cie)
        background = [
            asyncio.create_task(self._heartbeat(stop)),
            asyncio.create_task(self._watermarks.run()),
            asyncio.create_task(FileWatch(self._files, self._renewal.changed).run()),
        ]
        try:
            return await run_until(stop, self._loop, self._sink, self._invoker, self._events, settings.delivery.drain)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._decoder.close()
            await self._admin.stop()

    async def _heartbeat(self, stop: asyncio.Event) -> None:
        joined = False
        missing: frozenset[str] = frozenset()
        while True:
            missing = self._report_missing(missing)
            self._events.loop_turn(self._clock.monotonic())
            self._events.owner_turn(self._source.turned_at)
            if self._source.joined and not joined and not stop.is_set():
                joined = True
                self._events.ready()
            await asyncio.sleep(_HEARTBEAT)

    def _report_missing(self, before: frozenset[str]) -> frozenset[str]:
        now = self._source.missing
        for topic in sorted(now - before):
            self._events.topic_missing(topic)
        for topic in sorted(before - now):
            self._events.topic_found(topic)
        return now

    def _provide(self) -> None:
        provide = self._metrics.provide
        provide("ready", lambda: float(self._is_ready()))
        provide("topics_missing", lambda: len(self._source.missing))
        provide("records_in_hand", lambda: self._loop.in_hand)
        provide("in_flight", lambda: self._loop.in_flight)
        provide("assigned_partitions", lambda: len(self._loop.assignments))
        provide("oldest_unsettled_seconds", self._oldest_seconds)
        provide("oldest_unsettled_retention_ratio", self._oldest_ratio)
        provide("lag", lambda: {(p.topic, str(p.number)): float(lag) for p, lag in self._lags().items()})
        provide("last_commit_age_seconds", self._commit_age)
        provide("certificate_expiry_timestamp_seconds", lambda: self._renewal.certificate_expiries)
        provide("broker_round_trip_seconds", lambda: self._round_trips)

    def _is_ready(self) -> bool:
        held = self._loop.holds.active and not self._settings.admin.ready_during_hold
        return self._events.is_ready and not held and not self._source.missing

    def _turn_age(self) -> float:
        return max(self._events.loop_turn_age(), self._events.owner_turn_age())

    def _commit_age(self) -> float:
        return self._clock.monotonic() - self._loop.committer.last_acknowledged

    def _oldest_seconds(self) -> float:
        return max((age for _, age in self._ages()), default=0.0)

    def _oldest_ratio(self) -> float:
        kept = self._watermarks.retention
        return max((age / kept[topic] for topic, age in self._ages() if topic in kept), default=0.0)

    def _ages(self) -> Iterator[tuple[str, float]]:
        """The topic of each assigned partition with the age of its oldest unsettled record, in seconds."""
        now_ms = self._clock.now_ms()
        for partition, assignment in self._loop.assignments.items():
            record = assignment.oldest()
            if record is not None and record.timestamp_ms is not None:
                yield partition.topic, max(0.0, (now_ms - record.timestamp_ms) / 1000)

    def _lags(self) -> dict[Partition, int]:
        """Offsets between what is settled and the end of the log, as far as the end is known."""
        bounds = self._watermarks.bounds
        return {
            partition: bounds[partition].lag(assignment.tracker.committable)
            for partition, assignment in self._loop.assignments.items()
            if partition in bounds
        }

    def _status(self) -> Mapping[str, object]:
        lags = self._lags()
        return {
            "version": __version__,
            "base_url": self._settings.openmarket.base_url,
            "cie": self._settings.openmarket.is_cie,
            "ready": self._is_ready(),
            "holds": [self._shown(hold) for hold in self._loop.holds.in_force],
            "pace": {
                "in_flight_limit": self._loop.gate.limit,
                "rate": self._loop.gate.rate,
                "share": round(self._loop.gate.share, 4),
            },
            "records": {
                name: int(sum(series.value for series in self._metrics.counter(f"records_{name}").series.values()))
                for name in ("taken", "accepted", "retried", "dead_lettered", "skipped", "released")
            },
            "in_hand": self._loop.in_hand,
            "in_flight": self._loop.in_flight,
            "uncommitted": self._loop.committer.uncommitted,
            "oldest_unsettled_seconds": round(self._oldest_seconds(), 1),
            "answers": {
                labels[0]: int(series.value)
                for labels, series in self._metrics.counter("answers").series.items()
                if series.value
            },
            "partitions": {
                str(partition): {
                    "committable": assignment.tracker.committable,
                    "lag": lags.get(partition),
                    "queued": len(assignment.queue),
                    "in_hand": len(assignment.open),
                    "waits_for": sorted(assignment.stuck) or (["due time"] if assignment.asleep else []),
                }
                for partition, assignment in sorted(self._loop.assignments.items())
            },
        }

    def _shown(self, hold: Hold) -> Mapping[str, object]:
        tries = hold.tries
        return {
            "kind": hold.kind,
            "since_ms": hold.since_ms,
            **hold.reason._asdict(),
            "tries": None if tries is None else tries.made,
            "next_try_in_seconds": None if tries is None else round(max(0.0, tries.due - self._clock.monotonic()), 1),
        }

    def _statistics(self, statistics: str) -> None:
        brokers = orjson.loads(statistics).get("brokers", {})
        self._round_trips = {
            (broker["name"],): broker["rtt"]["avg"] / 1e6
            for broker in brokers.values()
            if broker.get("nodeid", -1) >= 0 and "rtt" in broker
        }

    def _consumer_error(self, code: str) -> None:
        self._events.kafka_error("consumer", code, remedy_of(code))

    def _producer_error(self, code: str) -> None:
        self._events.kafka_error("producer", code)


def _metrics(table: Table) -> Metrics:
    answers = [row.code for row in table.rows()]
    refusals = [*sorted(DECODE_CODES), *sorted(EVENT_CODES), *REMEDIES, *sorted(OWN_CODES)]
    dead_letters = [row.code for row in table.rows() if row.fate is Fate.DEAD_LETTER]
    return Metrics([*refusals, *dead_letters], answers, sorted(FETCH_CODES))


def _retry_topics(settings: Settings) -> frozenset[str]:
    topics = settings.kafka.topics
    return frozenset({topics.retry, *topics.retry_also})


def _subscription(settings: Settings) -> Subscription:
    return Subscription(
        settings.kafka.topics.main, _retry_topics(settings), settings.kafka.start, settings.delivery.drain
    )


def _topics(settings: Settings) -> Topics:
    topics = settings.kafka.topics
    return Topics(_retry_topics(settings), Targets(topics.retry, topics.dead_letter, Names(settings.kafka.group_id)))


def _limits(settings: Settings) -> Limits:
    delivery = settings.delivery
    return Limits(delivery.in_flight, delivery.uncommitted, delivery.buffer_records, delivery.buffer_bytes)


def _summary(settings: Settings) -> dict[str, object]:
    """What an operator wants to see first; no secret, and not the account."""
    topics = settings.kafka.topics
    return {
        "version": __version__,
        "base_url": settings.openmarket.base_url,
        "bootstrap_servers": settings.kafka.bootstrap_servers,
        "group_id": settings.kafka.group_id,
        "topics": [topics.main, topics.retry, topics.dead_letter],
        "in_flight": settings.delivery.in_flight,
        "ordering": settings.delivery.ordering,
    }
