"""What a producer wrote twice is posted once, told by inputs alone."""

from __future__ import annotations

import asyncio
import io
from random import Random

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.envelope import fresh
from connector.core.ledger import Accepted, Fate
from connector.core.record import Partition, Record
from connector.core.signals import Lost
from connector.engine.blocks import Blocks
from connector.engine.budget import Budget
from connector.engine.context import Context
from connector.engine.messages import Answered, Input, Note, Post, Recall, Recalled
from connector.engine.partition import Block, Delivery
from connector.engine.recent import Recent
from connector.engine.timers import Timers
from connector.engine.turns import Turns
from connector.observe.events import Events
from connector.observe.metrics import Metrics
from tests.engine.around import PARTITIONS, PEOPLE, Around, lived
from tests.engine.stage import (
    ACCEPTED,
    PERMANENT,
    POLICY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
)
from tests.support.clock import VirtualClock, run_virtual

WINDOW_MS = 60_000
FIRST, SECOND, THIRD = PARTITIONS


class Deduplicating(Around):
    """The same, with producers that write events twice, and a ledger that tells of duplicates."""

    def __init__(self, chance: Random) -> None:
        self.accepted_at: dict[_Key, int] = {}
        self.recalls: list[Recall] = []
        self.duplicates = 0
        super().__init__(chance, ledger="optional", deduplicate_ms=WINDOW_MS)

    def tell(self, happened: Input) -> None:
        if isinstance(happened, Answered) and happened.answer is ACCEPTED:
            self.accepted_at[_key(happened.delivery)] = self.now.ms
        super().tell(happened)

    def carry_out(self, effect: object) -> None:
        match effect:
            case Recall():
                self.recalls.append(effect)
            case Post(delivery):
                assert not self.was_accepted(_key(delivery)), "posted though it was accepted"
                super().carry_out(effect)
            case Note(entry):
                if entry.fate is Fate.DUPLICATE:
                    self.duplicates += 1
                    assert self.was_accepted((entry.origin.partition, entry.event_id, entry.service_id, entry.end_user))
                    self.settled[entry.origin.partition].add(entry.origin.offset)
            case _:
                super().carry_out(effect)

    def was_accepted(self, key: _Key) -> bool:
        at = self.accepted_at.get(key)
        return at is not None and self.now.ms - at < WINDOW_MS

    def produce(self) -> None:
        partition, person = self.chance.choice(PARTITIONS), self.chance.randrange(PEOPLE)
        event_id, service_id = f"e-{self.chance.randrange(3)}", self.chance.choice(("0A", "0B"))
        self.logs[partition].append(event(person, eventId=event_id, serviceId=service_id))

    def recall(self, *accepted: Accepted, failed: str | None = None) -> None:
        """The ledger answers, and knows of these."""
        for recall in self.recalls:
            partition = recall.assignment.partition
            self.accepted_at |= {
                (partition, event_id, service_id, hmac.decode()): at for at, event_id, service_id, hmac in accepted
            }
        recalls, self.recalls = self.recalls, []
        for recall in recalls:
            self.tell(Recalled(recall, accepted, failed))

    def post_all(self, *values: bytes, partition: Partition = FIRST) -> list[int]:
        """Write these, and have all that is posted answered well: the offsets that were posted."""
        self.logs[partition] += values
        posted = []
        for _ in range(3):
            self.fetch()
            while self.posts:
                posted.append(self.posts[0].delivery.record.offset)
                self.tell(Answered(self.posts.pop(0).delivery, ACCEPTED))
                self.settled[partition].add(posted[-1])
            self.acknowledge(well=True)
        return posted

    def pass_seconds(self, seconds: float) -> None:
        self.now.seconds += seconds
        self.now.ms += round(seconds * 1000)

    def peace(self) -> None:
        for _ in range(3):
            self.recall()
            super().peace()


_Key = tuple[Partition, str | None, str | None, str]


def _key(delivery: Delivery) -> _Key:
    return delivery.history.origin.partition, delivery.event_id, delivery.shown_service, delivery.end_user


