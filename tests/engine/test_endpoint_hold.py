"""The endpoint is down: posting stops, is tried by one record, and opens gradually."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from connector.core.concurrency import Adaptive
from connector.core.record import Partition
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    FORBIDDEN,
    HOLD,
    MAIN,
    PERMANENT,
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

UNAVAILABLE = Reply(503, None, b"")
UNSENT = NoReply(Failure.CONNECT, sent=False)
RESET = NoReply(Failure.RESET, sent=True)
TIMED_OUT = NoReply(Failure.TIMEOUT, sent=True)
LOGIN_PAGE = Reply(200, None, b"<html>log in</html>")
OUTAGE, HOUR = 60.0, 3600.0
MOST_PROBES = 8
"""Within a minute: after 2 s, doubling up to 30 s, and the one that finds it well."""


class Outage(ScriptedVendor):
    """Accepts, but not from `at` on for `seconds`: then the answer is `bad`."""

    def __init__(self, clock: VirtualClock, at: float, seconds: float, bad: Answer) -> None:
        super().__init__(always(ACCEPTED))
        self._clock = clock
        self.script = lambda _who, _before: bad if at <= clock.monotonic() < at + seconds else ACCEPTED
        self.in_outage = 0
        self.time: Callable[[bool], float] | None = None
        self._at, self._seconds = at, seconds

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post. `time`, where it is set, says how long an answer takes, by whether it is a bad one."""
        self.in_outage += self._at <= self._clock.monotonic() < self._at + self._seconds
        if self.time is not None:
            number = json.loads(request.body)["endUser"]["phoneNumber"]
            self.latency = self.time(self.script(number, 0) is not ACCEPTED)
        return await super().invoke(request, trace)


async def load(connector: Connector, feed_one: Callable[[int], object], seconds: float) -> int:
    """100 events a second."""
    for n in range(round(seconds * 100)):
        feed_one(n)
        await asyncio.sleep(0.01)
    return round(seconds * 100)


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@pytest.mark.parametrize("bad", [UNAVAILABLE, UNSENT], ids=["503", "no connection"])
def test_an_outage_of_a_minute_under_load_costs_few_posts_and_no_record_its_place(bad: Answer) -> None:
    """Posts in the outage: in flight, the minimum, and probes. Nothing is dead-lettered, all are accepted once."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka = broker(clock)
        vendor = Outage(clock, at=5.0, seconds=OUTAGE, bad=bad)
        async with running(Connector(kafka, vendor, clock)) as connector:
            fed = await load(connector, lambda n: feed(kafka, event(n), n % 2), 100)
            await asyncio.sleep(30)
            most = BOUNDS.in_flight + HOLD.endpoint.minimum + MOST_PROBES
            in_place = 0 if bad is UNAVAILABLE else HOLD.endpoint.minimum * 4  # tries before the hold, none sent
            assert vendor.in_outage <= most + in_place
            assert values(kafka, DEAD) == []
            assert len(values(kafka, RETRY)) <= HOLD.endpoint.minimum
            assert connector.count("records_accepted") == fed - len(values(kafka, RETRY))
            await asyncio.sleep(1200)
            assert connector.count("records_accepted") == fed
            entered = [line for line in connector.log if line["event"] == "hold_entered"]
            assert {line["kind"] for line in entered} == {"endpoint"}
            assert connector.books_balance()

    scene()


@pytest.mark.parametrize("seed", range(20))
def test_answers_from_before_an_outage_do_not_keep_it_from_being_noticed(seed: int) -> None:
    """However late they come: what was under way, the minimum, and probes is all that is posted into it."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        chance = Random(seed)
        kafka, vendor = broker(clock), Outage(clock, at=0.5, seconds=OUTAGE, bad=UNAVAILABLE)
        slowest = chance.choice((0.05, 0.2, 1.0)), chance.choice((0.002, 0.2, 1.0))
        vendor.time = lambda bad: chance.uniform(0.0, slowest[bad])
        for n in range(3000):
            feed(kafka, event(n), n % 2)
        bounds = BOUNDS._replace(in_flight=32)
        async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
            await asyncio.sleep(30)
            (hold,) = connector.engine.holds.in_force
            assert hold.tries is not None
            assert vendor.in_outage <= bounds.in_flight + HOLD.endpoint.minimum + hold.tries.made + 1

    scene()


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@run_virtual
async def test_a_vendor_who_fails_half_of_all_posts_at_once_and_takes_time_for_the_others_is_not_down(
    clock: VirtualClock,
) -> None:
    """Until the first of them is answered it may look like that, and nothing new is posted."""
    chance, kafka, vendor = Random(1), broker(clock), Outage(clock, at=0.0, seconds=HOUR, bad=UNAVAILABLE)
    vendor.script = lambda who, _before: UNAVAILABLE if int(who[-4:]) > 2000 and int(who[-4:]) % 2 else ACCEPTED
    vendor.time = lambda bad: 0.01 if bad else chance.uniform(0.1, 0.6)
    for n in range(6000):
        feed(kafka, event(n), n // 2 % 2)
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(in_flight=64))) as connector:
        await asyncio.sleep(120)
        assert connector.count("holds") == 0
        assert connector.count("records_accepted") == 4000


