"""Puts the rooms together for `connector run`. The only place that knows the concrete classes of all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from connector.config import ConfigError
from connector.config.client import consumer_properties, kafka_properties, producer_properties
from connector.config.settings import Settings
from connector.core.record import Partition
from connector.edge.admin import AdminServer
from connector.edge.clock import SystemClock
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.properties import refusal
from connector.edge.kafka.source import KafkaSource
from connector.edge.kafka.tokens import token_host
from connector.edge.kafka.transactions import Behind
from connector.edge.kafka.watermarks import Watermarks
from connector.edge.paused_file import PausedFile
from connector.edge.watch import Content, FileWatch, look
from connector.engine.engine import Engine
from connector.engine.pipeline import Pipeline, PipelineRules
from connector.engine.timers import Now
from connector.observe.events import AcceptedLine, Logger
from connector.observe.metrics import Series
from connector.runtime import control, kafka_parts, open_files, parts, policies, reporting
from connector.runtime.commands import EngineCommands
from connector.runtime.driver import Ports
from connector.runtime.glancing import Glancer, Looked
from connector.runtime.health import Health
from connector.runtime.heartbeat import Heartbeat, Watched
from connector.runtime.idle import Idleness
from connector.runtime.lifecycle import Ending, run_until
from connector.runtime.reach import Reach, Told
from connector.runtime.renewal import Hide, Renewal, read_again
from connector.runtime.stopping import Stopping
from connector.runtime.topic_watch import TopicWatch
from connector.runtime.tracing import tracing
from connector.runtime.view import View

_LIVENESS_BEYOND_DRAIN = 30.0
"""Seconds without a turn beyond the drain's budget that make `/livez` fail."""


class Output(NamedTuple):
    """Where the log goes. `dropped` counts its lines that could not be written."""

    logger: Logger
    accepted_line: AcceptedLine | None
    hide: Hide
    dropped: Series


_kept: list[object] = []
"""Everything, until the process ends: Kafka's clients wait when they are destroyed, for brokers that may hang."""


