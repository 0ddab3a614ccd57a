"""Kafka and the vendor around an engine, by inputs and effects alone: no event loop, no threads, no clock.

`python -m tests.engine.around` tells history after history, and how many a second.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Annotated, Literal

import structlog
import typer

from connector.core.codes import DEFAULT_TABLE
from connector.core.concurrency import Fixed
from connector.core.envelope import Names
from connector.core.outcome import Table
from connector.core.record import Partition, Record
from connector.core.reply import Failure, NoReply
from connector.core.request import RequestRules
from connector.core.settled_map import LogIdentity
from connector.core.signals import Asleep, Assigned, Commit, Committed, Lost, Revoking, Taken, WriteFailed
from connector.engine.copies import Targets
from connector.engine.engine import Engine, EngineRules, Topics
from connector.engine.judge import HoldRules
from connector.engine.limits import Bounds, PaceRules
from connector.engine.messages import (
    Answered,
    CancelWrite,
    CatchUp,
    CaughtUp,
    Close,
    Copied,
    GiveRoom,
    Input,
    Post,
    Release,
    SendCommit,
    Sleep,
    Tick,
    Wake,
    Write,
)
from connector.engine.pipeline import Pipeline, PipelineRules
from connector.engine.timers import Now
from connector.engine.translated import Translated
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from tests.engine.stage import (
    ACCEPTED,
    DEAD,
    HOLD,
    MAIN,
    PERMANENT,
    POLICY,
    RETRY,
    TEMPORARY,
    JsonDecoder,
    event,
)

BOUNDS = Bounds(in_flight=4, uncommitted=12, records=30, size=1 << 16)
PARTITIONS = [Partition(MAIN, number) for number in range(3)]
PEOPLE = 4
UNSENT = NoReply(Failure.CONNECT, sent=False)
REFUSED = WriteFailed("not_enough_replicas", too_large=False)


class Around:
    """Kafka and the vendor around an engine, as far as its laws need them; `chance` says what happens next."""

    def __init__(
        self,
        chance: Random,
        bounds: Bounds = BOUNDS,
        pace: PaceRules | None = None,
        table: Table = DEFAULT_TABLE,
        *,
        service_ids: Mapping[str, str] | None = None,
        has_posted: bool = True,
        ledger: Literal["required", "optional"] | None = None,
        deduplicate_ms: int | None = None,
        translated: Translated = "stop",
        hold: HoldRules = HOLD,
    ) -> None:
        self.chance = chance
        self.bounds = bounds
        self.closes: list[Close] = []
        self.now = Now(0.0, 1_800_000_000_000)
        events = Events(Metrics(), structlog.wrap_logger(structlog.ReturnLogger(), processors=[]), log_accepted=False)
        pipeline = Pipeline(
            PipelineRules(RequestRules(service_ids=service_ids), table, POLICY),
            JsonDecoder(),
            self.now,
            events,
            lambda: 0.5,
        )
        pace = pace or PaceRules(service_share=chance.choice((0.5, 1.0)))
        hmac_of = None if ledger is None else str.encode
        rules = EngineRules(POLICY.retry, "end_user", pace, hold, ledger, deduplicate_ms, translated, hmac_of)
        topics = Targets(RETRY, DEAD, Names("c"))
        self.engine = Engine(
            pipeline, Topics(frozenset({RETRY}), topics), bounds, rules, Fixed(bounds.in_flight), self.now, events
        )
        self.logs: dict[Partition, list[bytes]] = {partition: [] for partition in PARTITIONS}
        self.position: dict[Partition, int] = {}
        self.asleep: set[Partition] = set()
        self.settled: dict[Partition, set[int]] = defaultdict(set)
        self.committed: Counter[Partition] = Counter()
        self.metadata: dict[Partition, str] = {}
        self.overtaken: set[Partition] = set()
        self.room = self.sent = 0
        self.posts: list[Post] = []
        self.writes: list[Write] = []
        self.commits: list[SendCommit] = []
        self.told: list[Input] = []
        if has_posted:
            self.engine.judge.brake.posted()  # or what is refused before the first post waits for one
        self.tell(Tick())
        for partition in PARTITIONS:
            self.assign(partition)

    def tell(self, happened: Input) -> None:
        """One input, and all that follows from it at once."""
        self.told.append(happened)
        while self.told:
            self.engine.pass_time(self.now.seconds, self.now.ms)
            for effect in self.engine.handle(self.told.pop(0)):
                self.carry_out(effect)
            self.check()

    def carry_out(self, effect: object) -> None:
        match effect:
            case Post():
                self.posts.append(effect)
            case Write():
                self.writes.append(effect)
            case CancelWrite(copy):
                self.writes = [write for write in self.writes if write.copy is not copy]
            case SendCommit():
                assert not self.commits, "two commits under way"
                self.overtaken.clear()
                self.commits.append(effect)
            case GiveRoom(records):
                self.room += records
            case Sleep(partition, offset):
                self.asleep.add(partition)
                self.position[partition] = offset
                self.told.append(Asleep(partition))
            case Close():
                self.closes.append(effect)
            case Wake(partition):
                self.asleep.discard(partition)
            case CatchUp():
                self.told.append(CaughtUp())
            case Release(partitions, offsets):
                self.commit({partition: commit for partition, commit in offsets.items() if partition in self.position})
                for partition in partitions:
                    self.position.pop(partition, None)

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Kafka takes a commit: it never goes back, and passes no record that is not settled."""
        for partition, (offset, metadata) in offsets.items():
            assert offset >= self.committed[partition]
            assert all(each in self.settled[partition] for each in range(offset)), f"{partition} past a record"
            self.committed[partition], self.metadata[partition] = offset, metadata

    def check(self) -> None:
        """After each input: bounds, order, and that no room in memory is lost."""
        assert len(self.posts) <= self.bounds.in_flight
        deliveries = [post.delivery for post in self.posts if not post.delivery.assignment.gone]
        under_way = [(delivery.record.partition, delivery.lane) for delivery in deliveries]
        assert len(set(under_way)) == len(under_way), "two posts of one end user"
        held = sum(len(a.queue) + len(a.open) for a in self.engine.assignments.values())
        assert self.room - self.sent == self.bounds.records - held
        assert sum(len(a.open) for a in self.engine.assignments.values()) == self.engine.in_hand

    # What may happen.

    def assign(self, partition: Partition) -> None:
        self.position[partition] = self.committed[partition]
        self.overtaken.add(partition)
        self.asleep.discard(partition)
        identity = LogIdentity("cluster", "topic")
        metadata, end = self.metadata.get(partition, ""), len(self.logs[partition])
        self.tell(Assigned(partition, self.committed[partition], metadata, identity, end))

    def produce(self) -> None:
        partition = self.chance.choice(PARTITIONS)
        bad = self.chance.random() < 0.1
        number = len(self.logs[partition])
        value = b"bad" if bad else event(self.chance.randrange(PEOPLE), str(number), serviceId=f"0{number % 2}")
        self.logs[partition].append(value)

    def fetch(self) -> None:
        batch = list[Record]()
        for partition, position in self.position.items():
            if partition not in self.asleep:
                until = min(len(self.logs[partition]), position + self.room - self.sent - len(batch))
                batch += [
                    Record(partition, offset, self.now.ms, None, self.logs[partition][offset], (), 0)
                    for offset in range(position, until)
                ]
                self.position[partition] = max(position, until)
        self.sent += len(batch)
        if batch:
            self.tell(Taken(batch))

    def answer(self, *, well: bool = False) -> None:
        if self.posts:
            post = self.posts.pop(self.chance.randrange(len(self.posts)))
            answer = ACCEPTED if well else self.chance.choice((ACCEPTED, ACCEPTED, TEMPORARY, PERMANENT, UNSENT))
            if answer is ACCEPTED:
                self.settle(post.delivery.record, post.delivery.assignment.gone)
            self.tell(Answered(post.delivery, answer))

    def write(self, *, well: bool = False) -> None:
        if self.writes:
            write = self.writes.pop(self.chance.randrange(len(self.writes)))
            failed = None if well or self.chance.random() < 0.6 else REFUSED
            if failed is None:
                self.settle(write.copy.delivery.record, write.copy.delivery.assignment.gone)
            self.tell(Copied(write.copy, failed))

    def settle(self, record: Record, too_late: bool) -> None:
        if not too_late:
            self.settled[record.partition].add(record.offset)

    def acknowledge(self, *, well: bool = False) -> None:
        if self.commits:
            sent = self.commits.pop().offsets
            # What was sent for an earlier assignment was overtaken by its last commit.
            ours = {partition: commit for partition, commit in sent.items() if partition not in self.overtaken}
            self.overtaken.clear()
            error = None if well or self.chance.random() < 0.7 else "coordinator_not_available"
            if error is None:
                self.commit({partition: commit for partition, commit in ours.items() if partition in self.position})
            self.tell(Committed({partition: commit.offset for partition, commit in sent.items()}, error))

    def wait(self) -> None:
        seconds = self.chance.choice((0.0, 0.02, 0.5, 3.0, 40.0))
        self.now.seconds += seconds
        self.now.ms += round(seconds * 1000)
        self.tell(Tick())

    def revoke(self) -> None:
        ours = [partition for partition, assignment in self.engine.assignments.items() if not assignment.leaving]
        if ours:
            self.tell(Revoking(frozenset({self.chance.choice(ours)}), 5.0))

    def lose(self) -> None:
        # Never in the middle of a hand-over, which the client waits for.
        ours = [partition for partition, assignment in self.engine.assignments.items() if not assignment.leaving]
        if ours:
            partition = self.chance.choice(ours)
            self.tell(Lost(frozenset({partition})))
            self.position.pop(partition, None)

    def come_back(self) -> None:
        for partition in PARTITIONS:
            if partition not in self.position and partition not in self.engine.assignments:
                self.assign(partition)

    @property
    def at_rest(self) -> bool:
        """Every record is settled and committed, and nothing is under way."""
        done = all(self.committed[partition] == len(log) for partition, log in self.logs.items())
        return done and not (self.posts or self.writes or self.commits or self.engine.in_hand)

    def peace(self) -> None:
        """Everything is answered well, until nothing is left, and for a while longer."""
        left, calm = 400, 0
        while left and calm < 3:
            left -= 1
            calm = calm + 1 if self.at_rest else 0
            self.come_back()
            self.fetch()
            for happens in (self.answer, self.write, self.acknowledge):
                for _ in range(BOUNDS.in_flight):
                    happens(well=True)
            self.wait()