def told(n: int, mark: str, accepted_ms: int, **fields: str) -> Accepted:
    """What the ledger has of `event(n, mark, **fields)`; the HMAC of these tests is the number."""
    given = {"eventId": f"e-{n}-{mark}", "serviceId": "0A1B", "phoneNumber": number(n), **fields}
    return Accepted(accepted_ms, given["eventId"], given["serviceId"], given["phoneNumber"].encode())


@pytest.fixture
def around() -> Deduplicating:
    """All partitions were asked about."""
    found = Deduplicating(Random(0))
    found.recall()
    return found


@pytest.mark.no_cover  # as in test_engine
@settings(max_examples=100)
@given(st.integers(0, 1 << 32))
def test_no_id_is_posted_while_it_counts_as_accepted_and_nothing_else_is_left_out(seed: int) -> None:
    """Whatever else happens; and at rest all is settled."""
    around = Deduplicating(Random(seed))
    lived(around, [around.recall])


def test_an_id_that_was_accepted_is_settled_without_a_post(around: Deduplicating) -> None:
    """In its own partition, and until the time is over."""
    twice = event(1, "a")
    assert around.post_all(twice, twice, event(1, "b")) == [0, 2]
    assert around.duplicates == 1
    assert around.post_all(twice, partition=SECOND) == [0]
    around.pass_seconds(WINDOW_MS / 1000 - 1)
    assert around.post_all(twice) == []
    around.pass_seconds(1)
    assert around.post_all(twice) == [4]


def test_an_id_that_was_not_accepted_is_posted_again(around: Deduplicating) -> None:
    around.logs[FIRST] = [event(1, "a"), event(1, "a")]
    around.fetch()
    around.tell(Answered(around.posts.pop().delivery, PERMANENT))
    around.write(well=True)
    assert [post.delivery.record.offset for post in around.posts] == [1]


def test_what_was_accepted_is_remembered_when_the_partition_comes_back_and_for_a_late_answer(
    around: Deduplicating,
) -> None:
    """The record that was not committed is found to be posted already."""
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    (post,) = around.posts
    around.tell(Lost(frozenset({FIRST})))
    around.posts.clear()
    around.tell(Answered(post.delivery, ACCEPTED))
    around.assign(FIRST)
    around.recall()
    assert around.post_all() == []
    assert around.engine.in_hand == 0


def test_nothing_of_a_partition_is_posted_before_the_ledger_said_what_others_accepted() -> None:
    around = Deduplicating(Random(0))
    around.logs[FIRST] = [event(1, "a"), event(1, "b"), event(1, "c")]
    around.fetch()
    assert not around.posts
    assert {recall.since_ms for recall in around.recalls} == {around.now.ms - WINDOW_MS}
    around.recall(told(1, "a", around.now.ms - 1000), told(1, "b", around.now.ms - WINDOW_MS))
    assert around.post_all() == [1, 2]


def test_an_id_that_was_accepted_for_somebody_else_or_another_service_is_posted(around: Deduplicating) -> None:
    """Whether this process posted it, or the ledger tells of it."""
    mine, theirs = event(1, "a"), event(2, eventId="e-1-a")
    other_service, other = event(1, "a", serviceId="0C"), event(3, "b")
    assert around.post_all(mine, theirs, other_service, mine) == [0, 1, 2]
    around.tell(Lost(frozenset({SECOND})))
    around.assign(SECOND)
    around.recall(
        told(1, "a", around.now.ms, phoneNumber=number(2)),
        told(1, "a", around.now.ms, serviceId="0C"),
        told(3, "b", around.now.ms),
    )
    assert around.post_all(mine, theirs, other_service, other, partition=SECOND) == [0]


def test_what_the_ledger_cannot_name_is_posted(around: Deduplicating) -> None:
    """A service id that may be a phone number is not in it."""
    digits = event(1, "a", serviceId=number(7))
    around.tell(Lost(frozenset({FIRST})))
    around.assign(FIRST)
    around.recall(told(1, "a", around.now.ms, serviceId=number(7)))
    assert around.post_all(digits, digits) == [0]


