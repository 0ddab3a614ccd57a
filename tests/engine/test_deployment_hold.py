"""The deployment is at fault, or one record is: a hold, a canary, and whoever is refused alone."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter

import pytest

from connector.core.poison import WAITS
from connector.core.record import Partition
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from connector.core.tries import Intervals
from connector.engine.limits import PaceRules
from connector.engine.partition import Delivery
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    DEAD,
    FORBIDDEN,
    HOLD,
    MAIN,
    PERMANENT,
    POLICY,
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
UNKNOWN_REJECTION = Reply(400, "REQ-5", b'{"error":{"code":99,"description":"who knows"}}')


class Vendor(ScriptedVendor):
    """Knows when each post came, and of which service and end user it was."""

    def __init__(self, clock: VirtualClock, answer: Answer = ACCEPTED, latency: float = 0.05) -> None:
        super().__init__(always(answer), latency)
        self._clock = clock
        self.at: list[float] = []
        self.services: list[str] = []

    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        """Post."""
        self.at.append(self._clock.monotonic())
        self.services.append(request.service_id)
        return await super().invoke(request, trace)

    def change(self, answer: Answer) -> None:
        """Everybody is answered so from now on."""
        self.script = always(answer)


def lines(connector: Connector, name: str) -> list[dict[str, object]]:
    return [dict(line) for line in connector.log if line["event"] == name]


def kept() -> int:
    """Deliveries that something holds on to, settled or not."""
    gc.collect()
    return sum(isinstance(each, Delivery) for each in gc.get_objects())


@run_virtual
async def test_a_password_that_is_wrong_for_hours_costs_nothing(clock: VirtualClock) -> None:
    """Nothing is dead-lettered or retried; when it is right again everything is accepted once, in order."""
    kafka, vendor = broker(clock), Vendor(clock)
    connector = Connector(kafka, vendor, clock)
    for n in range(300):
        feed(kafka, event(n % 7, f"{n:03d}"), n % 2)
        if n == 50:
            await asyncio.sleep(2)
            vendor.change(FORBIDDEN)
        if n == 100:
            await asyncio.sleep(3 * HOUR)
    refused = len(vendor.posted)
    vendor.change(ACCEPTED)
    await asyncio.sleep(0.5 * HOUR)
    assert await connector.leave()
    assert connector.count("records_accepted") == 300
    assert values(kafka, DEAD) == values(kafka, RETRY) == []
    assert refused <= 51 + BOUNDS.in_flight + 20
    for person in range(7):
        for partition in range(2):
            mine = [m for m in vendor.order if int(m) % 7 == person and int(m) % 2 == partition]
            assert list(dict.fromkeys(mine)) == sorted(set(mine))
    (left,) = lines(connector, "hold_left")
    assert left["kind"] == "deployment"
    assert float(str(left["seconds"])) > 3 * HOUR
    assert connector.books_balance()


PAGE = b"<html>who are you?</html>"
FAULTS: list[tuple[str, Answer]] = [
    ("unauthorized", Reply(401, None, PAGE)),
    ("forbidden", Reply(403, None, PAGE)),
    ("not_authorized", Reply(403, "REQ-6", b'{"error":{"code":12001,"description":"Account is not authorized"}}')),
    ("blocked", Reply(400, "REQ-7", b'{"error":{"description":"Request was blocked."}}')),
    ("invalid_method", Reply(400, "REQ-8", b'{"error":{"code":12003,"description":"Invalid HTTP method"}}')),
    ("invalid_api_version", Reply(400, "REQ-9", b'{"error":{"code":12004,"description":"Invalid API version"}}')),
    ("proxy_authentication", Reply(407, None, PAGE)),
    ("redirected", Reply(301, None, b"")),
    ("redirected", Reply(307, None, b"")),
    ("wrong_address", Reply(404, None, PAGE)),
    ("wrong_address", Reply(405, None, PAGE)),
    ("gateway_rejected", Reply(400, None, PAGE)),
    ("proxy_credentials", NoReply(Failure.PROXY_CREDENTIALS, sent=False)),
    ("proxy_refused", NoReply(Failure.PROXY_REFUSED, sent=False)),
    ("server_certificate", NoReply(Failure.SERVER_CERTIFICATE, sent=False)),
    ("client_certificate", NoReply(Failure.CLIENT_CERTIFICATE, sent=False)),
    ("client_certificate", NoReply(Failure.CLIENT_CERTIFICATE, sent=True)),  # as it shows under TLS 1.3
]


@pytest.mark.parametrize(("code", "answer"), FAULTS)
def test_a_fault_of_the_deployment_under_load_costs_nothing_until_it_is_put_right(code: str, answer: Answer) -> None:
    """Whatever it is: posts in vain are those under way and the canaries; then all are accepted once, in order."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), Vendor(clock)
        async with running(Connector(kafka, vendor, clock)) as connector:
            for n in range(300):
                feed(kafka, event(n % 9, f"{n:03d}"), n % 9 % 2)
                await asyncio.sleep(0.01)
                if n == 100:
                    before = len(vendor.posted)
                    vendor.change(answer)
            await asyncio.sleep(HOUR)
            (hold,) = connector.engine.holds.in_force
            assert hold.tries is not None
            assert (hold.kind, hold.reason.code) == ("deployment", code)
            assert len(vendor.posted) - before <= BOUNDS.in_flight + hold.tries.made
            vendor.change(ACCEPTED)
            connector.driver.renewed()
            await asyncio.sleep(20)
            assert connector.count("records_accepted") == 300
            assert values(kafka, DEAD) == values(kafka, RETRY) == []
            for person in range(9):
                mine = [mark for mark in vendor.order if int(mark) % 9 == person]
                assert list(dict.fromkeys(mine)) == sorted(set(mine))
            assert connector.books_balance()

    scene()