@run_virtual
async def test_an_endpoint_that_may_have_delivered_is_repeated_no_more_than_the_bound(clock: VirtualClock) -> None:
    """What timed out goes to the retry topic with its count, hold or not; nothing is posted a third time."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TIMED_OUT))
    for n in range(100):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(4 * 3600)
        assert "endpoint" in connector.engine.holds
        assert max(Counter(vendor.posted).values()) <= 2
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(4 * 3600)
        assert connector.count("records_accepted") + connector.count("records_dead_lettered") == 100
        assert {dict(letter.headers)["invoke.class"] for letter in values(kafka, DEAD)} <= {b"maybe_delivered"}


@pytest.mark.parametrize(("kind", "bad"), [("endpoint", TIMED_OUT), ("deployment", LOGIN_PAGE)])
def test_a_long_hold_with_little_to_try_does_not_spend_the_last_chance_of_all_there_is(kind: str, bad: Answer) -> None:
    """At night, when nothing new comes: each try may make a dead letter. It goes on by itself, with nothing new too."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), ScriptedVendor(always(bad))
        for n in range(40):
            feed(kafka, event(n), n % 2)
        async with running(Connector(kafka, vendor, clock)) as connector:
            await asyncio.sleep(12 * HOUR)
            assert [hold.kind for hold in connector.engine.holds.in_force] == [kind]
            spent = len(values(kafka, DEAD))
            assert spent <= 14  # after a quarter of an hour, half an hour, and then one each hour
            vendor.script = always(ACCEPTED)
            await asyncio.sleep(2 * HOUR)
            assert list(connector.engine.holds.in_force) == []
            assert connector.count("records_accepted") == 40 - spent
            assert max(Counter(vendor.posted).values()) <= 2
            assert connector.books_balance()

    scene()


@run_virtual
async def test_a_last_chance_is_taken_at_once_when_somebody_says_so(clock: VirtualClock) -> None:
    """By a command, or by new credentials."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TIMED_OUT))
    for n in range(40):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(3 * HOUR)
        before = len(vendor.posted)
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(60)
        assert len(vendor.posted) == before
        assert connector.driver.try_now("endpoint")
        await asyncio.sleep(60)
        assert connector.count("records_accepted") + len(values(kafka, DEAD)) == 40


@run_virtual
async def test_while_commits_are_refused_probes_keep_the_bound_of_what_a_crash_would_post_again(
    clock: VirtualClock,
) -> None:
    """Each that times out leaves its place for the retry topic: one more that is answered and not committed."""
    kafka, vendor = broker(clock), ScriptedVendor(always(TIMED_OUT))
    for n in range(1000):
        feed(kafka, event(n), n % 2)
    bounds = BOUNDS._replace(in_flight=2, uncommitted=30)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(10)
        assert "endpoint" in connector.engine.holds
        posted, kafka.commit_error = len(vendor.posted), "group_authorization_failed"
        await asyncio.sleep(6 * HOUR)
        assert len(vendor.posted) - posted <= bounds.uncommitted + bounds.in_flight
        vendor.script, kafka.commit_error = always(ACCEPTED), None
        await asyncio.sleep(HOUR)
        assert connector.count("records_accepted") == 1000
        assert kafka.committed[Partition(MAIN, 0)].offset == 500


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@run_virtual
async def test_an_endpoint_that_never_answers_is_held_however_few_posts_that_costs(clock: VirtualClock) -> None:
    """With few under way, each for 30 s, there are never 20 failures within 10 s; nobody is a dead letter for it."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(2000):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, limit=Adaptive(1, 8), warm=False)) as connector:
        await asyncio.sleep(2)
        vendor.script, vendor.latency = always(TIMED_OUT), 30.0
        before = len(vendor.posted)
        await asyncio.sleep(6 * HOUR)
        (hold,) = connector.engine.holds.in_force
        assert hold.kind == "endpoint"
        assert hold.tries is not None
        assert len(vendor.posted) - before <= BOUNDS.in_flight + HOLD.endpoint.minimum + hold.tries.made + 1
        vendor.script, vendor.latency = always(ACCEPTED), 0.05
        await asyncio.sleep(HOUR)
        assert values(kafka, DEAD) == []
        assert connector.count("records_accepted") == 2000
        assert max(Counter(vendor.posted).values()) <= 2


@run_virtual
async def test_a_few_failures_are_no_outage(clock: VirtualClock) -> None:
    """Below the minimum each record goes its own way, and below the share too."""
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda who, _: UNAVAILABLE if int(who[-4:]) % 2 else ACCEPTED)
    for n in range(200):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        assert connector.count("holds") == 0
        assert len(values(kafka, RETRY)) == 100


