"""How fast, and who gets how much of it: the rate, pauses, shares, and bulkheads."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.utils import formatdate
from itertools import pairwise
from random import Random

import pytest

from connector.core.concurrency import Adaptive
from connector.core.record import Partition
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from connector.engine.limits import PaceRules
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    HOLD,
    MAIN,
    RETRY,
    TEMPORARY,
    Connector,
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

HOUR = 3600.0


class Vendor(ScriptedVendor):
    """Knows when each post came, and how many of each service were under way at most."""

    def __init__(self, clock: VirtualClock, answer: Answer = ACCEPTED, latency: float = 0.05) -> None:
        super().__init__(always(answer), latency)
        self._clock = clock
        self.at: list[float] = []
        self.slow: dict[str, float] = {}
        self.of_service: dict[str, int] = {}
        self.most_of_service: dict[str, int] = {}

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post."""
        service = request.service_id
        self.at.append(self._clock.monotonic())
        self.of_service[service] = self.of_service.get(service, 0) + 1
        self.most_of_service[service] = max(self.most_of_service.get(service, 0), self.of_service[service])
        try:
            answer = await super().invoke(request, trace)
            await asyncio.sleep(self.slow.get(service, 0.0))
            return answer
        finally:
            self.of_service[service] -= 1


def most_within(times: list[float], seconds: float) -> int:
    """The most posts that any window of so many seconds has."""
    times = sorted(times)
    return max((sum(1 for other in times if at <= other < at + seconds) for at in times), default=0)


@run_virtual
async def test_three_processes_together_keep_the_rate_of_the_deployment(clock: VirtualClock) -> None:
    """Each takes the part that its partitions are of all; members come and go meanwhile."""
    kafka, vendor = broker(clock, main=5), Vendor(clock)
    for n in range(1200):
        feed(kafka, event(n), n % 5)
    pace = PaceRules(rate=10.0)
    members = [Connector(kafka, vendor, clock, pace=pace) for _ in range(2)]
    await asyncio.sleep(20)
    members.append(Connector(kafka, vendor, clock, pace=pace))
    await asyncio.sleep(20)
    assert sum(member.engine.limits.share for member in members) == pytest.approx(1.0)
    await members.pop(0).leave()
    await asyncio.sleep(20)
    assert sum(member.engine.limits.share for member in members) == pytest.approx(1.0)
    assert most_within(vendor.at, 10.0) <= 100 + 3 * 2
    assert len(vendor.posted) >= 0.9 * 600
    for member in members:
        await member.leave()


@run_virtual
async def test_posts_are_spaced_evenly(clock: VirtualClock) -> None:
    """No burst at the beginning of each second."""
    kafka, vendor = broker(clock), Vendor(clock)
    for n in range(50):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(rate=10.0))):
        await asyncio.sleep(4)
        gaps = [later - earlier for earlier, later in pairwise(vendor.at[1:])]
        assert gaps == pytest.approx([0.1] * len(gaps), abs=0.006)


@run_virtual
async def test_retries_and_canaries_pass_the_limiter_too(clock: VirtualClock) -> None:
    """All fail at once, and come back after 15 minutes: never faster than the rate."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda _who, before: ACCEPTED if before else TEMPORARY
    never = HOLD._replace(endpoint=HOLD.endpoint._replace(minimum=10_000))
    for n in range(200):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, hold=never, pace=PaceRules(rate=5.0))) as connector:
        await asyncio.sleep(HOUR)
        assert connector.count("records_accepted") == 200
        assert most_within(vendor.at, 10.0) <= 52


@run_virtual
async def test_nothing_is_posted_before_the_share_is_known(clock: VirtualClock) -> None:
    """No partition, no part of the rate."""
    kafka, vendor = broker(clock), Vendor(clock)
    connector = Connector(kafka, vendor, clock, pace=PaceRules(rate=5.0))
    assert connector.engine.limits.rate == 0
    await asyncio.sleep(1)
    assert connector.engine.limits.rate == 5.0
    await connector.leave()
    assert connector.engine.limits.rate == 0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_what_the_vendor_asks_for_is_a_pause_of_the_process(status: int, as_date: bool) -> None:
    """All wait as long as it says; a record that was turned away keeps its place instead of being 15 minutes late."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock, main=1), Vendor(clock)
        until = formatdate(clock.now_ms() / 1000 + 100, usegmt=True)
        busy = Reply(status, None, b"", retry_after=until if as_date else "100")
        vendor.script = lambda _who, _before: busy if clock.monotonic() < 50 else ACCEPTED
        for n in range(100):
            feed(kafka, event(n % 5, f"{n:03d}"))
        async with running(Connector(kafka, vendor, clock)) as connector:
            await asyncio.sleep(95)
            assert len(vendor.posted) <= BOUNDS.in_flight
            (hold,) = connector.engine.holds.in_force
            assert (hold.kind, hold.reason.remedy) == ("retry_after", "nothing: posting goes on then")
            await asyncio.sleep(30)
            assert connector.count("records_accepted") == 100
            assert values(kafka, RETRY) == values(kafka, DEAD) == []
            for person in range(5):
                mine = [mark for mark in vendor.order if int(mark) % 5 == person]
                assert list(dict.fromkeys(mine)) == sorted(set(mine))

    scene()


