"""What a page of metrics costs the event loop at 1,000 partitions: `python -m benchmarks.metrics_page`."""

from __future__ import annotations

import asyncio
import sys
import time
from types import SimpleNamespace
from typing import cast

from connector.config.settings import Settings
from connector.core.record import Partition
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.source import KafkaSource
from connector.edge.kafka.watermarks import Watermarks
from connector.observe.exposition import OPEN_METRICS, TEXT, Form
from connector.runtime.commands import EngineCommands
from connector.runtime.health import Health
from connector.runtime.view import View
from tests.engine.stage import ACCEPTED, DEAD, MAIN, RETRY, TEMPORARY, Connector, ScriptedVendor, event, feed
from tests.support.clock import VirtualClock, VirtualLoop
from tests.support.memory import MemoryBroker

PARTITIONS = 1000
PAGES = 200


async def measure(clock: VirtualClock) -> None:
    """Half of the partitions are of the retry topic, where copies wait; each of the others has a record in hand."""
    half = PARTITIONS // 2
    kafka = MemoryBroker({MAIN: half, RETRY: half, DEAD: 1}, clock.now_ms)
    vendor = ScriptedVendor(lambda number, _before: TEMPORARY if int(number) % 2 else ACCEPTED)
    connector = Connector(kafka, vendor, clock)
    logs = SimpleNamespace(bounds={}, retention={MAIN: 1e6}, transactions=SimpleNamespace(behind={}))
    logs.bounds = {Partition(topic, n): Bounds(0, 9, 9) for topic in (MAIN, RETRY) for n in range(half)}
    source = cast(KafkaSource, SimpleNamespace(missing=frozenset()))
    commands, settings = EngineCommands(connector.driver, clock), cast(Settings, _settings())
    View(
        settings,
        clock,
        Health(clock.monotonic()),
        connector.metrics,
        connector.engine,
        source,
        cast(Watermarks, logs),
        commands,
        connector.events.copies,
    )
    for n in range(half):
        feed(kafka, event(n), n)
    await asyncio.sleep(60)
    vendor.script = lambda _number, _before: None
    for n in range(half):
        feed(kafka, event(half + n), n)
    await asyncio.sleep(1)
    spent: dict[Form, list[float]] = {TEXT: [], OPEN_METRICS: []}
    size = 0
    for number in range(2 * PAGES):
        form = OPEN_METRICS if number % 2 else TEXT
        began = time.thread_time()
        size = len(connector.metrics.page(form))
        spent[form].append((time.thread_time() - began) * 1000)
    for form, times in spent.items():
        times.sort()
        sys.stdout.write(
            f"{len(connector.engine.assignments)} partitions, {size:,} bytes of {form.media_type}: "
            f"{times[PAGES // 2]:.1f} ms of the loop a page (half of {PAGES}), "
            f"{times[PAGES * 99 // 100]:.1f} ms (99 %)\n"
        )
    connector.crash()


def _settings() -> object:
    return SimpleNamespace(kafka=SimpleNamespace(topics=SimpleNamespace(main=MAIN)), admin=None)


def main() -> None:
    """Print the figures."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(measure(VirtualClock(runner.get_loop())))


if __name__ == "__main__":
    main()