@run_virtual
async def test_it_opens_gradually(clock: VirtualClock) -> None:
    """After a probe that is accepted not all at once, but twice as many each time."""
    kafka, vendor = broker(clock), ScriptedVendor(always(UNAVAILABLE), latency=0.5)
    for n in range(200):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        vendor.script = always(ACCEPTED)
        async with asyncio.timeout(60):
            while "endpoint" in connector.engine.holds:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        posted = [len(vendor.posted)]
        for _ in range(4):
            await asyncio.sleep(0.5)
            posted.append(len(vendor.posted))
        assert [later - earlier for earlier, later in pairwise(posted)] == [2, 4, 8, 8]


@run_virtual
async def test_each_probe_is_another_record(clock: VirtualClock) -> None:
    """One record may be what the endpoint cannot take."""
    kafka, vendor = broker(clock), ScriptedVendor(always(UNAVAILABLE))
    for n in range(60):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(10)
        before = len(vendor.posted)
        await asyncio.sleep(300)
        probes = vendor.posted[before:]
        assert len(set(probes)) == len(probes) >= 8


@run_virtual
async def test_any_verdict_of_the_vendor_shows_that_the_endpoint_lives(clock: VirtualClock) -> None:
    """A probe that is rejected for good is a dead letter, and the hold is over."""
    kafka, vendor = broker(clock), ScriptedVendor(always(UNAVAILABLE))
    for n in range(40):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        vendor.script = always(PERMANENT)
        await asyncio.sleep(60)
        assert "endpoint" not in connector.engine.holds
        assert connector.count("records_dead_lettered") + connector.count("records_retried") == 40


@run_virtual
async def test_holds_nest_and_end_independently(clock: VirtualClock) -> None:
    """The endpoint is down, and when it comes back the password is wrong."""
    kafka, vendor = broker(clock), ScriptedVendor(always(UNAVAILABLE))
    for n in range(40):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["endpoint"]
        vendor.script = always(FORBIDDEN)
        await asyncio.sleep(60)
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["deployment"]
        vendor.script = always(UNAVAILABLE)
        await asyncio.sleep(7200)
        assert "deployment" in connector.engine.holds
        assert values(kafka, DEAD) == []
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(7200)
        assert connector.engine.holds.in_force == ()
        assert connector.count("records_accepted") == 40


@run_virtual
async def test_new_certificates_are_tried_at_once(clock: VirtualClock) -> None:
    """One that expired while it was in use looks like an endpoint that breaks connections."""
    kafka, vendor = broker(clock), ScriptedVendor(always(RESET))
    for n in range(60):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(300)
        assert [hold.kind for hold in connector.engine.holds.in_force] == ["endpoint"]
        before = len(vendor.posted)
        while len(vendor.posted) == before:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)
        vendor.script = always(ACCEPTED)  # the next probe is 30 s away
        connector.driver.renewed()
        await asyncio.sleep(1)
        assert "endpoint" not in connector.engine.holds


@run_virtual
async def test_one_lonely_event_is_retried_by_the_topic(clock: VirtualClock) -> None:
    """Too few for a hold: what could not be sent goes to the retry topic after its tries in place."""
    kafka, vendor = broker(clock), ScriptedVendor(always(UNSENT))
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        assert connector.count("holds") == 0
        assert len(values(kafka, RETRY)) == 1
        assert vendor.posted == [number(0)] * 8


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@pytest.mark.parametrize(("rate", "share"), [(10, 0.6), (60, 0.6), (60, 0.8)])
def test_a_partial_outage_is_no_full_stop(rate: int, share: float) -> None:
    """What the vendor would accept is accepted in time while 1010 answers the rest, which the retry topic takes."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        chance, kafka = Random(7), broker(clock)
        would_fail = {number(n): chance.random() < share for n in range(rate * 120)}
        vendor = ScriptedVendor(lambda who, _before: TEMPORARY if would_fail[who] else ACCEPTED)
        async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(in_flight=32))) as connector:
            for n in range(rate * 120):
                feed(kafka, event(n), n % 2)
                await asyncio.sleep(1 / rate)
            acceptable = list(would_fail.values()).count(False)
            accepted = connector.count("records_accepted")
            assert accepted >= 0.9 * acceptable
            assert len(vendor.posted) - accepted <= share / (1 - share) * accepted * 1.2
            assert connector.count("holds") == 0

    scene()


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@run_virtual
async def test_where_nearly_all_fails_the_hold_is_left_by_a_trickle(clock: VirtualClock) -> None:
    """One of twenty passes: three records are tried every 2 s, not one at growing waits, and what passes flows on."""
    chance, kafka = Random(3), broker(clock)
    vendor = ScriptedVendor(lambda _who, _before: ACCEPTED if chance.random() < 0.05 else UNAVAILABLE)
    for n in range(20_000):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(in_flight=32))) as connector:
        await asyncio.sleep(900)
        _, *others = (float(str(line["seconds"])) for line in connector.log if line["event"] == "hold_left")
        assert len(others) >= 10
        assert sum(others) / len(others) < 25  # one by one, at growing waits, it takes minutes
