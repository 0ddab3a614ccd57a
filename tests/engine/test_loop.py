"""Many records: taken, delivered, settled, committed; the books balance at rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from typing_extensions import override

from connector.core.pauses import Target
from connector.core.record import Partition
from connector.core.reply import Failure, NoReply, Reply
from connector.engine.limits import Bounds
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    MAIN,
    PERMANENT,
    POLICY,
    RETRY,
    TEMPORARY,
    Connector,
    JsonDecoder,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
    values,
)
from tests.support.clock import VirtualClock, run_virtual

HEAD = Partition(MAIN, 0)


@run_virtual
async def test_every_accepted_record_is_posted_once_and_committed(clock: VirtualClock) -> None:
    """Two partitions, a hundred people: each is posted once, and the commits reach the ends."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(100):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        assert sorted(vendor.posted) == [number(n) for n in range(100)]
        assert {p: c.offset for p, c in kafka.committed.items() if p.topic == MAIN} == {
            Partition(MAIN, 0): 50,
            Partition(MAIN, 1): 50,
        }
        assert connector.count("records_accepted") == 100
        assert connector.engine.in_hand == 0
        assert connector.books_balance()


@run_virtual
async def test_a_refused_record_is_a_dead_letter_byte_for_byte(clock: VirtualClock) -> None:
    """Key, value and headers are those of the producer, in front of ours."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    feed(kafka, b"not an event", key=b"k", headers=(("a", b"\x00"), ("invoke.attempts", b"9")))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(1)
        (letter,) = values(kafka, DEAD)
        assert (letter.key, letter.value) == (b"k", b"not an event")
        assert letter.headers[:2] == (("a", b"\x00"), ("invoke.attempts", b"9"))
        assert dict(letter.headers[2:])["invoke.class"] == b"undecodable"
        assert vendor.posted == []
        assert kafka.committed[HEAD].offset == 1
        assert connector.books_balance()


@run_virtual
async def test_what_the_vendor_rejects_for_good_is_a_dead_letter(clock: VirtualClock) -> None:
    """It is posted once, and its header names the vendor's code."""
    kafka, vendor = broker(clock), ScriptedVendor(always(PERMANENT))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(1)
        (letter,) = values(kafka, DEAD)
        assert dict(letter.headers)["invoke.vendor-code"] == b"12002"
        assert dict(letter.headers)["__connect.errors.offset"] == b"0"
        assert len(vendor.posted) == 1


@run_virtual
async def test_what_the_vendor_rejects_for_now_is_posted_again_when_due(clock: VirtualClock) -> None:
    """Its copy waits asleep in the retry topic for 15 minutes, and is accepted then."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda _number, before: ACCEPTED if before else TEMPORARY)
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(14 * 60)
        assert len(vendor.posted) == 1
        assert len(values(kafka, RETRY)) == 1
        await asyncio.sleep(2 * 60)
        assert len(vendor.posted) == 2
        assert kafka.committed[Partition(RETRY, 0)].offset == 1
        assert connector.count("records_accepted") == 1
        assert connector.books_balance()


class WrongClock(VirtualClock):
    """Ahead of the time by so many ms."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


@run_virtual
async def test_a_clock_that_is_set_back_puts_a_copy_off_by_no_more_than_a_delay(clock: VirtualClock) -> None:
    """Its due time was ten hours ahead, and nobody waits that long for it."""
    clock = WrongClock(asyncio.get_running_loop())
    clock.ahead_ms = 36_000_000
    kafka, vendor = broker(clock), ScriptedVendor(lambda _who, before: ACCEPTED if before else TEMPORARY)
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        clock.ahead_ms = 0
        await asyncio.sleep(2 * 16 * 60)
        assert connector.count("records_accepted") == 1


