"""Start, run, drain, stop: one deadline for the whole goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from connector.core.signals import Failed
from connector.engine.ports import Invoker, Sink
from connector.observe.events import Events
from connector.runtime.driver import Driver


class Ending(NamedTuple):
    """How it ended. `drained`: every answer came in time, so that nothing was posted twice for this stop."""

    drained: bool
    failed: Failed | None


async def run_until(
    stop: asyncio.Event,
    driver: Driver,
    sink: Sink,
    invoker: Invoker,
    events: Events,
    drain: float,
    leaving: Callable[[], None] = lambda: None,
) -> Ending:
    """Run the driver until `stop` is set or the source fails, then drain within `drain` seconds and let go of all.

    `leaving` is called when nothing new is taken from here on.
    """
    running = asyncio.create_task(driver.run())
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    failed = running.result() if running.done() else None
    leaving()
    events.stopping("asked to" if failed is None else failed.code)
    drained = await driver.leave(drain)
    for task in (running, asked):
        task.cancel()
    await asyncio.gather(running, asked, return_exceptions=True)
    await sink.close()
    await invoker.close()
    events.stopped(drained)
    return Ending(drained, failed)
