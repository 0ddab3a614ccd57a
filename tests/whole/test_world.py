"""Random histories of a whole group on virtual time: whatever happens, nothing is lost and commits never run ahead.

Each history is a seed: `WORLD_SEEDS=5000` tries so many, `WORLD_SEEDS=77:78` that one.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from random import Random
from typing import Literal

import pytest

from connector.core.destination import Policy
from connector.core.record import Partition, Record
from connector.core.reply import Answer, Failure, NoReply
from connector.core.request import InvokeRequest
from connector.core.schedule import RetryPlan
from connector.core.signals import Taken
from connector.edge.memory import MemoryBroker
from connector.flow.loop import Limits
from tests.flow.stage import ACCEPTED, DEAD, FORBIDDEN, MAIN, PERMANENT, RETRY, TEMPORARY, Connector, event
from tests.support.clock import VirtualClock, run_virtual

LIMITS = Limits(in_flight=4, uncommitted=12, records=40, size=1 << 16)
POLICY = Policy(
    RetryPlan(delay_ms=60_000, window_ms=600_000),
    max_event_age_ms=172_800_000,
    repeat_maybe_delivered=True,
    maybe_delivered_repeats=1,
    in_place=(0.1, 0.5),
)
STEPS, PARTITIONS, PEOPLE = 60, 4, 9
QUIET = 3_000.0
"""Seconds of peace at the end: longer than the retry window, so that every record finds its end."""

UNSENT = NoReply(Failure.CONNECT, sent=False)
RESET = NoReply(Failure.RESET, sent=True)


Fortune = Literal["kind", "deadly", "any"]
"""What may befall a group: clean stops and joins only; deaths too; or Kafka's refusals and every answer as well."""