@run_virtual
async def test_retries_end_with_the_window(clock: VirtualClock) -> None:
    """A record that fails for a day is a dead letter after about 96 attempts, which survive in headers."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TEMPORARY))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(25 * 3600)
        (letter,) = values(kafka, DEAD)
        found = dict(letter.headers)
        assert found["invoke.class"] == b"retries_exhausted"
        assert int(found["invoke.attempts"] or 0) == len(vendor.posted)
        assert 90 <= len(vendor.posted) <= 97
        assert found["__connect.errors.topic"] == MAIN.encode()


@run_virtual
async def test_retries_go_on_where_they_were_after_a_restart(clock: VirtualClock) -> None:
    """Attempts and first failure are in headers: a new process neither forgets nor repeats."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TEMPORARY))
    feed(kafka, event())
    for _ in range(5):
        connector = Connector(kafka, vendor, clock)
        await asyncio.sleep(20 * 60)
        await connector.leave()
    attempts = [int(dict(copy.headers)["invoke.attempts"] or 0) for copy in values(kafka, RETRY)]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) == len(vendor.posted) >= 5


@run_virtual
async def test_an_expired_event_is_not_posted(clock: VirtualClock) -> None:
    """Stale is worse than late."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    feed(kafka, event(expiresAt=clock.now_ms() - 1))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(1)
        (letter,) = values(kafka, DEAD)
        assert dict(letter.headers)["invoke.class"] == b"expired"
        assert vendor.posted == []


@run_virtual
async def test_an_event_that_expires_while_it_waits_in_its_lane_is_not_posted(clock: VirtualClock) -> None:
    """Expiry is checked before each post, not only when the record is taken."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=10)
    feed(kafka, event(1))
    feed(kafka, event(1, expiresAt=clock.now_ms() + 5_000))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(30)
        assert len(vendor.posted) == 1
        assert len(values(kafka, DEAD)) == 1


@run_virtual
async def test_a_request_that_was_never_sent_is_tried_again_in_its_place(clock: VirtualClock) -> None:
    """Two refused connections cost neither the record's place nor an attempt."""
    kafka = broker(clock)
    unsent = NoReply(Failure.CONNECT, sent=False)
    vendor = ScriptedVendor(lambda _number, before: unsent if before < 2 else ACCEPTED)
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(5)
        assert connector.count("records_accepted") == 1
        assert values(kafka, RETRY) == []


@run_virtual
async def test_a_request_that_can_never_be_sent_goes_to_the_retry_topic_in_the_end(clock: VirtualClock) -> None:
    """After a bounded number of tries in place."""
    kafka, vendor = broker(clock), ScriptedVendor(always(NoReply(Failure.CONNECT, sent=False)))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
        assert len(vendor.posted) == len(POLICY.in_place) + 1
        assert len(values(kafka, RETRY)) == 1


@run_virtual
async def test_a_maybe_delivered_record_is_repeated_once_and_marked(clock: VirtualClock) -> None:
    """Its second time-out makes it a dead letter that says how often it may have been delivered."""
    kafka, vendor = broker(clock), ScriptedVendor(always(NoReply(Failure.TIMEOUT, sent=True)))
    feed(kafka, event())
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(40 * 60)
        assert len(vendor.posted) == 2
        (letter,) = values(kafka, DEAD)
        assert dict(letter.headers)["invoke.possible-duplicate"] == b"2"
        assert dict(letter.headers)["invoke.class"] == b"maybe_delivered"


@run_virtual
async def test_a_copy_that_cannot_be_written_is_tried_for_ever(clock: VirtualClock) -> None:
    """Its partition takes nothing new meanwhile and commits nothing past it; the other one goes on."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda who, _before: PERMANENT if who == number(0) else ACCEPTED)
    kafka.write_errors[DEAD] = "not_enough_replicas"
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(3600)
        feed(kafka, event(1))
        feed(kafka, event(2), 1)
        await asyncio.sleep(3600)
        assert vendor.posted == [number(0), number(2)]
        assert kafka.committed.get(HEAD) is None
        kafka.write_errors.clear()
        await asyncio.sleep(60)
        assert vendor.posted == [number(0), number(2), number(1)]
        assert len(values(kafka, DEAD)) == 1
        assert kafka.committed[HEAD].offset == 2
        assert connector.count("writes_failed") > 100


@run_virtual
async def test_copies_that_cannot_be_written_keep_no_worker_from_other_partitions(clock: VirtualClock) -> None:
    """However many of them a partition had in hand when the first one failed."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    kafka.write_errors[DEAD] = "topic_authorization_failed"
    for n in range(3 * BOUNDS.in_flight):
        feed(kafka, b"a bug of the producer")
        feed(kafka, event(n), 1)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        assert connector.count("records_accepted") == 3 * BOUNDS.in_flight
        assert connector.engine.partitions_waiting() == {"dead_letter write": 1}
        assert connector.engine.in_flight == 0
        kafka.write_errors.clear()
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 3 * BOUNDS.in_flight
        assert connector.engine.commits.exposed == connector.engine.in_hand == 0
        assert connector.books_balance()


