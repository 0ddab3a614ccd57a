"""A simulated world: whole connectors of one group, Kafka and the vendor, on one virtual clock, from one seed.

`python -m tests.whole.world` (`make world`) lives history after history until it is stopped.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter, defaultdict
from hashlib import blake2b
from random import Random
from typing import Annotated, Literal, NamedTuple, get_args

import typer

from connector.core.destination import Policy
from connector.core.pauses import EVERYTHING, Target
from connector.core.record import Partition, Record
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.schedule import RetryPlan
from connector.core.signals import Taken
from connector.core.trace import TraceContext
from connector.engine.judge import HoldRules
from connector.engine.limits import Bounds, PaceRules
from tests.engine.stage import ACCEPTED, DEAD, FORBIDDEN, HOLD, MAIN, PERMANENT, RETRY, TEMPORARY, Connector, event
from tests.support.clock import VirtualClock, run_virtual
from tests.support.memory import MemoryBroker

BOUNDS = Bounds(in_flight=4, uncommitted=12, records=40, size=1 << 16)
SERVICES, PACE = 2, PaceRules(service_share=0.75)
ODD_SERVICES = ("00", "01", "02")
POLICY = Policy(
    RetryPlan(delay_ms=60_000, window_ms=600_000),
    max_event_age_ms=172_800_000,
    maybe_delivered_repeats=1,
    in_place=(0.1, 0.5),
)
STEPS, PARTITIONS, PEOPLE = 20, 4, 9
QUIET = 3_000.0
"""Seconds of peace at the end: longer than the retry window, so that every record finds its end."""

UNSENT = NoReply(Failure.CONNECT, sent=False)
RESET = NoReply(Failure.RESET, sent=True)


Fortune = Literal["kind", "alone", "deadly", "held", "odd", "any"]
FORTUNES: tuple[Fortune, ...] = get_args(Fortune)
"""What may befall a group: clean stops and joins only; one process that dies while Kafka takes no commits; deaths of
many; bad days at the vendor, with deaths; the same under settings drawn by chance, with producers' bugs and pauses; or
Kafka's refusals and every answer as well."""

MARKERS = 3
"""Where the number of events so far is a multiple of this, every log ends with offsets without a record."""

POISON = 37
"""In a held world the vendor refuses every so manieth event, whatever it says to others."""

HELD_SOON = HOLD._replace(endpoint=HOLD.endpoint._replace(minimum=6))
"""An endpoint that is down is noticed by fewer posts than it has by default."""

BUSY_SECONDS = 5
BUSY = Reply(429, None, b"", retry_after=str(BUSY_SECONDS))
UNAVAILABLE = Reply(503, None, b"")
LOGIN_PAGE = Reply(200, None, b"<html>")
MOST_PROBES, LONGEST_PROBE = 10, 24.0
"""Probes while their interval grows, and the shortest of the longest intervals, in seconds."""


class Settings(NamedTuple):
    """Of a group. `knows_logs` False: the brokers do not say which log is which, so that there are no maps."""

    bounds: Bounds = BOUNDS
    pace: PaceRules = PACE
    hold: HoldRules = HELD_SOON
    knows_logs: bool = True


def odd_settings(chance: Random) -> Settings:
    """Any that somebody may have."""
    return Settings(
        BOUNDS._replace(in_flight=chance.choice((1, 4, 8)), records=chance.choice((40, 400))),
        PaceRules(
            rate=chance.choice((None, None, 20.0, 200.0)),
            retry_share=chance.choice((0.1, 0.5, 0.9)),
            service_share=chance.choice((0.25, 0.5, 1.0)),
        ),
        HELD_SOON._replace(
            brake=HELD_SOON.brake._replace(holds=chance.random() < 0.8, minimum=chance.choice((5, 100)))
        ),
        knows_logs=chance.random() < 0.5,
    )


WITNESSES = 200
"""Events that pass in the end, one every 3 s."""

SETTLES_DOWN = 120.0
"""Seconds for which the vendor is well between two bad days: longer than whoever was refused is tried again."""


