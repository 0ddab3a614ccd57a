"""A vendor that is a queue before N servers, and turns away what is above its capacity: 500 requests a second, then 50,
then 500."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.day import Day, a_day
from tests.support.kafka_broker import Kafka

_SERVERS = (10, 1, 10)
_SERVICE_SECONDS = 0.02
_QUEUE = 10
_SETTLED_AFTER = 10.0
"""Seconds after a step from which on it counts."""


class Vendor(NamedTuple):
    """How it turns away, and who finds out how much it can take."""

    name: str
    retry_after: int | None
    concurrency: str


VENDORS = (
    Vendor("429, adaptive", None, "adaptive"),
    Vendor("429 with Retry-After: 1, adaptive", 1, "adaptive"),
    Vendor("429, fixed", None, "fixed"),
)


class Step(NamedTuple):
    """What was seen from 10 s after a step until the next one: capacity and accepted posts a second, the part of all
    posts that was turned away, how often it held, and the last limit of posts under way."""

    vendor: str
    capacity: float
    accepted: float
    failed: float
    holds: int
    limit: int


async def live(kafka: Kafka, folder: Path, vendor: Vendor, seconds: float) -> list[Step]:
    """Each capacity for so many seconds, with a backlog that is always longer."""
    async with a_day(kafka, folder, pace={"concurrency": vendor.concurrency}) as day:
        await asyncio.to_thread(day.produce, int(sum(map(_capacity, _SERVERS)) * seconds * 1.1))
        _set(day, vendor, [_SERVERS[0]], 0.0)
        await day.connector.start()
        began = asyncio.get_running_loop().time()
        _set(day, vendor, _SERVERS, seconds)
        steps = []
        for number, servers in enumerate(_SERVERS):
            steps.append(await _step(day, vendor, _capacity(servers), began + number * seconds, seconds))
        return steps


def table(steps: Iterable[Step]) -> Table:
    """All of them, for the terminal."""
    title = f"A vendor of changing capacity, from {_SETTLED_AFTER:g} s after each step"
    found = Table("vendor", title=title, title_justify="left")
    for heading in ("capacity/s", "accepted/s", "of capacity", "turned away", "holds", "limit"):
        found.add_column(heading, justify="right")
    for step in steps:
        share = f"{step.accepted / step.capacity:.1%}"
        rates = f"{step.capacity:.0f}", f"{step.accepted:.1f}", share, f"{step.failed:.2%}"
        found.add_row(step.vendor, *rates, f"{step.holds}", f"{step.limit}")
    return found


async def _step(day: Day, vendor: Vendor, capacity: float, began: float, seconds: float) -> Step:
    await _until(began + _SETTLED_AFTER)
    before = _counts(day)
    await _until(began + seconds - 0.5)
    accepted, turned_away, holds = (now - then for now, then in zip(_counts(day), before, strict=True))
    status = await day.connector.status()
    lasted = seconds - 0.5 - _SETTLED_AFTER
    failed = turned_away / max(1, accepted + turned_away)
    return Step(vendor.name, capacity, accepted / lasted, failed, holds, status["pace"]["in_flight_limit"])


def _counts(day: Day) -> tuple[int, int, int]:
    return day.answered("accepted"), day.answered("too_many"), len(day.connector.lines("hold_entered"))


async def _until(time: float) -> None:
    await asyncio.sleep(max(0.0, time - asyncio.get_running_loop().time()))


def _capacity(servers: int) -> float:
    return servers / _SERVICE_SECONDS


def _set(day: Day, vendor: Vendor, servers: Sequence[int], seconds: float) -> None:
    queue: dict[str, Any] = {
        "servers": [{"after": number * seconds, "count": count} for number, count in enumerate(servers)],
        "service_time": {"kind": "fixed", "seconds": _SERVICE_SECONDS},
        "queue": _QUEUE,
        "turned_away": {"kind": "too_many", "retry_after": vendor.retry_after},
    }
    day.stage.scenario(capacity=queue)
