"""The connector without Kafka and without HTTP: records that lie in memory, and a vendor that answers in the next turn.

What is left is our own: decoding, building, everything that decides about records, commits, the lines and the books.
One process and one thread, so that it can be counted and measured on a machine that has other work.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.events import SCHEMA_FILE, SERVICE_IDS, Shape, encoder, end_user, events, schema_of, written
from benchmarks.feed import Feed
from benchmarks.mapped import mapping
from connector.config import load
from connector.config.settings import Settings
from connector.core.envelope import Names
from connector.core.record import Headers, Partition, Record
from connector.core.reply import Answer, Reply
from connector.core.request import InvokeRequest
from connector.core.signals import WriteFailed
from connector.core.trace import TraceContext
from connector.edge.clock import SystemClock
from connector.engine.copies import Targets
from connector.engine.engine import Engine, Topics
from connector.engine.pipeline import Pipeline, PipelineRules
from connector.engine.ports import Clock
from connector.engine.timers import Now
from connector.observe.events import Events
from connector.observe.logs import Logs
from connector.observe.metrics import Metrics
from connector.runtime import parts, policies
from connector.runtime.driver import Ports
from connector.runtime.lifecycle import run_until
from connector.runtime.untraced import Untraced

MAIN, RETRY, DEAD = "bench", "bench.retry", "bench.dlq"
ACCEPTED = Reply(202, "8a9f3c5e", b"")
TEMPORARY = Reply(500, "8a9f3c5e", b'{"error":{"code":1010,"description":"temporary system failure"}}')
REJECTED = Reply(400, "8a9f3c5e", b'{"error":{"code":12002,"description":"invalid JSON"}}')

_SETTINGS = """\
kafka: {{bootstrap_servers: "127.0.0.1:1", topics: {{main: bench}}}}
schemas: {{folder: {schemas}}}
openmarket:
  base_url: http://127.0.0.1:1
  account_id: bench
  password_file: {folder}/password
  service_ids: [{service_ids}]
"""


class Mix(NamedTuple):
    """Events of one shape, for so many services that are configured. `failures`: one answer in a hundred is temporary,
    and one a rejection."""

    says: str
    shape: Shape = Shape()
    service_ids: int = 1
    failures: bool = False


MIXES = {
    "defaults": Mix("one service"),
    "even": Mix("two services of the same size", Shape(second=50), 2),
    "two-services": Mix("one of two services has 90 % of the events", Shape(second=10), 2),
    "silent-service": Mix("one of two services has nothing to post", Shape(), 2),
    "ten": Mix("ten fields of our own schema", Shape(ten=True)),
    "mapped": Mix("the same ten, mapped from a producer's own schema", Shape(mapped=True)),
    "failures": Mix("1 % answered 1010 and 1 % rejected", failures=True),
    "partitions": Mix("1,000 partitions", Shape(partitions=1000)),
}

Step = Callable[[], None]


def _nothing() -> None:
    """The step that does nothing."""


class Vendor:
    """Answers in the next turn of the event loop, by the number of the post.

    `warm` is called before the answer to the `warm_after`th post, and `last` at that to the last one.
    """

    def __init__(self, count: int, warm_after: int, warm: Step, last: Step, *, failures: bool) -> None:
        self.posts = 0
        self._count = count
        self._steps = {warm_after: warm, count: last}
        self._failures = failures

    def on_done(self, done: Step) -> None:
        """Have this called, too, with the last one."""
        last = self._steps[self._count]

        def both() -> None:
            last()
            done()

        self._steps[self._count] = both

    def post(
        self, request: InvokeRequest, on_answer: Callable[[Answer], None], trace: TraceContext | None = None
    ) -> None:
        """Post, and have the answer told."""
        asyncio.get_running_loop().call_soon(on_answer, self._answer())

    def abandon_all(self) -> None:
        """Whoever was told to stop takes no more answers."""

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> Answer:
        self.posts += 1
        self._steps.get(self.posts, _nothing)()
        if self._failures and self.posts % 50 == 0:
            return TEMPORARY if self.posts % 100 else REJECTED
        return ACCEPTED


def settings_of(mix: Mix, folder: Path) -> Settings:
    """All defaults, but for what has none. Files are written into `folder`."""
    (folder / "password").write_text("bench\n")
    file = folder / "config.yaml"
    service_ids = ", ".join(SERVICE_IDS[: mix.service_ids])
    schemas = SCHEMA_FILE.parent
    text = ""
    if mix.shape.mapped:
        schemas, text = folder / "mapped", mapping(SERVICE_IDS[: mix.service_ids])
        schemas.mkdir(exist_ok=True)
        (schemas / "booking.avsc").write_text(schema_of(mix.shape))
    file.write_text(_SETTINGS.format(folder=folder, schemas=schemas, service_ids=service_ids) + text)
    return load(file, {})


def logs_of(mix: Mix, count: int, clock: Clock, headers: Headers = ()) -> dict[Partition, list[Record]]:
    """So many events in the main topic, as Kafka's clients would give them, each with these headers."""
    partitions = [Partition(topic, number) for topic in (MAIN, RETRY) for number in range(mix.shape.partitions)]
    logs: dict[Partition, list[Record]] = {partition: [] for partition in partitions}
    encode, now_ms = encoder(mix.shape).encode, clock.now_ms()
    for number, event in enumerate(events(count, mix.shape, now_ms)):
        partition = partitions[number * 7919 % mix.shape.partitions]
        log, key = logs[partition], end_user(number).encode()
        log.append(Record(partition, len(log), now_ms, key, encode(written(event, mix.shape)), headers, 0))
    return logs