@run_virtual
async def test_copies_that_wait_count_as_uncommitted(clock: VirtualClock) -> None:
    """The vendor answered, and a crash would post them again: nothing new is posted beyond the bound."""
    kafka, vendor = broker(clock, main=8), ScriptedVendor(always(PERMANENT))
    kafka.write_errors[DEAD] = "topic_authorization_failed"
    for n in range(90):
        feed(kafka, event(n), n % 8)
    bounds = BOUNDS._replace(uncommitted=20)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(3600)
        assert len(vendor.posted) == connector.engine.commits.exposed <= bounds.uncommitted + bounds.in_flight
        kafka.write_errors.clear()
        await asyncio.sleep(3600)
        assert len(vendor.posted) == 90


@run_virtual
async def test_a_copy_that_is_too_large_loses_headers_and_not_its_value(clock: VirtualClock) -> None:
    """Our texts go first, then the original headers; key and value never."""
    kafka, vendor = broker(clock), ScriptedVendor(always(PERMANENT))
    value = event()
    kafka.max_bytes[DEAD] = len(value) + 700
    feed(kafka, value, headers=(("big", b"x" * 1000),))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(5)
        (letter,) = values(kafka, DEAD)
        assert letter.value == value
        assert dict(letter.headers)["invoke.headers-dropped"] == b"texts, original"


@run_virtual
async def test_a_schema_that_cannot_be_had_makes_its_partition_wait(clock: VirtualClock) -> None:
    """A registry that is down says nothing about the record: no dead letter, no overtaking, other partitions go on."""
    kafka, vendor, decoder = broker(clock), ScriptedVendor(always(ACCEPTED)), JsonDecoder()
    decoder.unavailable["schema:s"] = 5
    feed(kafka, b"schema:s " + event(1))
    feed(kafka, event(1, "second"))
    feed(kafka, event(2), 1)
    async with running(Connector(kafka, vendor, clock, decoder=decoder)):
        await asyncio.sleep(1)
        assert vendor.posted == [number(2)]
        await asyncio.sleep(60)
        assert vendor.order == ["", "", "second"]
        assert values(kafka, DEAD) == []


@run_virtual
async def test_a_bug_stops_one_partition_and_loses_nothing(clock: VirtualClock) -> None:
    """The record that meets it stays uncommitted; other partitions go on; the log names no value."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    feed(kafka, b"bug")
    feed(kafka, event(1))
    feed(kafka, event(2), 1)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(5)
        assert vendor.posted == [number(2)]
        assert HEAD not in kafka.committed
        assert [line["error"] for line in connector.log if line["event"] == "partition_stopped"] == ["RuntimeError"]


class BrokenClock(VirtualClock):
    """Raises when it is asked, once, after `broken` was set."""

    broken = False

    def monotonic(self) -> float:
        if self.broken:
            self.broken = False
            raise RuntimeError("a bug")
        return super().monotonic()


@run_virtual
async def test_a_fault_of_the_engine_ends_the_run_and_names_its_place(clock: VirtualClock) -> None:
    """What it knows may be wrong from there on: nothing more is posted or committed."""
    broken = BrokenClock(asyncio.get_running_loop())
    kafka, vendor = broker(broken), ScriptedVendor(always(ACCEPTED))
    connector = Connector(kafka, vendor, broken)
    await asyncio.sleep(1)
    broken.broken = True
    feed(kafka, event())
    failed = await connector.task
    assert failed.code == "engine_fault"
    assert "RuntimeError at " in failed.remedy
    assert [line["code"] for line in connector.log if line["event"] == "source_failed"] == ["engine_fault"]
    assert not await connector.leave()
    assert HEAD not in kafka.committed


class BrokenTargets(list[Target]):
    """Of a command that meets a bug."""

    @override
    def __iter__(self) -> Iterator[Target]:
        raise RuntimeError("a bug")


@run_virtual
async def test_a_fault_in_a_command_ends_the_run_too_and_whoever_gave_it_is_told(clock: VirtualClock) -> None:
    """It may have changed half of what it was to change: nothing more is posted or committed."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    with pytest.raises(RuntimeError, match="a bug"):
        connector.driver.pause(BrokenTargets(), "")
    feed(kafka, event())
    failed = await connector.task
    assert (failed.code, "RuntimeError at " in failed.remedy) == ("engine_fault", True)
    assert not await connector.leave()
    assert vendor.posted == []
    assert HEAD not in kafka.committed