@run_virtual
async def test_the_line_of_a_hold_names_the_record_the_reason_and_the_remedy(clock: VirtualClock) -> None:
    kafka = broker(clock)
    feed(kafka, event(), 1)
    async with running(Connector(kafka, Vendor(clock, FORBIDDEN), clock)) as connector:
        await asyncio.sleep(1)
        (line,) = lines(connector, "hold_entered")
        assert {
            "kind": "deployment",
            "level": "error",
            "code": "unauthorized",
            "topic": MAIN,
            "partition": 1,
            "offset": 0,
            "event_id": "e-0-",
            "request_id": "REQ-4",
        }.items() <= line.items()
        assert line["remedy"]


@run_virtual
async def test_a_canary_is_tried_at_growing_intervals_and_not_more(clock: VirtualClock) -> None:
    """An account must not be locked out: 30 s, doubling, up to 15 minutes."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN, latency=0.0)
    for n in range(50):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, warm=False)):
        await asyncio.sleep(2 * HOUR)
        waits = [later - earlier for earlier, later in zip(vendor.at, vendor.at[1:], strict=False)]
        assert waits[:8] == pytest.approx([30, 60, 120, 240, 480, 900, 900, 900], rel=0.01)


@run_virtual
async def test_a_process_that_starts_with_a_wrong_password_tries_it_once(clock: VirtualClock) -> None:
    """Six pods of 64 posts would lock the account: it opens from one on, also after a time with nothing to post."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    async with running(Connector(kafka, vendor, clock, warm=False)):
        await asyncio.sleep(10)
        for n in range(50):
            feed(kafka, event(n))
        await asyncio.sleep(25)
        assert len(vendor.posted) == 1


@run_virtual
async def test_it_opens_gradually_from_the_first_acceptance_on(clock: VirtualClock) -> None:
    """As many more at a time as were accepted."""
    kafka, vendor = broker(clock), Vendor(clock, latency=0.5)
    for n in range(50):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, warm=False)):
        await asyncio.sleep(2.25)
        assert [vendor.at.count(half / 2) for half in range(5)] == [1, 2, 4, 8, 8]