class Vendor:
    """Answers by chance, acts before it answers, and remembers both by the event's mark."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.poisoned: set[str] = set()
        self.answers: list[Answer] = [ACCEPTED]
        self.slowest = 0.5
        self.posts = 0
        self.acted: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.first_acts: list[str] = []

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post. A process that dies meanwhile never sees the answer."""
        mark = json.loads(request.body)["variables"]["request"]["mark"]
        self.posts += 1
        answer = self._chance.choice(self.answers)
        if answer is ACCEPTED and mark in self.poisoned:
            answer = FORBIDDEN
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
        self.settings = odd_settings(self.chance) if fortune == "odd" else Settings()
        self.kafka = MemoryBroker({MAIN: PARTITIONS, RETRY: 2, DEAD: 1}, clock.now_ms)
        if not self.settings.knows_logs:
            self.kafka.cluster_id = None
        self.vendor = Vendor(self.chance)
        self.running: list[Connector] = []
        self.ended: list[Connector] = []
        self.produced: dict[str, tuple[int, int]] = {}
        self.committed: dict[Partition, int] = {}
        self.passed: Counter[Partition] = Counter()
        self.seen: Counter[Partition] = Counter()
        self.copies: list[tuple[str, str, int]] = []
        self.classes: dict[str, bytes | None] = {}
        self.retried: dict[str, int] = defaultdict(int)
        self.deaths = 0
        self.blows = [self.produce] * 6 + [self.mood, self.pass_time, self.slow_kafka]
        if fortune == "alone":
            self.blows += [self.die_alone, self.refuse_commits, self.accept_all]
        else:
            self.blows += [self.join, self.stop]
        if fortune in ("deadly", "any"):
            self.blows += [self.crash, self.expel]
        if fortune in ("held", "odd"):
            self.blows = [self.produce] * 6 + [self.bad_day] * 4 + [self.join, self.stop, self.crash, self.slow_kafka]
        if fortune == "odd":
            self.blows += [self.a_producers_bug, self.pause, self.resume, self.mood, self.expel]
        if fortune == "any":
            self.blows += [self.refuse_commits, self.refuse_writes, self.accept_all]

    async def history(self) -> None:
        """Live, then have peace, and find the end of every record."""
        self.join_now()
        for _ in range(STEPS):
            await self.chance.choice(self.blows)()
            await self.a_moment()
            self.check()
        await self.peace()
        self.check()
        self.check_end()
        for connector in list(self.running):
            await self.stop_one(connector)

    def digest(self) -> str:
        """What was committed, posted and copied, and when it ended."""
        told = [self.clock.monotonic(), sorted(self.committed.items()), self.vendor.first_acts, sorted(self.copies)]
        return blake2b(repr(told).encode(), digest_size=8).hexdigest()

    async def a_moment(self) -> None:
        """Some turns of the event loop, so that what follows strikes at any await, or some time."""
        for _ in range(self.chance.choice((0, 1, 2, 3, 5, 8, 13))):
            await asyncio.sleep(0)
        await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.3, 2.0)))

    # What befalls it.

    def join_now(self) -> None:
        given = self.settings
        self.running.append(
            Connector(
                self.kafka,
                self.vendor,
                self.clock,
                bounds=given.bounds,
                policy=POLICY,
                hold=given.hold,
                pace=given.pace,
                warm=False,
            )
        )

    async def produce(self) -> None:
        for _ in range(self.chance.choice((1, 3, 10, 60))):
            self.produce_one()
        if len(self.produced) % MARKERS == 0:
            for partition in self.kafka.logs:
                self.kafka.leave_gap(partition, 2)

    async def a_producers_bug(self) -> None:
        for _ in range(self.chance.choice((20, 300))):
            self.produce_one(bad_ones=1.0)

    def produce_one(self, *, good: bool = False, bad_ones: float = 0.03) -> None:
        person, partition = self.chance.randrange(PEOPLE), self.chance.randrange(PARTITIONS)
        mark = f"m{len(self.produced):05d}"
        bad = not good and self.chance.random() < bad_ones
        service = f"0{person % SERVICES}" if self.fortune != "odd" else self.chance.choice(ODD_SERVICES)
        value = b"not an event " + mark.encode() if bad else event(person, mark, serviceId=service)
        self.produced[mark] = (partition, person)
        if self.fortune in ("held", "odd") and not good and len(self.produced) % POISON == 0:
            self.vendor.poisoned.add(mark)
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
        assert drained or self.fortune in ("odd", "any")
        if not drained and self.fortune == "odd":
            self.deaths += 1  # bulkheads and a rate may keep a record longer than the drain

    async def crash(self) -> None:
        if self.running:
            connector = self.running.pop(self.chance.randrange(len(self.running)))
            self.deaths += 1
            connector.crash()

    async def die_alone(self) -> None:
        await self.crash()
        self.join_now()

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
            kinds += [RESET, FORBIDDEN, LOGIN_PAGE] if self.chance.random() < 0.3 else [RESET]
        self.vendor.answers = self.chance.sample(kinds, self.chance.randint(1, len(kinds)))
        self.vendor.slowest = self.chance.choice((0.01, 0.5, 8.0))

    async def bad_day(self) -> None:
        """Everybody is refused, or nobody can be served, for a while."""
        self.vendor.answers = [self.chance.choice((FORBIDDEN, UNAVAILABLE, BUSY, UNSENT, LOGIN_PAGE))]
        self.vendor.slowest = self.chance.choice((0.01, 0.5, 8.0))
        if self.fortune == "odd":
            self.kafka.write_delay = 0.0  # or the one worker that there may be fails too seldom for an outage
        before, seconds = self.vendor.posts, self.chance.choice((1.0, 20.0, 300.0, 20_000.0))
        await asyncio.sleep(seconds)
        in_flight = self.settings.bounds.in_flight
        each = in_flight + HELD_SOON.endpoint.minimum + MOST_PROBES + seconds / LONGEST_PROBE
        if self.vendor.answers == [BUSY]:
            each = in_flight * (2 + seconds / BUSY_SECONDS)
        assert self.vendor.posts - before <= len(self.running) * each
        self.vendor.answers = [ACCEPTED]
        await asyncio.sleep(SETTLES_DOWN)

    async def pause(self) -> None:
        target = self.chance.choice((EVERYTHING, Target(MAIN), Target(RETRY), Target(MAIN, 0), Target(RETRY, 1)))
        for connector in self.running:
            connector.driver.pause([target], "")

    async def resume(self) -> None:
        for connector in self.running:
            connector.driver.resume([EVERYTHING])

    async def pass_time(self) -> None:
        await asyncio.sleep(self.chance.choice((20.0, 70.0, 200.0, 20_000.0)))

    async def slow_kafka(self) -> None:
        self.kafka.commit_delay = self.chance.choice((0.0, 0.001, 0.05, 3.0))
        self.kafka.write_delay = self.chance.choice((0.0, 0.001, 0.05, 3.0))

    async def peace(self) -> None:
        await self.accept_all()
        self.kafka.commit_delay = self.kafka.write_delay = 0.0
        self.vendor.answers = [ACCEPTED]
        self.join_now()
        for connector in self.running:
            connector.driver.release_brake()  # a vendor who rejected whatever came may have set it
        if self.fortune in ("held", "odd"):
            await self.resume()
            await self.others_that_pass()
            for turn in range(140):  # what is refused and sees no other pass expires, and lets others go on
                await asyncio.sleep(POLICY.max_event_age_ms / 100_000)
                if self.fortune == "odd" and turn > 100:
                    self.produce_one(good=True)  # a hold may have nobody left to try
                for connector in self.running:
                    connector.driver.release_brake()
        await asyncio.sleep(QUIET)

    async def others_that_pass(self) -> None:
        """Whoever is refused alone is known by others that pass."""
        for _ in range(WITNESSES):
            self.produce_one(good=True)
            await asyncio.sleep(3.0)

    # What must hold.

    def read_copies(self) -> None:
        for partition, log in self.kafka.logs.items():
            if partition.topic != MAIN:
                for record in log[self.seen[partition] :]:
                    mark, attempts = mark_of(record), attempts_of(record)
                    self.copies.append((partition.topic, mark, attempts))
                    self.classes[mark] = dict(record.headers)["invoke.class"]
                    self.retried[mark] = max(self.retried[mark], attempts if partition.topic == RETRY else 1 << 30)
                self.seen[partition] = len(log)

    def check(self) -> None:
        """At every moment: commits run neither ahead nor back, credit is conserved, bounds are kept, books balance."""
        self.read_copies()
        for partition, commit in self.kafka.committed.items():
            assert commit.offset >= self.committed.get(partition, 0), f"{partition} went back"
            self.committed[partition] = commit.offset
            self.check_passed(partition, commit.offset)
        for connector in self.running:
            assert connector.books_balance()
            bounds = self.settings.bounds
            assert credit_of(connector) == (bounds.records, bounds.size)
            exposed = connector.engine.commits.exposed + connector.engine.in_flight
            assert exposed <= bounds.uncommitted + bounds.in_flight
        assert all(connector.books_balance() for connector in self.ended)

    def check_passed(self, partition: Partition, offset: int) -> None:
        log = self.kafka.logs[partition]
        while self.passed[partition] < len(log) and log[self.passed[partition]].offset < offset:
            record = log[self.passed[partition]]
            mark, attempts = mark_of(record), attempts_of(record)
            assert mark in self.vendor.acknowledged or self.retried[mark] > attempts, f"{partition} past {mark}"
            self.passed[partition] += 1

    def check_end(self) -> None:
        """At rest: each record is accepted or a dead letter, and repeats and order are as promised."""
        dead = {mark for topic, mark, _ in self.copies if topic == DEAD}
        assert set(self.produced) <= self.vendor.acknowledged | dead
        repeats = sum(count - 1 for count in self.vendor.acted.values() if count)
        if self.fortune in ("held", "odd"):
            alone = {mark for mark, code in self.classes.items() if code == b"refused_alone"}
            assert alone <= self.vendor.poisoned
            assert not self.vendor.poisoned & self.vendor.acknowledged
        if self.fortune != "any" and self.settings.knows_logs:  # without maps also a clean stop during a hold repeats
            assert repeats <= self.deaths * (self.settings.bounds.uncommitted + self.settings.bounds.in_flight)
        if self.fortune == "kind":
            assert max(Counter(self.copies).values(), default=1) == 1
        for connector in self.running:
            assert connector.engine.in_hand == connector.engine.in_flight == connector.engine.commits.uncommitted == 0
        for partition in self.kafka.committed:
            assert self.kafka.committed[partition].offset == self.kafka.end(partition), f"{partition} has lag at rest"
        self.check_order({mark for _, mark, _ in self.copies})

    def check_order(self, gave_up_their_place: set[str]) -> None:
        lanes: dict[tuple[int, int], list[str]] = defaultdict(list)
        for mark in self.vendor.first_acts:
            if mark not in gave_up_their_place:
                lanes[self.produced[mark]].append(mark)
        assert all(lane == sorted(lane) for lane in lanes.values())