@pytest.mark.parametrize("trouble", ["bug", "schema", "write"])
def test_a_partition_that_is_stuck_takes_no_room_from_the_others(trouble: str) -> None:
    """However long its backlog is; and when it can go on, all of it is posted in order."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, decoder = broker(clock), JsonDecoder()
        vendor = ScriptedVendor(lambda who, _before: PERMANENT if who == number(0) else ACCEPTED)
        decoder.unavailable["schema:s"] = 10
        kafka.write_errors[DEAD] = "not_enough_replicas"
        feed(kafka, {"bug": b"bug", "schema": b"schema:s " + event(1), "write": event(0)}[trouble])
        async with running(Connector(kafka, vendor, clock, decoder=decoder)) as connector:
            await asyncio.sleep(1)
            for n in range(2, 2 + 2 * BOUNDS.records):
                feed(kafka, event(n))
            await asyncio.sleep(1)
            feed(kafka, event(1), 1)
            await asyncio.sleep(1)
            assert vendor.posted[-1] == number(1)
            kafka.write_errors.clear()
            await asyncio.sleep(600)
            assert len(vendor.posted) == (1 if trouble == "bug" else 2 + 2 * BOUNDS.records)
            assert connector.books_balance()

    scene()


@run_virtual
async def test_no_more_than_in_flight_posts_are_under_way(clock: VirtualClock) -> None:
    """The bound on posts side by side is reached and kept."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
        assert vendor.most_under_way == BOUNDS.in_flight
        assert len(vendor.posted) == 200


@run_virtual
async def test_memory_does_not_grow_with_the_backlog(clock: VirtualClock) -> None:
    """A slow vendor and a long backlog: what is in memory stays within the bound on records."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED), latency=1)
    for n in range(2000):
        feed(kafka, event(n))
    bounds = Bounds(in_flight=4, uncommitted=500, records=50, size=1 << 20)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(100)
        assignment = connector.engine.assignments[HEAD]
        assert len(assignment.queue) + len(assignment.open) <= 50
        assert len(vendor.posted) >= 390


@run_virtual
async def test_posting_waits_while_too_much_is_uncommitted(clock: VirtualClock) -> None:
    """When the broker takes no commits, posting stops far below the bound; then it goes on."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    kafka.commit_error = "coordinator_not_available"
    for n in range(200):
        feed(kafka, event(n))
    bounds = BOUNDS._replace(uncommitted=20)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(600)
        assert len(vendor.posted) <= 2 * bounds.in_flight + 2
        kafka.commit_error = None
        await asyncio.sleep(60)
        assert len(vendor.posted) == 200
        assert connector.engine.commits.uncommitted == 0


@run_virtual
async def test_the_bound_on_what_is_uncommitted_never_waits_for_itself(clock: VirtualClock) -> None:
    """A record waits behind a slow one of its person while others fill the bound: it still goes, and makes room."""
    kafka, slow = broker(clock, main=1), NoReply(Failure.CONNECT, sent=False)
    vendor = ScriptedVendor(lambda who, before: slow if who == number(0) and before < 3 else ACCEPTED)
    for n in (0, 0, 0, *range(1, 60)):
        feed(kafka, event(n))
    bounds = BOUNDS._replace(uncommitted=20)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(0.5)
        assert connector.engine.commits.uncommitted <= 20 + bounds.in_flight
        await asyncio.sleep(60)
        assert connector.count("records_accepted") == 62