@run_virtual
async def test_a_slow_first_answer_keeps_the_others_for_a_second_each(clock: VirtualClock) -> None:
    """Nobody was refused yet: one service that hangs must not keep all others for the time of its time-out."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: None if who == number(0) else ACCEPTED
    for n in range(50):
        feed(kafka, event(n))
    connector = Connector(kafka, vendor, clock, warm=False)
    await asyncio.sleep(0.9)
    assert len(vendor.posted) == 1
    await asyncio.sleep(2)
    assert connector.count("records_accepted") == 49
    await connector.leave(budget=1)


@run_virtual
async def test_each_canary_is_another_record_another_partition_and_another_service(clock: VirtualClock) -> None:
    """As far as there are others: one of them may be what is wrong."""
    kafka, vendor = broker(clock, main=3), Vendor(clock, FORBIDDEN)
    for n in range(60):
        feed(kafka, event(n, serviceId=f"0{n % 4}"), n % 3)
    async with running(Connector(kafka, vendor, clock, warm=False)):
        await asyncio.sleep(HOUR)
        assert len(vendor.posted) == len(set(vendor.posted)) >= 6
        assert set(vendor.services[:4]) == {"00", "01", "02", "03"}
        partitions = [int(phone[-4:]) % 3 for phone in vendor.posted]
        assert set(partitions[:4]) == {0, 1, 2}


@run_virtual
async def test_one_poisoned_record_among_many_is_refused_alone(clock: VirtualClock) -> None:
    """The others are accepted, each once, and without a hold of any length; the one is a dead letter that says why."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(500) else ACCEPTED
    for n in range(1000):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        assert connector.count("records_accepted") == 999
        for n in range(1000, 1300):
            feed(kafka, event(n), n % 2)
            await asyncio.sleep(0.1)
        (letter,) = values(kafka, DEAD)
        headers = dict(letter.headers)
        assert headers["invoke.class"] == b"refused_alone"
        assert headers["invoke.http-status"] == b"401"
        assert int(headers["invoke.attempts"] or 0) == vendor.posted.count(number(500)) == len(WAITS) + 1
        assert Counter(vendor.posted) == Counter({**{number(n): 1 for n in range(1300)}, number(500): len(WAITS) + 1})
        assert len(lines(connector, "hold_entered")) == 1
        assert sum(float(str(line["seconds"])) for line in lines(connector, "hold_left")) < 1
        assert {p: c.offset for p, c in kafka.committed.items() if p.topic == MAIN} == {
            Partition(MAIN, 0): 650,
            Partition(MAIN, 1): 650,
        }
        assert connector.books_balance()


@pytest.mark.parametrize(
    "failure",
    [Failure.PROXY_CREDENTIALS, Failure.PROXY_REFUSED, Failure.SERVER_CERTIFICATE, Failure.CLIENT_CERTIFICATE],
)
def test_who_needs_a_new_connection_that_is_refused_is_never_poison(failure: Failure) -> None:
    """Others pass on connections that stand, which says nothing about a record of which not a byte was sent."""

    @run_virtual
    async def test(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock), Vendor(clock)
        refused = NoReply(failure, sent=False)
        vendor.script = lambda who, before: refused if who == number(5) and before < 8 else ACCEPTED
        async with running(Connector(kafka, vendor, clock)) as connector:
            for n in range(1000):
                feed(kafka, event(n), n % 2)
                await asyncio.sleep(0.1)
            await asyncio.sleep(4 * HOUR)
            assert values(kafka, DEAD) == values(kafka, RETRY) == []
            assert Counter(vendor.posted) == Counter({**{number(n): 1 for n in range(1000)}, number(5): 9})
            # What stands is closed by the time of the first canary, which opens a connection of its own.
            least = 0.8 * 30.0
            assert all(float(str(line["seconds"])) >= least for line in lines(connector, "hold_left"))

    test()