def history(seed: int) -> int:
    """One history that this seed decides, with every law looked at after each input. How many records it had."""
    return lived(Around(Random(seed)))


def lived(around: Around, also: Sequence[Callable[[], None]] = ()) -> int:
    """One history, in which these may happen as well, each as often as it is named; then peace, and all is committed,
    and all room given back. How many records it had."""
    usual = [around.produce] * 6 + [around.fetch] * 3 + [around.answer] * 6 + [around.write, around.acknowledge] * 3
    rare = [around.wait] * 3 + [around.revoke, around.lose, around.come_back]
    for _ in range(around.chance.choice((20, 100, 300))):
        around.chance.choice([*usual, *rare, *also])()
    around.peace()
    for partition, log in around.logs.items():
        assert around.committed[partition] == len(log), partition
    assert around.engine.in_hand == around.engine.in_flight == around.engine.commits.exposed == 0
    return sum(map(len, around.logs.values()))


def tell(
    first: Annotated[int, typer.Option("--from", min=0)] = 0,
    count: Annotated[int, typer.Option(min=1)] = 1000,
) -> None:
    """Tell so many histories, from this seed on."""
    began = time.process_time()
    records = sum(history(seed) for seed in range(first, first + count))
    seconds = time.process_time() - began
    typer.echo(f"{count} histories of {records / count:.0f} records, {count / seconds:.0f} for each second of CPU")


if __name__ == "__main__":
    typer.run(tell)