@pytest.mark.parametrize("answer", [Reply(200, None, b"login"), Reply(204, "REQ", b"")])
def test_an_answer_that_is_not_the_vendors_is_never_settled_as_accepted(answer: Reply) -> None:
    """A proxy's page with status 200 may have been delivered, and is repeated at most once."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), ScriptedVendor(always(answer))
        feed(kafka, event())
        async with running(Connector(kafka, vendor, clock)) as connector:
            await asyncio.sleep(3600)
            assert connector.count("records_accepted") == 0
            assert len(vendor.posted) == 2

    scene()


@run_virtual
async def test_offsets_may_have_gaps(clock: VirtualClock) -> None:
    """Compaction and transaction markers leave offsets out; the commit goes over them."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(10):
        feed(kafka, event(n), skip=n * 7)
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(5)
        assert len(vendor.posted) == 10
        assert kafka.committed[HEAD].offset == values(kafka, MAIN)[-1].offset + 1


@run_virtual
async def test_a_copy_without_an_answer_is_waited_for_and_not_written_again(clock: VirtualClock) -> None:
    """Kafka may have it, and of two copies in the retry topic both would be posted. Its partition takes nothing new."""
    kafka = broker(clock, main=1)
    vendor = ScriptedVendor(lambda who, before: TEMPORARY if who == number(0) and not before else ACCEPTED)
    kafka.write_delay = 600.0
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(30)
        feed(kafka, event(1))
        await asyncio.sleep(500)
        assert connector.engine.partitions_waiting() == {"retry write": 1}
        assert connector.count("writes_failed") > 10
        assert vendor.posted == [number(0)]
        await asyncio.sleep(100)
        assert len(values(kafka, RETRY)) == 1
        assert connector.count("writes_recovered") == 1
        await asyncio.sleep(1200)
        assert Counter(vendor.posted) == {number(0): 2, number(1): 1}
        assert connector.books_balance()


@run_virtual
async def test_a_drain_waits_for_the_answer_to_a_copy(clock: VirtualClock) -> None:
    """Also when that takes longer than it is waited for elsewhere: within the budget it is settled here."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(TEMPORARY))
    kafka.write_delay = 25.0
    feed(kafka, event(0))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(1)
    assert await connector.leave(budget=40)
    assert len(values(kafka, RETRY)) == 1
    assert kafka.committed[HEAD].offset == 1


@run_virtual
async def test_a_copy_whose_partition_left_is_given_up(clock: VirtualClock) -> None:
    """Whoever has the partition next posts its record; the copy would be posted as well."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(TEMPORARY))
    kafka.write_delay = 3600.0
    feed(kafka, event(0))
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(30)
    assert not await connector.leave(budget=20)
    await asyncio.sleep(3600)
    assert values(kafka, RETRY) == []
    assert kafka.committed.get(HEAD) is None


@run_virtual
async def test_a_partition_takes_nothing_while_any_of_its_copies_fails(clock: VirtualClock) -> None:
    """Two copies fail and one is written: the other one still keeps the partition."""
    kafka = broker(clock, main=1)
    answers = {number(0): PERMANENT, number(1): TEMPORARY}
    vendor = ScriptedVendor(lambda who, _before: answers.get(who, ACCEPTED))
    kafka.write_errors = {DEAD: "not_enough_replicas", RETRY: "not_enough_replicas"}
    feed(kafka, event(0))
    feed(kafka, event(1))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        feed(kafka, event(2))
        del kafka.write_errors[RETRY]
        await asyncio.sleep(120)
        assert vendor.posted == [number(0), number(1)]
        assert connector.count("writes_recovered") == 1
        kafka.write_errors.clear()
        await asyncio.sleep(120)
        assert vendor.posted == [number(0), number(1), number(2)]
        assert connector.count("writes_recovered") == 2