@run_virtual
async def test_a_poisoned_record_does_not_keep_others_of_its_service_that_wait_at_their_bulkhead(
    clock: VirtualClock,
) -> None:
    """Nothing else can show that the account is let in."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(100) else ACCEPTED
    for n in range(500):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(service_share=0.75))) as connector:
        await asyncio.sleep(5)
        assert connector.count("records_accepted") == 499
        assert len(lines(connector, "hold_entered")) == 1
        assert sum(float(str(line["seconds"])) for line in lines(connector, "hold_left")) < 1


@run_virtual
async def test_a_record_to_try_is_found_however_many_refused_ones_lie_in_front(clock: VirtualClock) -> None:
    """As long as they leave half the memory, and though nothing else comes and lets anybody look."""
    kafka, vendor = broker(clock, main=1), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(0) else ACCEPTED
    feed(kafka, event(0, expiresAt=clock.now_ms() + 5_000))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(1)
        assert "deployment" in connector.engine.holds
        for _ in range(400):
            feed(kafka, b"a bug of the producer")
        feed(kafka, event(1))
        await asyncio.sleep(100)
        assert vendor.posted == [number(0), number(1)]
        assert "deployment" not in connector.engine.holds


@run_virtual
async def test_a_record_that_was_posted_before_is_first_at_its_bulkhead(clock: VirtualClock) -> None:
    """Behind a long backlog of its service each of its tries would wait for all of that."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(20) else ACCEPTED
    for n in range(3000):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock, pace=PaceRules(service_share=0.75))) as connector:
        await asyncio.sleep(sum(WAITS) + 2)
        assert vendor.posted.count(number(20)) == len(WAITS) + 1
        assert connector.count("records_dead_lettered") == 1


@run_virtual
async def test_a_poisoned_record_under_a_light_load_holds_only_until_another_one_comes(clock: VirtualClock) -> None:
    """While it is the only one at hand it is not its own canary, which would cost all others the canary's interval."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(100) else ACCEPTED
    async with running(Connector(kafka, vendor, clock)) as connector:
        for n in range(200):
            feed(kafka, event(n), n % 2)
            await asyncio.sleep(0.2)
        assert connector.count("records_accepted") == 199
        assert vendor.posted.count(number(100)) == len(WAITS) + 1
        assert len(lines(connector, "hold_entered")) == 1
        assert sum(float(str(line["seconds"])) for line in lines(connector, "hold_left")) < 0.5


@run_virtual
async def test_many_poisoned_records_are_told_from_the_others(clock: VirtualClock) -> None:
    """Each is refused alone, and nobody else becomes a dead letter."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if int(who[-4:]) % 100 == 7 else ACCEPTED
    for n in range(1000):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        for n in range(1000, 2000):
            feed(kafka, event(n), n % 2)
            await asyncio.sleep(0.1)
        for n in range(2000, 2006):
            await asyncio.sleep(10)
            feed(kafka, event(n))
        await asyncio.sleep(1)
        assert connector.count("records_dead_lettered") == 20
        assert 20 <= connector.count("holds") <= 25
        assert connector.count("records_accepted") == 1986
        assert {dict(letter.headers)["invoke.class"] for letter in values(kafka, DEAD)} == {b"refused_alone"}


@run_virtual
async def test_a_record_that_is_all_there_is_stays_until_it_expires(clock: VirtualClock) -> None:
    """Nobody else passes, so nobody knows whose fault it is."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(POLICY.max_event_age_ms / 1000 - HOUR)
        assert values(kafka, DEAD) == []
        assert "deployment" in connector.engine.holds
        await asyncio.sleep(2 * HOUR)
        (letter,) = values(kafka, DEAD)
        assert dict(letter.headers)["invoke.class"] == b"expired"


@run_virtual
async def test_a_record_refused_alone_is_held_and_no_dead_letter_while_nothing_else_comes(clock: VirtualClock) -> None:
    """It waits aside for some seconds for another one to pass; then it is a hold, with itself as its canary."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(1) else ACCEPTED
    feed(kafka, event(0))
    feed(kafka, event(1))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        feed(kafka, event(2))
        await asyncio.sleep(HOUR)
        assert connector.count("records_accepted") == 2
        assert values(kafka, DEAD) == []
        assert "deployment" in connector.engine.holds
        for n in range(3, 3 + 8):
            feed(kafka, event(n))
            await asyncio.sleep(HOUR)
        assert len(values(kafka, DEAD)) == 1