class _Copies:
    """Takes copies for the retry and dead-letter topics, and acknowledges them in the next turn."""

    async def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> WriteFailed | None:
        await asyncio.sleep(0)
        return None

    async def close(self) -> None:
        pass


class _Nowhere:
    """A log that nobody keeps."""

    def write(self, data: memoryview, /) -> int:
        return len(data)

    def fileno(self) -> int:
        raise OSError("no file")

    def isatty(self) -> bool:
        return False


class Run:
    """One process of the connector between a source and a vendor. Made on a running event loop."""

    def __init__(self, mix: Mix, source: Feed, clock: Clock, folder: Path, tracing: Untraced | None = None) -> None:
        self._tracing = tracing or Untraced()
        self._settings = settings_of(mix, folder)
        self._source = source
        self._clock = clock

    async def until_done(self, vendor: Vendor) -> None:
        """Post until the vendor has answered what it was told to, drain, and leave."""
        stop = asyncio.Event()
        vendor.on_done(stop.set)
        logs = Logs(_Nowhere(), self._clock.now_ms, format="json")
        await self._connector(vendor, logs, stop)
        logs.close()

    async def _connector(self, vendor: Vendor, logs: Logs, stop: asyncio.Event) -> None:
        """What `runtime/wiring.py` makes of the same settings: the one place here that knows how the engine is made."""
        settings, clock, table = self._settings, self._clock, policies.outcome_table(self._settings.openmarket)
        answers = [row.code for row in table.rows()]
        services, exemplars = settings.openmarket.allowed_services or (), self._tracing.exemplars
        metrics = Metrics(answer_codes=answers, services=services, exemplars=exemplars)
        events = Events(metrics, logs.logger, log_accepted=True, accepted_line=logs.accepted_line)
        decoder = parts.decoder(settings, clock, None)
        source, sink, decode = self._source, _Copies(), self._tracing.decoder(decoder)
        rules = PipelineRules(policies.request_rules(settings.openmarket), table, policies.policy(settings))
        delivery = settings.delivery
        now = Now(clock.monotonic(), clock.now_ms())
        engine = Engine(
            Pipeline(rules, decode, now, events, lambda: 0.5),
            Topics(frozenset({RETRY}), Targets(RETRY, DEAD, Names("bench"))),
            policies.bounds(settings),
            policies.engine_rules(settings),
            policies.limit(settings),
            now,
            events,
        )
        driver = self._tracing.driver(Ports(source, sink, decode, vendor, clock, events), engine)
        await run_until(stop, driver, sink, vendor, events, delivery.drain)
        await decoder.close()


class Used(NamedTuple):
    """Once a third of the events went by: microseconds of CPU an event, and records taken for each that was posted."""

    cpu_us: float
    taken: float


def measure(
    mix: Mix, count: int, folder: Path, headers: Headers = (), tracing: Callable[[], Untraced] = Untraced
) -> Used:
    """Post so many events with these headers on uvloop. The CPU is that of this whole process."""
    clock = SystemClock()
    logs = logs_of(mix, count, clock, headers)
    at: list[float] = []

    def look() -> None:
        at.append(time.process_time())

    async def post() -> int:
        source = Feed(logs)
        vendor = Vendor(count, count // 3, look, look, failures=mix.failures)
        traced = tracing()
        await Run(mix, source, clock, folder, traced).until_done(vendor)
        await traced.close()
        return source.taken

    gc.collect()
    gc.freeze()  # what lies in the logs is Kafka's, not ours
    taken = uvloop.run(post())
    gc.unfreeze()
    return Used((at[1] - at[0]) / (count - count // 3) * 1e6, taken / count)