@run_virtual
async def test_one_who_is_asked_to_wait_does_not_stop_the_others(clock: VirtualClock) -> None:
    """One answer of a hundred: its end user waits as long as it says, and nobody else."""
    chance, kafka, vendor = Random(5), broker(clock), Vendor(clock)
    unlucky = {number(n) for n in range(3600) if chance.random() < 0.01}
    busy = Reply(429, None, b"", retry_after="1")
    vendor.script = lambda who, before: busy if who in unlucky and not before else ACCEPTED
    async with running(Connector(kafka, vendor, clock)) as connector:
        for n in range(3600):
            feed(kafka, event(n), n % 2)
            await asyncio.sleep(1 / 60)
        assert connector.count("records_accepted") >= 3500
        await asyncio.sleep(5)
        assert connector.count("records_accepted") == 3600
        for who in unlucky:
            first, second = (at for posted, at in zip(vendor.posted, vendor.at, strict=True) if posted == who)
            assert second - first >= 1


@run_virtual
async def test_after_a_pause_that_the_vendor_asked_for_it_opens_gradually(clock: VirtualClock) -> None:
    """Who was asked to wait does not come back with all at once, nor do six pods."""
    kafka, vendor = broker(clock), Vendor(clock, latency=0.5)
    vendor.script = lambda _who, _before: (
        Reply(503, None, b"", retry_after="100") if clock.monotonic() < 50 else ACCEPTED
    )
    for n in range(100):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(110)
        after = [at for at in vendor.at if at > 50]
        assert [sum(round(at - after[0], 1) == half / 2 for at in after) for half in range(5)] == [1, 2, 4, 8, 8]


@run_virtual
async def test_a_longer_pause_wins_and_nonsense_asks_for_none(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), Vendor(clock)
    answers = iter(["soon", "5", "60", "5", "-1"])
    vendor.script = lambda _who, before: ACCEPTED if before else Reply(429, None, b"", retry_after=next(answers, None))
    for n in range(5):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(59)
        assert len(vendor.posted) == 5
        await asyncio.sleep(20)
        assert connector.count("records_accepted") == 5


@run_virtual
async def test_a_slow_service_leaves_slots_for_the_others(clock: VirtualClock) -> None:
    """A quarter of them, whatever its backlog is."""
    kafka, vendor = broker(clock, main=1), Vendor(clock)
    vendor.slow["0510"] = 30.0
    for n in range(300):
        feed(kafka, event(n, serviceId="0510"))
    for n in range(300, 400):
        feed(kafka, event(n, serviceId="0A"))
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(service_share=0.75))) as connector:
        await asyncio.sleep(20)
        assert vendor.most_of_service == {"0510": 6, "0A": 2}
        assert connector.count("records_accepted") >= 90
        await asyncio.sleep(3000)
        assert connector.count("records_accepted") == 400
        assert connector.books_balance()


@run_virtual
async def test_a_record_that_waits_for_its_service_makes_room_when_it_holds_its_partition_back(
    clock: VirtualClock,
) -> None:
    """Without a map, what others have answered behind it fills the bound, and only it can make room again."""
    kafka, vendor = broker(clock, main=1), Vendor(clock)
    kafka.cluster_id = None
    vendor.slow["0510"] = 5.0
    for n in range(100):
        feed(kafka, event(n, serviceId="0510" if n < 4 else "0A"))
    bounds, pace = BOUNDS._replace(uncommitted=20), PaceRules(service_share=0.25)
    async with running(Connector(kafka, vendor, clock, bounds=bounds, pace=pace)) as connector:
        await asyncio.sleep(60)
        assert connector.count("records_accepted") == 100
        assert kafka.committed[Partition(MAIN, 0)].offset == 100