@run_virtual
async def test_no_record_is_poison_when_the_credentials_fail_again(clock: VirtualClock) -> None:
    """Refused twice, with a good hour in between: both times it was the password."""
    kafka, vendor = broker(clock), Vendor(clock)
    async with running(Connector(kafka, vendor, clock)) as connector:
        n = 0
        for answer in (ACCEPTED, FORBIDDEN, ACCEPTED, FORBIDDEN, ACCEPTED, FORBIDDEN, ACCEPTED, FORBIDDEN, ACCEPTED):
            vendor.change(answer)
            for _ in range(20):
                feed(kafka, event(n), n % 2)
                n += 1
            await asyncio.sleep(HOUR)
        assert connector.count("records_accepted") == n
        assert values(kafka, DEAD) == values(kafka, RETRY) == []


@run_virtual
async def test_new_credentials_are_tried_at_once(clock: VirtualClock) -> None:
    """By one post; and all others follow when it is accepted."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    for n in range(50):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(HOUR)
        before = len(vendor.posted)
        connector.driver.renewed()
        await asyncio.sleep(10)
        assert len(vendor.posted) == before + 1
        vendor.change(ACCEPTED)
        connector.driver.renewed()
        await asyncio.sleep(10)
        assert connector.count("records_accepted") == 50


@run_virtual
async def test_a_partition_that_is_assigned_during_a_hold_starts_held(clock: VirtualClock) -> None:
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    feed(kafka, event(0))
    first, second = Connector(kafka, vendor, clock), Connector(kafka, vendor, clock)
    await asyncio.sleep(100)
    for n in range(1, 40):
        feed(kafka, event(n), n % 2)
    await second.leave()
    before = len(vendor.posted)
    await asyncio.sleep(20)
    assert len(first.engine.assignments) == 3
    assert len(vendor.posted) <= before + 1
    vendor.change(ACCEPTED)
    await asyncio.sleep(HOUR)
    assert first.count("records_accepted") == 40
    await first.leave()


@run_virtual
async def test_an_answer_to_a_post_from_before_does_not_end_a_hold(clock: VirtualClock) -> None:
    """The password may have changed while it was under way."""
    kafka, vendor = broker(clock), Vendor(clock)

    class Slow(Vendor):
        async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
            self.latency = 20.0 if number(0).encode() in request.body else 0.05
            return await super().invoke(request, trace)

    vendor = Slow(clock)
    vendor.script = lambda who, _before: ACCEPTED if who == number(0) else FORBIDDEN
    for n in range(5):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(25)
        assert connector.count("records_accepted") == 1
        assert "deployment" in connector.engine.holds


@run_virtual
async def test_a_verdict_on_the_payload_ends_a_hold_and_is_carried_out(clock: VirtualClock) -> None:
    """Only an account that was let in is told what is wrong with its JSON."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    for n in range(3):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock, warm=False)) as connector:
        await asyncio.sleep(10)
        vendor.change(PERMANENT)
        await asyncio.sleep(60)
        assert "deployment" not in connector.engine.holds
        assert connector.count("records_dead_lettered") == 3


