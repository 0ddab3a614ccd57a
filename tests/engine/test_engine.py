"""Laws of the engine, told by inputs alone: no event loop, no clock, no Kafka."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from random import Random
from typing import Literal

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.codes import DEFAULT_TABLE
from connector.core.concurrency import Fixed
from connector.core.envelope import Names
from connector.core.outcome import Delivered, Fate, Row, Table
from connector.core.record import Partition, Record
from connector.core.reply import Failure, NoReply, Reply
from connector.core.request import RequestRules
from connector.core.settled_map import LogIdentity
from connector.core.signals import Asleep, Assigned, Commit, Committed, Lost, Revoking, Taken, WriteFailed
from connector.engine.copies import Targets
from connector.engine.engine import Engine, Rules, Topics
from connector.engine.limits import Bounds, PaceRules
from connector.engine.messages import (
    Answered,
    Broken,
    CancelWrite,
    CatchUp,
    CaughtUp,
    Close,
    Copied,
    GiveRoom,
    Input,
    Leave,
    Post,
    Release,
    SendCommit,
    Sleep,
    Tick,
    Wake,
    Write,
)
from connector.engine.road import Road
from connector.engine.road import Rules as RoadRules
from connector.engine.timers import Now
from connector.engine.translated import Translated
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from tests.engine.stage import (
    ACCEPTED,
    DEAD,
    FORBIDDEN,
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
GATEWAY_TIMEOUT_IS_FINAL = Row(
    "late", Fate.DEAD_LETTER, "no answer in time", "", statuses=("504",), delivered=Delivered.MAYBE
)
"""As a row of `openmarket.outcomes` may say."""
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
    ) -> None:
        self.chance = chance
        self.bounds = bounds
        self.closes: list[Close] = []
        self.now = Now(0.0, 1_800_000_000_000)
        events = Events(Metrics(), structlog.wrap_logger(structlog.PrintLogger(io.StringIO())), log_accepted=False)
        road = Road(
            RoadRules(RequestRules(service_ids=service_ids), table, POLICY),
            JsonDecoder(),
            self.now,
            events,
            lambda: 0.5,
        )
        pace = pace or PaceRules(service_share=chance.choice((0.5, 1.0)))
        hmac_of = None if ledger is None else str.encode
        rules = Rules(POLICY.retry, "end_user", pace, HOLD, ledger, deduplicate_ms, translated, hmac_of)
        topics = Targets(RETRY, DEAD, Names("c"))
        self.engine = Engine(
            road, Topics(frozenset({RETRY}), topics), bounds, rules, Fixed(bounds.in_flight), self.now, events
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

    def peace(self) -> None:
        """Everything is answered well, until nothing is left."""
        for _ in range(400):
            self.come_back()
            self.fetch()
            for happens in (self.answer, self.write, self.acknowledge):
                for _ in range(BOUNDS.in_flight):
                    happens(well=True)
            self.wait()


@pytest.mark.no_cover  # its lines are reached by the scenes, and tracing them triples its time
@settings(max_examples=250)  # and as many compiled
@given(st.integers(0, 1 << 32))
def test_whatever_happens_nothing_is_passed_over_or_forgotten(seed: int) -> None:
    """A commit never passes a record that is not settled; at rest all are, and all room in memory is given back."""
    around = Around(Random(seed))
    usual = [around.produce] * 6 + [around.fetch] * 3 + [around.answer] * 6 + [around.write, around.acknowledge] * 3
    rare = [around.wait] * 3 + [around.revoke, around.lose, around.come_back]
    for _ in range(around.chance.choice((20, 100, 300))):
        around.chance.choice(usual + rare)()
    around.peace()
    for partition, log in around.logs.items():
        assert around.committed[partition] == len(log), partition
    assert around.engine.in_hand == around.engine.in_flight == around.engine.commits.exposed == 0


def test_an_answer_to_a_post_of_a_partition_that_left_changes_nothing() -> None:
    """The list of inputs that it takes, and nothing else."""
    around = Around(Random(0))
    around.logs[PARTITIONS[0]].append(event(1, "a"))
    around.fetch()
    (post,) = around.posts
    around.tell(Lost(frozenset({PARTITIONS[0]})))
    around.posts.clear()
    around.tell(Answered(post.delivery, ACCEPTED))
    assert around.commits == []
    assert json.loads(post.delivery.record.value or b"")["variables"]["request"]["mark"] == "a"


def test_what_lies_behind_many_that_wait_is_found_in_further_turns() -> None:
    """One input decodes a hundred records at most; a thousand of one end user do not hide who comes after them."""
    around = Around(Random(0), BOUNDS._replace(records=2000, size=1 << 24))
    around.engine.limits.open_wide()
    around.logs[PARTITIONS[0]] = [event(1, str(n)) for n in range(300)] + [event(2, "behind")]
    around.fetch()
    assert len(around.posts) == 1
    turns = 0
    while around.engine.wants_turn:
        around.tell(Tick())
        turns += 1
    assert [post.delivery.record.offset for post in around.posts] == [0, 300]
    assert turns == 3


def test_a_service_that_has_all_traffic_reaches_the_limit_whatever_its_share() -> None:
    """Also from the one post that overload leaves: its share of that is one, and no reason to stay there."""
    for share, in_flight in itertools.product((0.1, 0.5, 0.8), (1, 2, 3, 8)):
        around = Around(Random(0), BOUNDS._replace(in_flight=in_flight), PaceRules(service_share=share))
        around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(30)]
        around.fetch()
        for _ in range(2 * in_flight):
            around.now.seconds += 0.05
            around.answer(well=True)
            around.acknowledge(well=True)
        assert len(around.posts) == in_flight, (share, in_flight)


def test_a_first_answer_that_is_slow_does_not_keep_one_service_from_opening() -> None:
    """One more for each second without an answer, though its share of what may be under way is one."""
    around = Around(Random(0), BOUNDS._replace(in_flight=8), PaceRules(service_share=0.8))
    around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(30)]
    around.fetch()
    around.answer(well=True)
    while len(around.posts) < 8:
        around.acknowledge(well=True)
        assert around.engine.rings_at <= around.now.seconds + 1
        around.now.seconds += 1
        around.tell(Tick())


def test_a_brake_that_began_as_a_doubt_tries_records_once_it_stops_posting() -> None:
    """The partition that was doubted left; without a try the brake would hold everything until somebody comes."""
    bounds = BOUNDS._replace(records=400, uncommitted=400, in_flight=8)
    around = Around(Random(0), bounds, service_ids={"0A1B": "0A1B"}, has_posted=False)
    first, second, third = PARTITIONS
    around.logs[first] = [event(1, "x", serviceId="0C")]
    around.logs[second] = [event(2, str(n), phoneNumber=f"x{n}") for n in range(120)]
    around.fetch()
    while around.writes or around.engine.wants_turn:
        around.write(well=True)
        around.tell(Tick())
    around.tell(Lost(frozenset({first})))
    around.logs[third] = [event(n, str(n)) for n in range(40)]
    around.fetch()
    posted = 0
    for _ in range(100):
        while around.posts:
            posted += 1
            around.tell(Answered(around.posts.pop().delivery, PERMANENT))
        around.write(well=True)
        around.acknowledge(well=True)
        around.now.seconds += 30.0
        around.tell(Tick())
    hold = around.engine.holds["brake"]
    assert hold is None or not hold.stops_posting or hold.tries is not None
    assert posted > 5


def test_what_may_be_delivered_is_not_kept_in_its_place_by_a_hold_of_the_deployment() -> None:
    """Posted again from there, nobody would count the repeat."""
    table = DEFAULT_TABLE.with_overrides([GATEWAY_TIMEOUT_IS_FINAL])
    around = Around(Random(0), table=table)
    around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(3)]
    around.engine.limits.open_wide()
    around.fetch()
    forbidden, timed_out = around.posts[0], around.posts[1]
    around.posts.clear()
    around.tell(Answered(forbidden.delivery, FORBIDDEN))
    assert "deployment" in around.engine.holds
    around.tell(Answered(timed_out.delivery, Reply(504, None, b"")))
    assert [write.copy.delivery for write in around.writes] == [timed_out.delivery]


def test_a_copy_that_could_not_be_handed_on_is_nobodys_any_more() -> None:
    """A bug of ours: its partition stops, and the slot, the bound and the timers are as if it had not been."""
    around = Around(Random(0))
    around.logs[PARTITIONS[0]] = [b"bad"] * 4
    around.fetch()
    for write in around.writes:
        around.tell(Broken(write, RuntimeError("a bug")))
    around.now.seconds += 60
    around.tell(Tick())
    assert around.engine.in_flight == around.engine.commits.exposed == 0


def test_a_stop_does_not_wait_for_posts_of_partitions_that_are_gone() -> None:
    around = Around(Random(0))
    around.logs[PARTITIONS[0]] = [event(1, "a")]
    around.fetch()
    around.tell(Leave(40.0))
    assert not around.closes
    around.tell(Lost(frozenset({PARTITIONS[0]})))
    assert [close.drained for close in around.closes] == [False]