@run_virtual
async def test_a_record_that_waits_for_its_service_is_tried_during_a_hold(clock: VirtualClock) -> None:
    """When all that was under way has gone to the retry topic, there is none else; nobody is tried twice for it."""
    kafka, vendor = broker(clock), Vendor(clock, NoReply(Failure.TIMEOUT, sent=True))
    for n in range(2 * BOUNDS.records):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(service_share=0.75))) as connector:
        await asyncio.sleep(60)
        assert "endpoint" in connector.engine.holds
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(60)
        assert not connector.engine.holds.active
        assert connector.count("records_accepted") > BOUNDS.records
        assert max(Counter(vendor.posted).values()) == 1


@run_virtual
async def test_a_service_that_is_alone_and_quick_gets_all(clock: VirtualClock) -> None:
    """The limit grows though its part of the limit would be less."""
    kafka, vendor = broker(clock), Vendor(clock, latency=0.2)
    for n in range(5000):
        feed(kafka, event(n), n % 2)
    bounds = BOUNDS._replace(in_flight=50)
    pace = PaceRules(service_share=0.8)
    async with running(Connector(kafka, vendor, clock, bounds=bounds, limit=Adaptive(1, 50), pace=pace, warm=False)):
        await asyncio.sleep(15)
        assert vendor.most_of_service == {"0A1B": 50}


@run_virtual
async def test_what_one_service_leaves_another_borrows(clock: VirtualClock) -> None:
    """Nine in ten are of one service: no slot stays empty, nothing is taken long before its turn, nobody is late."""
    kafka, vendor = broker(clock), Vendor(clock, latency=0.1)
    for n in range(6000):
        feed(kafka, event(n, serviceId="0A" if n % 20 in (0, 11) else "0510"), n % 2)
    bounds, pace = BOUNDS._replace(in_flight=50), PaceRules(service_share=0.8)
    async with running(Connector(kafka, vendor, clock, bounds=bounds, pace=pace)) as connector:
        for second in range(1, 11):
            await asyncio.sleep(1)
            assert connector.count("records_accepted") >= 500 * second - 100
            assert connector.engine.in_hand <= 2 * bounds.in_flight
        assert sum(int(who[-4:]) % 20 in (0, 11) for who in vendor.posted) >= 490


@run_virtual
async def test_a_service_that_begins_to_hang_borrows_no_more(clock: VirtualClock) -> None:
    """What it had borrowed it gives back with its first answers; from then on the others have their part at once."""
    kafka, vendor = broker(clock), Vendor(clock, latency=0.1)
    for n in range(2000):
        feed(kafka, event(n, serviceId="0510"), n % 2)
    bounds, pace = BOUNDS._replace(in_flight=50, records=5000), PaceRules(service_share=0.8)
    async with running(Connector(kafka, vendor, clock, bounds=bounds, pace=pace)) as connector:
        await asyncio.sleep(1)
        vendor.slow["0510"] = 20.0
        await asyncio.sleep(30)
        before = connector.count("records_accepted")
        for n in range(2000, 2100):
            feed(kafka, event(n, serviceId="0A"), 0)
        await asyncio.sleep(2)
        assert vendor.of_service["0510"] == 40
        assert connector.count("records_accepted") - before >= 90


