"""A stage for the engine: Kafka in memory, a scripted vendor, a decoder that needs no Avro, virtual time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog

from connector.core.codes import DEFAULT_TABLE
from connector.core.concurrency import Fixed
from connector.core.destination import Policy
from connector.core.envelope import Names
from connector.core.record import Partition, Record
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.reply import Answer, Reply
from connector.core.request import InvokeRequest, RequestRules
from connector.core.schedule import RetryPlan
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.core.trace import TraceContext
from connector.core.tries import Intervals
from connector.engine.brake import BrakeRules
from connector.engine.copies import Targets
from connector.engine.endpoint import EndpointRules
from connector.engine.engine import Engine, EngineRules, Topics
from connector.engine.judge import HoldRules
from connector.engine.limits import Bounds, Limit, PaceRules
from connector.engine.pipeline import Pipeline, PipelineRules
from connector.engine.ports import Clock, Decoder, Ledger
from connector.engine.schedule import Ordering
from connector.engine.timers import Now
from connector.engine.translated import Translated
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from connector.runtime.driver import Ports
from connector.runtime.untraced import Untraced
from tests.support.memory import MemoryBroker, MemorySink, MemorySource

MAIN, RETRY, DEAD = "invocations", "invocations.retry", "invocations.dlq"
ACCEPTED = Reply(202, "REQ-1", b"")
TEMPORARY = Reply(500, "REQ-2", b'{"error":{"code":1010,"description":"temporary"}}')
PERMANENT = Reply(400, "REQ-3", b'{"error":{"code":12002,"description":"invalid JSON"}}')
FORBIDDEN = Reply(401, "REQ-4", b"")

Script = Callable[[str, int], Answer | None]
"""(phone number, how often it was posted before) → what the vendor answers; None: it never answers."""

POLICY = Policy(
    RetryPlan(delay_ms=900_000, window_ms=86_400_000),
    max_event_age_ms=172_800_000,
    maybe_delivered_repeats=1,
)
HOLD = HoldRules(
    canary=Intervals(30.0, 900.0),
    endpoint=EndpointRules(10.0, 0.9, 20, Intervals(2.0, 30.0)),
    brake=BrakeRules(True, 60.0, 0.5, 100),
    longest_pause=900.0,
)
BOUNDS = Bounds(in_flight=8, uncommitted=500, records=1000, size=1 << 20)


class ScriptedVendor:
    """Answers as the script says after `latency` seconds, and remembers what was posted in which order."""

    def __init__(self, script: Script, latency: float = 0.05) -> None:
        self.script = script
        self.latency = latency
        self.posted: list[str] = []
        self.order: list[str] = []
        self.under_way: Counter[str] = Counter()
        self.most_under_way = 0

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post."""
        content = json.loads(request.body)
        number = content["endUser"]["phoneNumber"]
        before = self.posted.count(number)
        self.posted.append(number)
        self.order.append(content.get("variables", {}).get("request", {}).get("mark", ""))
        self.under_way[number] += 1
        self.most_under_way = max(self.most_under_way, sum(self.under_way.values()))
        try:
            answer = self.script(number, before)
            await asyncio.sleep(1e9 if answer is None else self.latency)
        finally:
            self.under_way[number] -= 1
        assert answer is not None
        return answer

    async def close(self) -> None:
        """Nothing to close."""


class Vendor(Protocol):
    """Answers a post."""

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post."""


class TaskInvoker:
    """`engine.ports.Invoker` of a vendor that takes its time: a task for each post."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._tasks: set[asyncio.Task[None]] = set()

    def post(
        self, request: InvokeRequest, on_answer: Callable[[Answer], None], trace: TraceContext | None = None
    ) -> object:
        """Post once."""
        task = asyncio.create_task(self._invoke(request, on_answer, trace))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def abandon_all(self) -> None:
        """Nobody waits any more."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Nothing to close."""

    async def _invoke(
        self, request: InvokeRequest, on_answer: Callable[[Answer], None], trace: TraceContext | None
    ) -> None:
        on_answer(await self._vendor.invoke(request, trace))