@run_virtual
async def test_a_rejection_that_nobody_knows_dead_letters_nothing_during_a_hold(clock: VirtualClock) -> None:
    """It may be one more way to say that the account is not let in."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    for n in range(30):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(10)
        vendor.change(UNKNOWN_REJECTION)
        await asyncio.sleep(3 * HOUR)
        assert values(kafka, DEAD) == []
        assert "deployment" in connector.engine.holds
        vendor.change(ACCEPTED)
        await asyncio.sleep(HOUR)
        assert connector.count("records_accepted") == 30


@run_virtual
async def test_bytes_that_are_no_event_are_dead_letters_only_after_the_hold(clock: VirtualClock) -> None:
    """The canary is found past them."""
    kafka, vendor = broker(clock, main=1), Vendor(clock, FORBIDDEN)
    feed(kafka, event(0))
    for _ in range(30):
        feed(kafka, b"not an event")
    feed(kafka, event(1))
    async with running(Connector(kafka, vendor, clock, warm=False)) as connector:
        await asyncio.sleep(200)
        assert set(vendor.posted) == {number(0), number(1)}
        assert values(kafka, DEAD) == []
        vendor.change(ACCEPTED)
        await asyncio.sleep(HOUR)
        assert len(values(kafka, DEAD)) == 30
        assert connector.count("records_accepted") == 2


@pytest.mark.parametrize(
    ("bound", "bad"), [({"records": 50}, b"no"), ({"size": 10_000}, b"no" * 200)], ids=["records", "bytes"]
)
def test_a_hold_ends_however_many_bad_records_lie_in_front(bound: dict[str, int], bad: bytes) -> None:
    """When they fill half the memory they go to the dead letters all the same: no hold may last for ever."""

    @run_virtual
    async def scene(clock: VirtualClock) -> None:
        kafka, vendor = broker(clock, main=1), Vendor(clock, Reply(200, None, b"<html>please sign in</html>"))
        feed(kafka, event(0))
        for _ in range(400):
            feed(kafka, bad)
        for n in range(1, 30):
            feed(kafka, event(n))
        bounds = BOUNDS._replace(**bound)
        warned = HOLD._replace(brake=HOLD.brake._replace(holds=False))
        async with running(Connector(kafka, vendor, clock, bounds=bounds, hold=warned, warm=False)) as connector:
            await asyncio.sleep(10)
            vendor.change(ACCEPTED)
            await asyncio.sleep(2 * HOUR)
            assert connector.count("records_accepted") == 30
            assert connector.books_balance()

    scene()


@run_virtual
async def test_a_record_due_during_a_long_hold_gets_its_attempt_however_late(clock: VirtualClock) -> None:
    """Held for longer than the window: it is posted, and a further failure is not its last."""
    kafka, vendor = broker(clock), Vendor(clock)
    vendor.script = lambda _who, before: TEMPORARY if before == 0 else FORBIDDEN
    feed(kafka, event(0))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(30 * HOUR)
        assert "deployment" in connector.engine.holds
        assert values(kafka, DEAD) == []
        vendor.script = lambda who, before: (
            TEMPORARY if who == number(0) and len(values(kafka, RETRY)) < 2 else ACCEPTED
        )
        feed(kafka, event(1))
        await asyncio.sleep(2 * HOUR)
        assert connector.count("records_accepted") == 2
        assert values(kafka, DEAD) == []
        late = [int(dict(copy.headers).get("invoke.late") or 0) for copy in values(kafka, RETRY)]
        assert late[0] == 0
        assert late[1] >= 29 * HOUR * 1000


@run_virtual
async def test_what_expires_in_a_hold_keeps_nothing_from_being_posted_after_it(clock: VirtualClock) -> None:
    """It goes to the dead letters also behind what is held: without a map no further than the bound of what is
    uncommitted, since only the record in front can make room again."""
    kafka, vendor = broker(clock), ScriptedVendor(always(FORBIDDEN))
    kafka.cluster_id = None
    for n in range(100):
        feed(kafka, event(n, expiresAt=clock.now_ms() + 60_000 if n >= 2 else None), n % 2)
    bounds = BOUNDS._replace(in_flight=2, uncommitted=5)
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(HOUR)
        assert len(values(kafka, DEAD)) == connector.engine.commits.uncommitted == 6
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(HOUR)
        assert len(values(kafka, DEAD)) == 98
        assert connector.count("records_accepted") == 2
        assert {kafka.committed[Partition(MAIN, n)].offset for n in range(2)} == {50}


@run_virtual
async def test_a_stop_during_a_hold_is_clean_and_the_next_process_goes_on(clock: VirtualClock) -> None:
    """What was refused keeps its place over the restart too."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    for n in range(30):
        feed(kafka, event(n % 3, f"{n:02d}"), n % 2)
    held = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert await held.leave()
    vendor.change(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)) as second:
        await asyncio.sleep(60)
        assert second.count("records_accepted") == 30


@run_virtual
async def test_a_suspect_whose_partition_goes_is_forgotten(clock: VirtualClock) -> None:
    """Whoever gets it judges for itself; nothing of it is left here."""
    kafka, vendor = broker(clock, main=4), Vendor(clock)
    vendor.script = lambda who, _before: FORBIDDEN if who == number(3) else ACCEPTED
    for n in range(40):
        feed(kafka, event(n), n % 4)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(3)
    others = [Connector(kafka, vendor, clock) for _ in range(4)]
    await asyncio.sleep(300)
    for connector in (first, *others):
        assert connector.books_balance()
        assert await connector.leave()
    assert json.loads(values(kafka, MAIN)[0].value or b"")["phoneNumber"] == number(0)
    assert sum(connector.count("records_accepted") for connector in (first, *others)) == 39