class CannotStartError(Exception):
    """Something that a connector needs before its first record is not to be had. Both texts are for a person."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


async def run(settings: Settings, output: Output, stopping: Stopping) -> Ending:
    """Run one connector until it is told to stop or Kafka refuses for good.

    Raises ConfigError for schemas or Kafka properties that cannot be used, and CannotStartError.
    """
    if (why := refusal(consumer_properties(settings.kafka), producer_properties(settings.kafka))) is not None:
        raise ConfigError((f"kafka: librdkafka refuses these settings: {why}",))
    if (why := open_files.allow(settings.delivery.in_flight)) is not None:
        raise CannotStartError(why, open_files.REMEDY)
    process = _Process(settings, output)
    _kept.append(process)
    return await process.run(stopping)


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
        table = policies.outcome_table(settings.openmarket)
        self._tracing = tracing(settings, lambda: self._events, output.hide)
        self._metrics = reporting.metrics(settings, table, self._tracing.exemplars)
        self._metrics.counter("log_lines_dropped").follow(output.dropped)
        self._events = reporting.events(settings, self._metrics, output.logger, output.accepted_line)
        self._health = Health(self._clock.monotonic())
        kafka = settings.kafka
        self._reach = Reach(self._events, kafka.bootstrap_servers, self._clock.monotonic())
        told = Told(self._events, self._reach, self._clock, token_host(kafka_properties(kafka)))
        self._source = KafkaSource(
            consumer_properties(kafka),
            kafka_parts.subscription(settings),
            LogIdentities(kafka_properties(kafka)),
            told.consumer_error,
            told.statistics,
        )
        self._sink = kafka_parts.sink(settings, told.producer_error)
        with _needs("openmarket.tls: PEM files, the key belonging to the certificate; `connector check` looks at them"):
            self._invoker = parts.posting(settings)
        with _needs("schemas.registry: PEM files, and the key must belong to the certificate"):
            registry = parts.registry(settings)
        self._decoder = parts.decoder(settings, self._clock, registry)
        engine_rules = policies.engine_rules(settings)
        self._ledger, entries = kafka_parts.ledger(settings, self._events)
        if entries is not None:
            engine_rules = engine_rules._replace(hmac_of=entries.hmac_of)
        self._renewal = Renewal(
            settings,
            self._invoker,
            registry,
            self._events,
            output.hide,
            lambda: self._driver.renewed(),
            (lambda _: None) if entries is None else entries.renew_key,
        )
        rules = PipelineRules(policies.request_rules(settings.openmarket), table, policies.policy(settings))
        now = Now(self._clock.monotonic(), self._clock.now_ms())
        decoder = self._tracing.decoder(self._decoder)
        self._engine = Engine(
            Pipeline(rules, decoder, now, self._events, random.random),
            kafka_parts.topics(settings),
            policies.bounds(settings),
            engine_rules,
            policies.limit(settings),
            now,
            self._events,
        )
        ports = Ports(self._source, self._sink, decoder, self._invoker, self._clock, self._events, self._ledger)
        self._driver = self._tracing.driver(ports, self._engine)
        watermarks = Watermarks(
            kafka_properties(kafka), lambda: self._engine.assignments, told.consumer_error, self._old_transaction
        )
        commands = EngineCommands(self._driver, self._clock)
        metrics, events, engine, source = self._metrics, self._events, self._engine, self._source
        view = View(settings, self._clock, self._health, metrics, engine, source, watermarks, commands, events.copies)
        metrics.provide("certificate_expiry_timestamp_seconds", lambda: self._renewal.certificate_expiries)
        metrics.provide("secrets_unusable", lambda: self._renewal.unusable)
        metrics.provide("restart_needed", lambda: self._renewal.wait_for_restart)
        metrics.provide("broker_round_trip_seconds", lambda: watermarks.round_trips.seconds)
        metrics.provide("ledger_waiting", lambda: float(engine.waiting_for_ledger))
        metrics.provide("kafka_reached", lambda: float(self._reach.is_reached))
        self._topics = TopicWatch(settings, events, lambda: self._reach.is_reached)
        metrics.provide("topic_findings", self._topics.counts)
        looked = Looked(engine, source, self._reach, commands, self._health, view)
        glancer = Glancer(settings, self._clock, table, metrics, looked)
        idleness = Idleness(events, kafka.topics.main, view.main_partitions)
        watched = Watched(source, self._reach, view, glancer, idleness)
        self._heartbeat = Heartbeat(watched, self._health, events, self._clock)
        self._watermarks = watermarks
        self._control = control.server(settings, commands)
        self._admin = AdminServer(
            metrics.page,
            turn_age=view.turn_age,
            turn_age_bound=settings.delivery.drain + _LIVENESS_BEYOND_DRAIN,
            is_ready=view.is_ready,
            status=view.status,
            page=glancer.page,
        )

    async def run(self, stopping: Stopping) -> Ending:
        """Start the neighbours, run the engine, and let go of all of them."""
        settings, admin = self._settings, self._settings.admin
        with _needs("admin.host and admin.port: an address of this machine, and a port that nobody else has"):
            port = await self._admin.start(admin.host, admin.port)
        with _needs(control.TAKEN):
            control_port = await self._control.start(admin.control_host, admin.control_port)
        ports = {"port": port, "control_port": control_port}
        self._events.starting({**reporting.summary(settings), **ports}, settings.openmarket.is_cie)
        if settings.is_shadow:
            self._events.shadow(settings.posts)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def drain() -> None:
            with suppress(RuntimeError):  # the event loop is closed: the process has stopped
                loop.call_soon_threadsafe(stop.set)

        stopping.drain_by(drain)
        jobs = [self._heartbeat.run(stop), self._watermarks.run(), self._topics.run()]
        jobs.append(FileWatch(self._files, self._renewal.changed).run())
        if (file := settings.hold.paused_file) is not None:
            jobs.append(self._follow(file).run())
        background = [asyncio.create_task(job) for job in jobs]
        try:
            return await run_until(
                stop,
                self._driver,
                self._sink,
                self._invoker,
                self._events,
                settings.delivery.drain,
                leaving=self._health.leaves,
            )
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            if self._ledger is not None:
                await self._ledger.close()
            await self._decoder.close()
            await self._tracing.close()
            await self._control.stop()
            await self._admin.stop()

    def _follow(self, path: Path) -> FileWatch:
        """What the file of pauses says is in force before the first record, and whenever it changes."""
        file = PausedFile(self._events, self._settings.read_topics)

        def obey(content: Content) -> None:
            if isinstance(content, bytes):
                targets = file.read(content)
            else:
                targets = file.read(None) if content.missing else file.unreadable()
            self._driver.follow_file(targets)

        async def changed(contents: Mapping[Path, Content]) -> None:
            obey(contents[path])

        known = look([path])
        obey(known[path])
        return FileWatch(known, changed)

    def _old_transaction(self, partition: Partition, behind: Behind, seconds: float) -> None:
        self._events.old_transaction(partition, behind.first, behind.offsets, seconds)