class JsonDecoder:
    """Reads fields as JSON. A value that begins with `schema:` needs that schema first."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.unavailable: dict[str, int] = {}

    def decode(self, record: Record) -> Mapping[str, object] | Refusal | SchemaNeeded:
        """Decode now."""
        value = record.value or b""
        if value.startswith(b"schema:"):
            name, _, value = value.partition(b" ")
            if name.decode() not in self.known:
                return SchemaNeeded(name.decode(), record.partition, record.offset)
        if value == b"bug":
            raise RuntimeError("a bug")
        try:
            return dict(json.loads(value))
        except ValueError:
            return Refusal(Stage.DECODE, (Problem("undecodable", "value", "bytes", "send Avro"),))

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        """Known after as many tries as `unavailable` says."""
        if self.unavailable.get(needed.key, 0) > 0:
            self.unavailable[needed.key] -= 1
            return SchemaMissing("unreachable", "http://registry", "Connection refused", "look at the registry")
        self.known.add(needed.key)
        return None


def number(n: int) -> str:
    """A number of the range that is reserved for fiction."""
    return f"1201555{n:04d}"


def event(n: int = 0, mark: str = "", **fields: object) -> bytes:
    """An event for the n-th end user; `mark` tells posts apart."""
    variables = {"request": {"mark": mark}} if mark else {}
    return json.dumps(
        {
            "eventId": f"e-{n}-{mark}",
            "serviceId": "0A1B",
            "phoneNumber": number(n),
            "mobileOperatorId": None,
            "variables": variables,
            "createdAt": None,
            "expiresAt": None,
            **fields,
        }
    ).encode()


def always(answer: Answer) -> Script:
    """The same answer for everybody."""
    return lambda _number, _before: answer


class Connector:
    """One process: the real engine between a member of the memory broker's group and a vendor."""

    def __init__(
        self,
        broker: MemoryBroker,
        vendor: Vendor,
        clock: Clock,
        *,
        bounds: Bounds = BOUNDS,
        policy: Policy = POLICY,
        ordering: Ordering = "end_user",
        decoder: Decoder | None = None,
        hold: HoldRules = HOLD,
        pace: PaceRules = PaceRules(),  # noqa: B008 - an immutable value
        limit: Limit | None = None,
        warm: bool = True,
        translated: Translated = "stop",
        ledger: Ledger | None = None,
        deduplicate_ms: int | None = None,
        tracing: Untraced = Untraced(),  # noqa: B008 - it keeps nothing
    ) -> None:
        """`warm`: as if it had posted for a while; else it opens gradually, from one post on."""
        self.metrics = Metrics(exemplars=tracing.exemplars)
        self.log: list[Mapping[str, object]] = []
        logger = structlog.wrap_logger(None, processors=[self._keep])
        self.events = Events(self.metrics, logger, log_accepted=True, monotonic=clock.monotonic)
        self.source = MemorySource(broker, frozenset({MAIN, RETRY}))
        self.decoder = tracing.decoder(decoder or JsonDecoder())
        rules = PipelineRules(RequestRules(service_ids=None), DEFAULT_TABLE, policy)
        now = Now(clock.monotonic(), clock.now_ms())
        pipeline = Pipeline(rules, self.decoder, now, self.events, chance=lambda: 0.5)
        topics = Topics(frozenset({RETRY}), Targets(RETRY, DEAD, Names("invoke-connector")))
        self.engine = Engine(
            pipeline,
            topics,
            bounds,
            EngineRules(
                policy.retry,
                ordering,
                pace,
                hold,
                None if ledger is None else "optional",
                deduplicate_ms,
                translated,
                None if ledger is None else str.encode,
            ),
            limit or Fixed(bounds.in_flight),
            now,
            self.events,
        )
        ports = Ports(self.source, MemorySink(broker), self.decoder, TaskInvoker(vendor), clock, self.events, ledger)
        self.driver = tracing.driver(ports, self.engine)
        if warm:
            self.engine.limits.open_wide()
            self.engine.judge.brake.posted()
        self.task = asyncio.create_task(self.driver.run())

    def _keep(self, _logger: object, level: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        self.log.append({"level": level, **line})
        raise structlog.DropEvent

    def count(self, name: str) -> float:
        """Sum of a counter over its labels."""
        return sum(series.value for series in self.metrics.counter(name).series.values())

    def books_balance(self) -> bool:
        """Whether what was taken is accounted for."""
        settled = (
            "records_accepted",
            "records_retried",
            "records_dead_lettered",
            "records_duplicate",
            "records_not_ours",
            "records_skipped",
        )
        accounted = sum(map(self.count, settled)) + self.count("records_released") + self.engine.in_hand
        return self.count("records_taken") == accounted

    async def leave(self, budget: float = 40.0) -> bool:
        """Stop well."""
        drained = await self.driver.leave(budget)
        self.crash()
        return drained

    def crash(self) -> None:
        """Stop at once: nothing is drained or committed."""
        self.task.cancel()
        self.driver.stop()
        self.source.crash()


def broker(clock: Clock, main: int = 2) -> MemoryBroker:
    """The three topics."""
    return MemoryBroker({MAIN: main, RETRY: 1, DEAD: 1}, clock.now_ms)


def values(kafka: MemoryBroker, topic: str) -> list[Record]:
    """All records of a topic."""
    return [record for partition, log in kafka.logs.items() if partition.topic == topic for record in log]


def feed(kafka: MemoryBroker, value: bytes | None, partition: int = 0, **more: object) -> Record:
    """Write one record to the main topic."""
    return kafka.append(Partition(MAIN, partition), value, **more)  # type: ignore[arg-type]  # passed through


@asynccontextmanager
async def running(connector: Connector) -> AsyncIterator[Connector]:
    """Leave at the end, whatever happens."""
    try:
        yield connector
    finally:
        await connector.leave()