@run_virtual
async def test_a_suspect_that_expires_or_may_have_been_delivered_is_forgotten(clock: VirtualClock) -> None:
    """Nothing of it is kept, and nobody who passes later is compared with it."""
    kafka, vendor = broker(clock, main=1), Vendor(clock, FORBIDDEN)
    bounds = BOUNDS._replace(in_flight=2)
    for n in range(40):
        feed(kafka, event(n, expiresAt=clock.now_ms() + 6 * 3_600_000 if n < 20 else None))
    async with running(Connector(kafka, vendor, clock, bounds=bounds)) as connector:
        await asyncio.sleep(12 * HOUR)
        vendor.change(Reply(200, None, b"<html>please sign in</html>"))
        await asyncio.sleep(12 * HOUR)
        vendor.change(ACCEPTED)
        await asyncio.sleep(2 * HOUR)
        assert connector.engine.in_hand == 0
        assert kept() <= bounds.in_flight  # what its workers had last


@run_virtual
async def test_what_a_hold_keeps_of_partitions_that_leave_is_forgotten(clock: VirtualClock) -> None:
    """A group that rebalances through a long outage would fill the memory with records that are others' to post."""
    kafka, vendor = broker(clock), Vendor(clock, FORBIDDEN)
    for n in range(500):
        feed(kafka, event(n, serviceId=f"0{n % 2}"), n % 2)
    connector = Connector(kafka, vendor, clock, pace=PaceRules(service_share=0.25))
    for _ in range(10):
        await asyncio.sleep(HOUR)
        kafka.expel(connector.source)
        kafka.join(connector.source)
    kafka.expel(connector.source)
    await asyncio.sleep(1)
    assert kept() <= BOUNDS.in_flight
    assert connector.engine.waiting() == {"lane": 0, "service": 0, "next_try": 0, "hold": 0}
    await connector.leave()


@run_virtual
async def test_a_login_page_with_status_200_settles_nothing_and_empties_nothing(clock: VirtualClock) -> None:
    """It holds like any gateway's page; whoever met it may have been delivered, and goes on with that counted."""
    kafka, vendor = broker(clock), Vendor(clock, Reply(200, None, b"<html>log in</html>"))
    for n in range(100):
        feed(kafka, event(n), n % 2)
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(6 * HOUR)
        assert "deployment" in connector.engine.holds
        assert connector.count("records_accepted") == 0
        assert values(kafka, DEAD) == []
        assert len(values(kafka, RETRY)) <= BOUNDS.in_flight + 6 * 4 + 6
        vendor.change(ACCEPTED)
        await asyncio.sleep(6 * HOUR)
        assert connector.count("records_accepted") == 100
        assert max(Counter(vendor.posted).values()) <= 2


@run_virtual
async def test_the_last_place_within_the_bound_is_for_a_record_that_makes_room(clock: VirtualClock) -> None:
    """Without maps: any other that is tried might leave no place for it, and everything would wait for ever."""
    kafka, vendor = broker(clock, main=1), Vendor(clock)
    kafka.cluster_id = None
    bad: dict[str, Answer] = {number(0): NoReply(Failure.CONNECT, sent=False), number(5): FORBIDDEN}
    login_page = Reply(200, None, b"<html>")
    vendor.script = lambda who, _before: bad.get(who, ACCEPTED if int(who[-4:]) < 5 else login_page)
    for n in range(30):
        feed(kafka, event(n))
    bounds = BOUNDS._replace(in_flight=2, uncommitted=4)
    soon = HOLD._replace(canary=Intervals(1.0, 10.0))
    async with running(Connector(kafka, vendor, clock, bounds=bounds, hold=soon)) as connector:
        await asyncio.sleep(600)
        assert connector.engine.commits.exposed == bounds.uncommitted + 1
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(1800)
        assert connector.engine.in_hand == 0
        assert kafka.committed[Partition(MAIN, 0)].offset == 30