def credit_of(connector: Connector) -> tuple[int, int]:
    """Records and bytes that the source may still send, and those that are in memory: together always the same."""
    source = connector.source
    assignments = connector.engine.assignments.values()
    held = [record for a in assignments for record in (*a.queue, *(d.record for d in a.open.values()))]
    held += [record for happening in source._events if isinstance(happening, Taken) for record in happening.records]
    return source._records + len(held), source._size + sum(record.size for record in held)


def mark_of(record: Record) -> str:
    value = record.value or b""
    if value.startswith(b"not an event "):
        return value.split()[-1].decode()
    return str(json.loads(value)["variables"]["request"]["mark"])


def attempts_of(record: Record) -> int:
    return int(dict(record.headers).get("invoke.attempts") or 0)


def live(seed: int, fortune: Fortune) -> str:
    """One history, and what happened in it as a digest: the same seed gives the same. A failure names its seed."""

    @run_virtual
    async def scene(clock: VirtualClock) -> str:
        world = World(seed, clock, fortune)
        await world.history()
        return world.digest()

    try:
        return scene()
    except BaseException as failure:
        failure.add_note(
            f"seed {seed}, fortune {fortune}: python -m tests.whole.world {fortune} --from {seed} --count 1"
        )
        raise


def go_on(
    fortune: Annotated[str, typer.Argument(help="kind, alone, deadly, held, odd or any; none: each in turn.")] = "",
    first: Annotated[int, typer.Option("--from", min=0)] = 0,
    count: Annotated[int, typer.Option(min=0, help="Seeds; 0: until stopped.")] = 0,
) -> None:
    """Live the histories of one seed after the other; a failure prints its seed, and ends it with exit code 1."""
    fortunes = [known for known in FORTUNES if fortune in ("", known)]
    failed, began = 0, time.process_time()
    for seed in range(first, first + count) if count else itertools.count(first):
        for each in fortunes:
            try:
                live(seed, each)
            except Exception as failure:
                failed += 1
                typer.echo(f"\n{type(failure).__name__}: {failure}\n{failure.__notes__[-1]}")
        if sys.stdout.isatty():
            typer.echo(f"\r{seed + 1 - first} seeds, {failed} failures", nl=False)
    lived = count * len(fortunes)
    typer.echo(f"\n{lived} histories, {lived / (time.process_time() - began):.0f} for each second of CPU")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(go_on)