def test_a_ledger_that_cannot_be_read_keeps_nobody() -> None:
    around = Deduplicating(Random(0))
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    around.recall(failed="timed_out")
    assert around.post_all() == [0]


class BrokenLedger:
    """Its reading has a bug."""

    def start(self, on_noted: object) -> None:
        """Nothing to start."""

    def note(self, note: object) -> None:
        """Nothing is kept."""

    async def recall(self, partition: Partition, since_ms: int) -> str:
        """Never answers well."""
        raise RuntimeError("a bug")


@run_virtual
async def test_a_bug_in_reading_the_ledger_keeps_no_partition(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    feed(kafka, event(1))
    async with running(Connector(kafka, vendor, clock, ledger=BrokenLedger(), deduplicate_ms=WINDOW_MS)) as connector:
        await asyncio.sleep(60)
        assert vendor.posted == [number(1)]
        assert {line["code"] for line in connector.log if line["event"] == "ledger_unread"} == {"fault"}


def remembering(around: Deduplicating, most: int) -> tuple[Recent, Metrics]:
    """One with room for so many, alone."""
    metrics = Metrics()
    events = Events(metrics, structlog.wrap_logger(structlog.PrintLogger(io.StringIO())), log_accepted=False)
    context = Context(around.now, Timers(around.now), [], events)
    blocks = Blocks(Turns(), Budget(1, 1, 1), POLICY.retry, context)
    return Recent(WINDOW_MS, hmac_of=str.encode, blocks=blocks, context=context, most=most), metrics


def delivered(around: Deduplicating, n: int) -> Delivery:
    """The n-th event."""
    record = Record(FIRST, n, 0, None, b"")
    delivery = Delivery(around.engine.assignments[FIRST], record, fresh(record), ())
    delivery.event_id, delivery.shown_service, delivery.end_user = f"e-{n}", "0A1B", number(n)
    return delivery


def test_what_the_ledger_tells_takes_only_free_room_and_goes_first(around: Deduplicating) -> None:
    """What this process accepted itself is worth more, however much the ledger tells."""
    recent, metrics = remembering(around, most=80)
    own = [delivered(around, n) for n in range(150)]
    for each in own[:30]:
        recent.accepted(each)
    assignment = around.engine.assignments[FIRST]
    others = [told(n, "", around.now.ms - 1000 + n, eventId=f"e-{n}") for n in range(1000, 1100)]
    assignment.block(Block.LEDGER)
    recent.recalled(Recalled(Recall(assignment, 0), others, None))
    assert 70 <= len(recent) <= 80
    assert all(map(recent.has, own[:30]))
    assert recent.has(delivered(around, 1099))
    assert not recent.has(delivered(around, 1000))
    for each in own[30:70]:
        recent.accepted(each)
        assert len(recent) <= 80
    assert all(map(recent.has, own[:70]))
    assert metrics.counter("event_ids_forgotten").at().value == 170 - len(recent)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 2.6])
def test_what_there_is_no_room_for_is_forgotten_oldest_first_and_counted(seconds: float) -> None:
    """Memory is bounded, whatever the rate: a burst after a quiet time too."""
    around = Deduplicating(Random(0))
    recent, metrics = remembering(around, most=80)
    deliveries = []
    for n in range(200):
        deliveries.append(delivered(around, n))
        recent.accepted(deliveries[-1])
        assert len(recent) <= 80
        around.pass_seconds(seconds if n < 20 else 0.0)
    forgotten = metrics.counter("event_ids_forgotten").at().value
    assert forgotten == 200 - len(recent) >= 120
    assert recent.has(deliveries[-70])
    assert [recent.has(each) for each in (deliveries[0], deliveries[150], deliveries[199])] == [False, True, True]


def test_after_their_time_ids_take_no_memory() -> None:
    around = Deduplicating(Random(0))
    around.recall()
    around.post_all(*(event(1, str(n)) for n in range(9)))
    for _ in range(20):
        around.pass_seconds(WINDOW_MS / 1000)
        around.post_all(event(1, "again"))
    recent = around.engine.recent
    assert recent is not None
    assert len(recent) <= 2