class Vendor:
    """Answers by chance, acts before it answers, and remembers both by the event's mark."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.answers: list[Answer] = [ACCEPTED]
        self.slowest = 0.5
        self.acted: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.first_acts: list[str] = []

    async def invoke(self, request: InvokeRequest, traceparent: str | None = None) -> Answer:
        """Post. A process that dies meanwhile never sees the answer."""
        mark = json.loads(request.body)["variables"]["request"]["mark"]
        answer = self._chance.choice(self.answers)
        if answer is ACCEPTED or (answer is RESET and self._chance.random() < 0.5):
            if not self.acted[mark]:
                self.first_acts.append(mark)
            self.acted[mark] += 1
        await asyncio.sleep(self._chance.uniform(0.0, self.slowest))
        if answer is ACCEPTED:
            self.acknowledged.add(mark)
        return answer

    async def close(self) -> None:
        """Nothing to close."""


class World:
    """Processes of one group, what befalls them, and what must hold whatever does."""

    def __init__(self, seed: int, clock: VirtualClock, fortune: Fortune) -> None:
        self.chance = Random(seed)
        self.fortune = fortune
        self.clock = clock
        self.kafka = MemoryBroker({MAIN: PARTITIONS, RETRY: 2, DEAD: 1}, clock.now_ms)
        self.vendor = Vendor(self.chance)
        self.running: list[Connector] = []
        self.ended: list[Connector] = []
        self.produced: dict[str, tuple[int, int]] = {}
        self.committed: dict[Partition, int] = {}
        self.deaths = 0
        self.blows = [self.produce] * 6 + [self.join, self.stop, self.mood, self.pass_time]
        if fortune != "kind":
            self.blows += [self.crash, self.expel]
        if fortune == "any":
            self.blows += [self.refuse_commits, self.refuse_writes, self.accept_all]

    async def history(self) -> None:
        """Live, then have peace, and find the end of every record."""
        self.join_now()
        for _ in range(STEPS):
            await self.chance.choice(self.blows)()
            await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.3, 2.0)))
            self.check()
        await self.peace()
        self.check()
        self.check_end()
        for connector in list(self.running):
            await self.stop_one(connector)

    # What befalls it.

    def join_now(self) -> None:
        self.running.append(
            Connector(self.kafka, self.vendor, self.clock, limits=LIMITS, policy=POLICY)  # type: ignore[arg-type]  # another vendor of the same shape
        )

    async def produce(self) -> None:
        for _ in range(self.chance.choice((1, 3, 10, 60))):
            person, partition = self.chance.randrange(PEOPLE), self.chance.randrange(PARTITIONS)
            mark = f"m{len(self.produced):05d}"
            value = b"not an event " + mark.encode() if self.chance.random() < 0.03 else event(person, mark)
            self.produced[mark] = (partition, person)
            self.kafka.append(Partition(MAIN, partition), value, skip=self.chance.choice((0, 0, 0, 5)))

    async def join(self) -> None:
        if len(self.running) < 4:
            self.join_now()

    async def stop(self) -> None:
        if self.running:
            await self.stop_one(self.chance.choice(self.running))

    async def stop_one(self, connector: Connector) -> None:
        self.running.remove(connector)
        self.ended.append(connector)
        drained = await connector.leave()
        assert drained or self.fortune == "any"

    async def crash(self) -> None:
        if self.running:
            connector = self.running.pop(self.chance.randrange(len(self.running)))
            self.deaths += 1
            kill(connector)

    async def expel(self) -> None:
        if self.running:
            connector = self.running.pop(self.chance.randrange(len(self.running)))
            self.deaths += 1
            self.kafka.expel(connector.source)
            await asyncio.sleep(self.chance.choice((0.0, 0.1, 1.0)))
            self.ended.append(connector)
            await connector.leave()

    async def refuse_commits(self) -> None:
        self.kafka.commit_error = "coordinator_not_available"

    async def refuse_writes(self) -> None:
        self.kafka.write_errors[self.chance.choice((RETRY, DEAD))] = "not_enough_replicas"

    async def accept_all(self) -> None:
        self.kafka.commit_error = None
        self.kafka.write_errors.clear()

    async def mood(self) -> None:
        kinds: list[Answer] = [ACCEPTED, ACCEPTED, ACCEPTED, TEMPORARY, PERMANENT, UNSENT]
        if self.fortune == "any":
            kinds += [RESET, FORBIDDEN] if self.chance.random() < 0.3 else [RESET]
        self.vendor.answers = self.chance.sample(kinds, self.chance.randint(1, len(kinds)))
        self.vendor.slowest = self.chance.choice((0.01, 0.5, 8.0))

    async def pass_time(self) -> None:
        await asyncio.sleep(self.chance.choice((20.0, 70.0, 200.0)))

    async def peace(self) -> None:
        await self.accept_all()
        self.vendor.answers = [ACCEPTED]
        await asyncio.sleep(20.0)
        for connector in [held for held in self.running if held.loop.holds.active]:
            await self.stop_one(connector)
        self.join_now()
        await asyncio.sleep(QUIET)

    # What must hold.

    def copies(self) -> Iterator[tuple[str, str, int]]:
        for partition, log in self.kafka.logs.items():
            if partition.topic != MAIN:
                yield from ((partition.topic, mark_of(record), attempts_of(record)) for record in log)

    def check(self) -> None:
        """At every moment: commits run neither ahead nor back, credit is conserved, bounds are kept, books balance."""
        copies = set(self.copies())
        retried: dict[str, int] = defaultdict(int)
        for topic, mark, attempts in copies:
            retried[mark] = max(retried[mark], attempts if topic == RETRY else 1 << 30)
        for partition, commit in self.kafka.committed.items():
            assert commit.offset >= self.committed.get(partition, 0), f"{partition} went back"
            self.committed[partition] = commit.offset
            for record in self.kafka.logs[partition]:
                if record.offset >= commit.offset:
                    break
                mark, attempts = mark_of(record), attempts_of(record)
                assert mark in self.vendor.acknowledged or retried[mark] > attempts, f"{partition} past {mark}"
        for connector in self.running:
            assert connector.books_balance()
            assert credit_of(connector) == (LIMITS.records, LIMITS.size)
            exposed = connector.loop.committer.uncommitted + connector.loop.in_flight
            assert exposed <= LIMITS.uncommitted + LIMITS.in_flight
        assert all(connector.books_balance() for connector in self.ended)

    def check_end(self) -> None:
        """At rest: each record is accepted or a dead letter, and repeats and order are as promised."""
        copies = list(self.copies())
        dead = {mark for topic, mark, _ in copies if topic == DEAD}
        assert set(self.produced) <= self.vendor.acknowledged | dead
        repeats = sum(count - 1 for count in self.vendor.acted.values() if count)
        if self.fortune != "any":
            assert repeats <= self.deaths * (LIMITS.uncommitted + LIMITS.in_flight)
        if self.fortune == "kind":
            assert max(Counter(copies).values(), default=1) == 1
        for connector in self.running:
            assert connector.loop.in_hand == connector.loop.in_flight == connector.loop.committer.uncommitted == 0
        self.check_order({mark for _, mark, _ in copies})

    def check_order(self, gave_up_their_place: set[str]) -> None:
        lanes: dict[tuple[int, int], list[str]] = defaultdict(list)
        for mark in self.vendor.first_acts:
            if mark not in gave_up_their_place:
                lanes[self.produced[mark]].append(mark)
        assert all(lane == sorted(lane) for lane in lanes.values())


def kill(connector: Connector) -> None:
    """kill -9: no task of it runs any more."""
    for task in (connector.task, *connector.loop.workers, *connector.loop._background):
        task.cancel()
    connector.loop.committer.stop()
    connector.source.crash()


def credit_of(connector: Connector) -> tuple[int, int]:
    """Records and bytes that the source may still send, and those that are in memory: together always the same."""
    source = connector.source
    assignments = connector.loop.assignments.values()
    held = [record for a in assignments for record in (*a.queue, *a.open.values())]
    held += [record for happening in source._events if isinstance(happening, Taken) for record in happening.records]
    return source._records + len(held), source._size + sum(record.size for record in held)


def mark_of(record: Record) -> str:
    value = record.value or b""
    if value.startswith(b"not an event "):
        return value.split()[-1].decode()
    return str(json.loads(value)["variables"]["request"]["mark"])


def attempts_of(record: Record) -> int:
    return int(dict(record.headers).get("invoke.attempts") or 0)


def seeds(default: int) -> range:
    """As many as CI has time for, or what WORLD_SEEDS says: a count, or `from:to`."""
    first, _, last = os.environ.get("WORLD_SEEDS", str(default)).rpartition(":")
    return range(int(first or 0), int(last))


@pytest.mark.parametrize("block", range(5))
def test_whatever_happens_nothing_is_lost(block: int) -> None:
    """Deaths, refused commits and writes, every answer: commits never run ahead, and every record finds its end."""
    for seed in seeds(30)[block::5]:
        live(seed, "any")


@pytest.mark.parametrize("block", range(5))
def test_a_death_repeats_no_more_than_its_bounds(block: int) -> None:
    """Each crash or expulsion repeats at most what was uncommitted and in flight."""
    for seed in seeds(30)[block::5]:
        live(seed, "deadly")


@pytest.mark.parametrize("block", range(5))
def test_clean_stops_and_rebalances_repeat_nothing(block: int) -> None:
    """As long as nobody dies and Kafka takes what it is given, no post and no copy is made twice."""
    for seed in seeds(30)[block::5]:
        live(seed, "kind")


def live(seed: int, fortune: Fortune) -> None:
    """One history; a failure names its seed."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        await World(seed, clock, fortune).history()

    try:
        scene()
    except BaseException as failure:
        failure.add_note(f"seed {seed}, fortune {fortune}")
        raise
