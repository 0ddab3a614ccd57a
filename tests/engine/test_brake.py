"""The brake on dead letters: a producer shipped a bug, or a classification is wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from connector.core.reply import Failure, NoReply
from connector.engine.brake import BrakeRules
from connector.engine.judge import HoldRules
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    HOLD,
    MAIN,
    PERMANENT,
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

MINIMUM = 10


def braking(**changes: Any) -> HoldRules:
    """A brake that is put on at ten dead letters."""
    brake = BrakeRules(holds=True, window=60.0, share=0.5, minimum=MINIMUM)
    return HOLD._replace(brake=brake._replace(**changes))


@run_virtual
async def test_a_producers_bug_does_not_empty_the_topic_into_the_dead_letters(clock: VirtualClock) -> None:
    """After the minimum it stops, and says so; what is left keeps its place."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, b"a bug of the producer", n % 2)
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(3600)
        assert len(values(kafka, DEAD)) == MINIMUM - 1
        (line,) = [line for line in connector.log if line["event"] == "hold_entered"]
        assert (line["kind"], line["level"], line["code"]) == ("brake", "error", "undecodable")
        assert "connector resume --hold brake" in str(line["remedy"])
        assert connector.books_balance()


@run_virtual
async def test_a_record_that_passes_ends_it(clock: VirtualClock) -> None:
    """It is looked for past the bad ones, which then are the dead letters that they are."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(20):
        feed(kafka, b"a bug of the producer", n % 2)
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(100)
        assert "brake" in connector.engine.holds
        for n in range(20):
            feed(kafka, event(n), n % 2)
        await asyncio.sleep(200)
        assert connector.count("records_accepted") == 20
        assert len(values(kafka, DEAD)) == 20
        assert "brake" not in connector.engine.holds


@run_virtual
async def test_a_record_that_passes_is_found_however_many_bad_ones_lie_in_front(clock: VirtualClock) -> None:
    """As long as they leave half the memory, and though nothing else comes and wakes anybody."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    for _ in range(400):
        feed(kafka, b"a bug of the producer")
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(100)
        assert connector.count("records_accepted") == 1
        assert connector.books_balance()


@run_virtual
async def test_a_wrong_classification_is_braked_too(clock: VirtualClock) -> None:
    """The vendor rejects everything for good: few become dead letters, and one is tried now and then."""
    kafka, vendor = broker(clock), ScriptedVendor(always(PERMANENT))
    for n in range(200):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(7200)
        assert len(values(kafka, DEAD)) == MINIMUM - 1
        assert len(vendor.posted) <= MINIMUM + 8 + 15
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(3600)
        assert connector.count("records_accepted") == 200 - len(values(kafka, DEAD))


@run_virtual
async def test_a_command_lets_them_go_until_they_are_few_again(clock: VirtualClock) -> None:
    """All of them, without the brake being put on again at each; later it works as before."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, b"a bug of the producer", n % 2)
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(100)
        assert connector.driver.release_brake()
        await asyncio.sleep(10)
        assert len(values(kafka, DEAD)) == 200
        assert not connector.driver.release_brake()
        await asyncio.sleep(100)
        feed(kafka, b"one alone")
        await asyncio.sleep(100)
        for _ in range(50):
            feed(kafka, b"a bug of the producer")
        await asyncio.sleep(100)
        assert "brake" in connector.engine.holds
        assert len(values(kafka, DEAD)) < 220


@run_virtual
async def test_what_expired_does_not_count(clock: VirtualClock) -> None:
    """After a long outage much may have."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, event(n, expiresAt=clock.now_ms() - 1))
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 200
        assert connector.count("holds") == 0


@run_virtual
async def test_a_share_below_the_bound_is_no_reason(clock: VirtualClock) -> None:
    kafka = broker(clock)
    vendor = ScriptedVendor(lambda who, _: PERMANENT if int(who[-4:]) % 3 == 0 else ACCEPTED)
    for n in range(600):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(60)
        assert connector.count("holds") == 0
        assert len(values(kafka, DEAD)) == 200


@run_virtual
async def test_as_a_warning_it_says_so_once_and_goes_on(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(200):
        feed(kafka, b"a bug of the producer", n % 2)
    async with running(Connector(kafka, vendor, clock, hold=braking(holds=False))) as connector:
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 200
        assert connector.count("holds") == 0
        assert connector.count("brake_warnings") == 1


@run_virtual
async def test_what_may_have_been_delivered_is_never_posted_again_for_the_brakes_sake(clock: VirtualClock) -> None:
    """Its dead letter is written at once: kept in its place it would be posted again."""
    kafka, vendor = broker(clock), ScriptedVendor(always(NoReply(Failure.RESET, sent=True)))
    policy_repeats_none = HOLD.endpoint._replace(minimum=1000)
    rules = braking()._replace(endpoint=policy_repeats_none)
    for n in range(40):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, hold=rules)) as connector:
        await asyncio.sleep(8 * 3600)
        assert all(vendor.posted.count(number(n)) <= 2 for n in range(40))
        assert connector.books_balance()