@run_virtual
async def test_a_slow_service_leaves_slots_for_the_others_while_the_limit_is_looked_for(clock: VirtualClock) -> None:
    """What it got before the limit fell does not keep the others' part of it from them."""
    kafka, vendor = broker(clock, main=4), Vendor(clock, latency=0.1)
    vendor.slow["0510"] = 30.0
    for n in range(4800):
        feed(kafka, event(n, serviceId="0510" if n % 4 == 0 else "0A"), n // 4 % 4)
    bounds, pace = BOUNDS._replace(in_flight=50, records=5000), PaceRules(service_share=0.8)
    connector = Connector(kafka, vendor, clock, bounds=bounds, limit=Adaptive(1, 50), pace=pace, warm=False)
    accepted = []
    for _ in range(3):
        await asyncio.sleep(8)
        accepted.append(connector.count("records_accepted"))
    assert min(later - earlier for earlier, later in pairwise(accepted)) > 8 * 60
    await connector.leave(budget=1)


@run_virtual
async def test_without_a_bulkhead_one_service_may_have_all_slots(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), Vendor(clock)
    for n in range(50):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(5)
        assert vendor.most_of_service == {"0A1B": BOUNDS.in_flight}


def in_retry_topic(kafka: object, clock: VirtualClock, first: int, count: int) -> None:
    """Copies that are due now, as an earlier process wrote them."""
    for n in range(first, first + count):
        feed_retry(kafka, n, clock.now_ms())


def feed_retry(kafka: object, n: int, due_ms: int) -> None:
    """One copy."""
    ours = ((f"invoke.{name}", str(value).encode()) for name, value in {"attempts": 1, "due": due_ms}.items())
    headers = (*ours, ("invoke.header-count", b"3"))
    kafka.append(Partition(RETRY, 0), event(n), headers=headers)  # type: ignore[attr-defined]  # a MemoryBroker


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_retry_topic_gets_its_share_and_the_main_topic_the_rest(share: float) -> None:
    """While both have a backlog; neither starves."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), Vendor(clock)
        in_retry_topic(kafka, clock, 1000, 400)
        for n in range(400):
            feed(kafka, event(n), n % 2)
        pace = PaceRules(rate=10.0, retry_share=share)
        async with running(Connector(kafka, vendor, clock, pace=pace)):
            await asyncio.sleep(30)
            retried = sum(int(phone[-4:]) >= 1000 for phone in vendor.posted)
            assert retried / len(vendor.posted) == pytest.approx(share, abs=0.03)

    scene()


@run_virtual
async def test_a_share_that_is_not_used_is_the_others(clock: VirtualClock) -> None:
    """And a time without retries is no credit for later."""
    kafka, vendor = broker(clock), Vendor(clock)
    for n in range(400):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(rate=10.0))):
        await asyncio.sleep(20)
        assert len(vendor.posted) >= 195
        in_retry_topic(kafka, clock, 1000, 100)
        before = len(vendor.posted)
        await asyncio.sleep(4)
        retried = [int(phone[-4:]) >= 1000 for phone in vendor.posted[before:]]
        assert sum(retried) == pytest.approx(len(retried) / 2, abs=2)


@pytest.mark.parametrize("bound", [{"records": 100}, {"size": 100 * len(event(0, "000"))}], ids=["records", "bytes"])
def test_one_busy_end_user_stops_others_only_beyond_the_window(bound: dict[str, int]) -> None:
    """As far as three quarters of the memory reach, others pass; beyond, they wait, and no other partition does."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), Vendor(clock, latency=1.0)
        bounds = BOUNDS._replace(**bound)
        for n in range(300):
            feed(kafka, event(0, f"{n:03d}"))
            if n in (10, 290):
                feed(kafka, event(1 if n == 10 else 2))
        async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
            await asyncio.sleep(5)
            assert number(1) in vendor.posted
            assert number(2) not in vendor.posted
            assert set(connector.engine.assignments[Partition(MAIN, 0)].blocks) == {"room"}
            assert connector.engine.waiting()["lane"] > 50
            feed(kafka, event(3), 1)
            await asyncio.sleep(2)
            assert number(3) in vendor.posted
            await asyncio.sleep(400)
            assert connector.count("records_accepted") == 303
            busy = [mark for mark in vendor.order if mark]
            assert busy == sorted(busy)

    scene()


@run_virtual
async def test_after_a_day_of_outage_the_backlog_drains_within_the_limits_oldest_first(clock: VirtualClock) -> None:
    """At the rate; what expired meanwhile goes by without being posted, and without using the rate up."""
    kafka, vendor = broker(clock), Vendor(clock)
    started = clock.now_ms()
    for n in range(2000):
        late = started - 24 * 3_600_000 + n * 1000
        expires = started - 1 if n % 2 else started + 3_600_000
        ours = {"attempts": 90, "due": late, "first-failure": late - 1000}
        headers = (*((f"invoke.{k}", str(v).encode()) for k, v in ours.items()), ("invoke.header-count", b"4"))
        kafka.append(Partition(RETRY, 0), event(n, f"{n:04d}", expiresAt=expires), headers=headers, timestamp_ms=late)
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(rate=20.0))) as connector:
        await asyncio.sleep(55)
        assert connector.count("records_accepted") == 1000
        assert {dict(letter.headers)["invoke.class"] for letter in values(kafka, DEAD)} == {b"expired"}
        assert len(values(kafka, DEAD)) == 1000
        assert vendor.order == sorted(vendor.order)
        assert most_within(vendor.at, 10.0) <= 202
        assert connector.books_balance()
