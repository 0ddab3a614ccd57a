"""The bad days of which each costs so much: passwords, outages, wrong addresses, one record, a certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.day import IN_FLIGHT, MINIMUM, Day, a_day, scenario
from connector.simulator.rules import PASSWORD
from tests.support.authority import Authority
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka
from tests.support.mount import Mount
from tests.whole.stage import event

RATE = 200
"""Events a second, before, during and after."""

_HEADINGS = ("events", "in vain", "bound", "dead", "retried", "twice", "holds", "longest s", "full rate after s")
_BEFORE = 10.0
_LONGEST_RETURN = 120.0
_POISON = "poisoned"
_ANOTHER = "another"


class Cost(NamedTuple):
    """What a day did. `posts` in vain while it was bad, and how many there may be: those under way, or with the minimum
    by which an outage is noticed, and the probes or canaries. Seconds to the full rate after it; None: never lost."""

    name: str
    events: int
    posts: int
    bound: str
    dead_letters: int
    retried: int
    twice: int
    holds: int
    longest: float
    full_rate: float | None


DayOf = Callable[[Kafka, Path], Awaitable[Cost]]


def all_of_them(outage: int) -> Iterator[DayOf]:
    """Each day, to be lived on a broker in a folder."""
    for name, fault in _OUTAGES.items():
        yield partial(_outage, name=f"outage {outage} s: {name}", fault=fault, seconds=outage)
    yield partial(_password, rotated=False)
    yield partial(_password, rotated=True)
    yield _poisoned
    for name, fault in _WRONG.items():
        yield partial(_wrong_address, name=name, fault=fault)
    yield _certificate


def table(costs: Iterable[Cost]) -> Table:
    """All of them, for the terminal."""
    found = Table("day", title=f"Bad days, {RATE} events a second", title_justify="left")
    for heading in _HEADINGS:
        found.add_column(heading, justify="right")
    for cost in costs:
        *counts, longest, full = cost
        found.add_row(*map(str, counts), f"{longest:.1f}", "" if full is None else f"{full:.1f}")
    return found


_OUTAGES: dict[str, dict[str, Any] | None] = {
    "503": {"kind": "html", "status": 503},
    "port closed": None,
    "no answer": {"kind": "hang"},
}

_WRONG: dict[str, dict[str, Any]] = {
    "redirect": {"kind": "redirect", "location": "https://elsewhere.example/"},
    "404": {"kind": "html", "status": 404},
    "login page": {"kind": "html", "status": 200},
}


async def _outage(kafka: Kafka, folder: Path, *, name: str, fault: dict[str, Any] | None, seconds: float) -> Cost:
    async with a_day(kafka, folder) as day:
        await _begin(day)
        async with day.load(RATE):
            await asyncio.sleep(_BEFORE)
            if fault is None:
                await day.simulator.close_port()
            else:
                scenario(day, rules=[{"do": fault}])
            await asyncio.sleep(seconds)
            posts = await day.seen("connect_failed") if fault is None else day.answered(fault["kind"])
            probes = await day.tries()
            if fault is None:
                await day.simulator.open_port()
            else:
                scenario(day)
            full = await _full_rate(day)
        return await _cost(day, name, posts, f"{IN_FLIGHT + MINIMUM} + {probes}", "endpoint", full)


async def _password(kafka: Kafka, folder: Path, *, rotated: bool) -> Cost:
    secret = Mount(folder / "secret", password=PASSWORD)
    openmarket = {"password_file": str(secret["password"])}
    async with a_day(kafka, folder, openmarket=openmarket) as day:
        await _begin(day)
        async with day.load(RATE):
            await asyncio.sleep(_BEFORE)
            scenario(day, passwords=[{"after": 0, "password": _ANOTHER}])
            await asyncio.sleep(_BEFORE)
            canaries, posts = await day.tries(), day.answered("credentials")
            if rotated:
                secret.swap(password=_ANOTHER)
            else:
                scenario(day)
            full = await _full_rate(day)
        name = "password rotated" if rotated else "password changed, and back"
        return await _cost(day, name, posts, f"{IN_FLIGHT} + {canaries}", "deployment", full)


async def _poisoned(kafka: Kafka, folder: Path) -> Cost:
    async with a_day(kafka, folder) as day:
        rule = {"when": {"markers": [_POISON]}, "do": {"kind": "reject", "cause": "unauthorized"}}
        await _begin(day, rules=[rule])
        async with day.load(RATE):
            await asyncio.sleep(_BEFORE)
            day.stage.produce_events([event(_POISON, 9999)])
            await day.connector.until(dead_lettered=1)
            await asyncio.sleep(_BEFORE)
        return await _cost(day, "one record: 403", day.answered("unauthorized"), "4", "deployment", None)


async def _wrong_address(kafka: Kafka, folder: Path, *, name: str, fault: dict[str, Any]) -> Cost:
    async with a_day(kafka, folder) as day:
        await _begin(day)
        async with day.load(RATE):
            await asyncio.sleep(_BEFORE)
            scenario(day, rules=[{"do": fault}])
            await asyncio.sleep(_BEFORE)
            canaries, posts = await day.tries(), day.answered(fault["kind"])
            scenario(day)
            full = await _full_rate(day)
        return await _cost(day, name, posts, f"{IN_FLIGHT} + {canaries}", "deployment", full)


async def _certificate(kafka: Kafka, folder: Path) -> Cost:
    authority = Authority()
    secret = Mount(folder / "secret", **Authority().client(), **{"ca.pem": authority.certificate})
    files = {"certificate_file": secret["client.pem"], "key_file": secret["client.key"], "ca_file": secret["ca.pem"]}
    tls = {name: str(path) for name, path in files.items()}
    async with a_day(kafka, folder, tls=authority.server(), openmarket={"tls": tls}) as day:
        await _begin(day)
        async with day.load(RATE):
            await asyncio.sleep(_BEFORE)
            canaries, posts = await day.tries(), await day.seen("client_certificate")
            secret.swap(**authority.client(), **{"ca.pem": authority.certificate})
            full = await _full_rate(day)
        name = "certificate, TLS 1.3"
        return await _cost(day, name, posts, f"1 + {canaries}", "deployment", full)


async def _begin(day: Day, **content: Any) -> None:
    scenario(day, **content)
    await day.connector.start()


async def _full_rate(day: Day) -> float:
    """Wait for it. Seconds from now to the end of the first second in which the vendor accepts as much as comes."""
    now = asyncio.get_running_loop().time()
    await eventually(lambda: day.first_full_second(now, RATE) < _LONGEST_RETURN, _LONGEST_RETURN, "the full rate")
    return day.first_full_second(now, RATE)


async def _cost(day: Day, name: str, posts: int, bound: str, kind: str, full: float | None) -> Cost:
    await day.all_accepted()
    metrics = await day.connector.shows(in_flight=0, records_in_hand=0)
    dead, retried = (int(metrics[f"records_{fate}_total"]) for fate in ("dead_lettered", "retried"))
    holds = day.holds(kind)
    twice = day.stage.repeats
    return Cost(name, len(day.marks), posts, bound, dead, retried, twice, holds.number, holds.longest, full)