@pytest.mark.no_cover  # tracing lines triples what its many posts take
@pytest.mark.parametrize("rejected_by", ["us", "the vendor"])
def test_good_events_pass_while_most_are_bad(rejected_by: str) -> None:
    """Six of ten are invalid: few become dead letters, the others wait in their place, and the good ones pass at once.

    It is one hold until the share is over, not one that opens for a moment at each record that passes.
    """

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        chance, kafka = Random(11), broker(clock)
        bad = {n for n in range(60 * 60) if chance.random() < 0.6}
        refused = {number(n) for n in bad} if rejected_by == "the vendor" else set()
        vendor = ScriptedVendor(lambda who, _: PERMANENT if who in refused else ACCEPTED)
        bounds = BOUNDS._replace(records=20_000, size=1 << 26)
        async with running(Connector(kafka, vendor, clock, hold=braking(minimum=100), bounds=bounds)) as connector:
            for n in range(60 * 60):
                invalid = n in bad and rejected_by == "us"
                feed(kafka, event(n, phoneNumber=f"0{n}") if invalid else event(n), n % 2)
                await asyncio.sleep(1 / 60)
            await asyncio.sleep(1)
            assert connector.count("records_accepted") == 60 * 60 - len(bad)
            assert len(values(kafka, DEAD)) <= 100
            assert connector.count("holds") == 1
            assert connector.engine.waiting()["hold"] >= len(bad) - 100
            for n in range(60 * 60, 60 * 130):
                feed(kafka, event(n), n % 2)
                await asyncio.sleep(1 / 60)
            assert "brake" not in connector.engine.holds
            assert connector.count("holds") == 1
            assert len(values(kafka, DEAD)) == len(bad)
            assert connector.books_balance()

    scene()


@run_virtual
async def test_it_is_about_the_class_that_became_too_many(clock: VirtualClock) -> None:
    """What is refused for another reason, now and then, is the dead letter that it is on any day."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock, hold=braking(minimum=30))):
        for n in range(300):
            feed(kafka, b"a bug of the producer" if n % 10 else event(n, phoneNumber=f"0{n}"), n % 2)
            if n % 50 == 25:
                feed(kafka, event(n, serviceId="no service"), n % 2)
        await asyncio.sleep(30)
        classes = Counter(dict(letter.headers)["invoke.class"] for letter in values(kafka, DEAD))
        assert classes[b"undecodable"] < 30
        assert classes[b"bad_service_id"] >= 5


@run_virtual
async def test_its_line_names_a_record_and_the_command_that_shows_it(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    for _ in range(20):
        feed(kafka, b"a bug of the producer")
    async with running(Connector(kafka, vendor, clock, hold=braking())) as connector:
        await asyncio.sleep(10)
        (line,) = [line for line in connector.log if line["event"] == "hold_entered"]
        assert (line["topic"], line["partition"], line["offset"]) == (MAIN, 0, MINIMUM - 1)
        assert f"`connector render --topic {MAIN} --partition 0 --offset {MINIMUM - 1}`" in str(line["remedy"])
        (hold,) = connector.engine.holds.in_force
        assert hold.reason.details["offset"] == MINIMUM - 1


@run_virtual
async def test_until_something_is_posted_a_refusal_may_be_a_slip_of_the_deployment(clock: VirtualClock) -> None:
    """Nothing is a dead letter for what our own settings may have caused, until somebody looks."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(60):
        feed(kafka, b"framed in another way", n % 2)
    async with running(Connector(kafka, vendor, clock, warm=False)) as connector:
        await asyncio.sleep(7200)
        assert values(kafka, DEAD) == []
        (line,) = [line for line in connector.log if line["event"] == "hold_entered"]
        assert (line["kind"], line["level"], line["offset"]) == ("brake", "error", 0)
        assert "schemas.framing" in str(line["why"])
        assert connector.engine.waiting()["hold"] == 60


@run_virtual
async def test_once_something_is_posted_what_was_refused_is_the_producers_slip(clock: VirtualClock) -> None:
    """Also what was kept back until then; and what no setting of ours explains is a dead letter from the beginning."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    for n in range(20):
        feed(kafka, b"no event", n % 2)
    feed(kafka, event(1, phoneNumber="0123456"))
    async with running(Connector(kafka, vendor, clock, warm=False)) as connector:
        await asyncio.sleep(60)
        assert [dict(letter.headers)["invoke.class"] for letter in values(kafka, DEAD)] == [b"national_phone_number"]
        feed(kafka, event(2))
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 21
        assert connector.engine.holds.in_force == ()
        assert connector.books_balance()


@run_virtual
async def test_new_events_that_all_have_expired_may_be_a_slip_too_and_old_ones_are_not(clock: VirtualClock) -> None:
    """An age limit that is too short for how long producers take; what waited for us while we were away has expired."""
    kafka, vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
    day = 86_400_000
    for n in range(20):
        feed(kafka, event(n, createdAt=clock.now_ms() - 3 * day), n % 2)
    await asyncio.sleep(600)
    async with running(Connector(kafka, vendor, clock, warm=False)) as connector:
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 20
        for n in range(20, 40):
            feed(kafka, event(n, createdAt=clock.now_ms() - 3 * day), n % 2)
        await asyncio.sleep(600)
        assert len(values(kafka, DEAD)) == 20
        (line,) = [line for line in connector.log if line["event"] == "hold_entered"]
        assert "delivery.max_event_age" in str(line["why"])
        feed(kafka, event(40))
        await asyncio.sleep(60)
        assert len(values(kafka, DEAD)) == 40
