"""The vendor's decisions, without a socket: time is a number."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from connector.simulator.answers import CREDENTIALS
from connector.simulator.capacity import Queue
from connector.simulator.faults import Facts, delay
from connector.simulator.rules import Invocation, Request
from connector.simulator.scenario import Capacity, Lognormal, Scenario, Servers, Uniform, parse
from connector.simulator.vendor import Plan, Vendor
from tests.simulator.test_rules import authorization, request

PATH = "/service/v1/invokeService/F9E8D7C6B5A4"


def post(phone_number: str = "12025550100", marker: str = "m", path: str = PATH) -> Request:
    document = {"endUser": {"phoneNumber": phone_number}, "variables": {"session": {"eventId": marker}}}
    return request(orjson.dumps(document), path=path)


def kind(plan: Plan) -> str:
    return plan.fault.kind if plan.fault else type(plan.verdict).__name__


def faults_by_marker(scenario: Scenario, markers: list[str]) -> dict[str, str]:
    vendor = Vendor(scenario=scenario)
    return {marker: kind(vendor.on_request(post(marker=marker), 0.0)) for marker in markers}


def test_rejected_first_and_then_accepted() -> None:
    """`first` counts the requests of each phone number; what follows is accepted, once in the ledger."""
    vendor = Vendor(scenario=parse("rules: [{when: {first: 2}, do: {kind: reject}}]"))
    for number in ("12025550100", "12025550101"):
        kinds = [kind(vendor.on_request(post(number), 0.0)) for _ in range(3)]
        assert kinds == ["reject", "reject", "Invocation"]
    assert vendor.ledger.counts("phone_number") == {"12025550100": 1, "12025550101": 1}
    assert vendor.ledger.answers == {"temporary": 4, "accepted": 2}


def test_first_of_an_invocation() -> None:
    """`of: invocation` tells requests of one phone number apart."""
    vendor = Vendor(scenario=parse("rules: [{when: {first: 1, of: invocation}, do: {kind: reject}}]"))
    kinds = [kind(vendor.on_request(post(marker=marker), 0.0)) for marker in ("a", "b", "a", "b")]
    assert kinds == ["reject", "reject", "Invocation", "Invocation"]


def test_first_of_all() -> None:
    """`of: all` counts every request, also before the body was read."""
    vendor = Vendor(scenario=parse("rules: [{when: {first: 1, of: all}, do: {kind: reset, when: before_body}}]"))
    assert [vendor.before_body(PATH, 0.0) is not None for _ in range(2)] == [True, False]


def test_given_numbers_markers_and_services() -> None:
    """A rule strikes the phone numbers, markers and service ids that it names, and no others."""
    vendor = Vendor(
        scenario=parse(
            "rules: [{when: {phone_numbers: ['12025550100']}, do: {kind: hang}},"
            " {when: {markers: [a]}, do: {kind: html}}, {when: {service_ids: [abc]}, do: {kind: huge}}]"
        )
    )
    kinds = [
        kind(vendor.on_request(each, 0.0))
        for each in (
            post(),
            post("12025550101", "a"),
            post("12025550101", path="/service/v1/invokeService/ABC"),
            post("12025550101"),
        )
    ]
    assert kinds == ["hang", "html", "huge", "Invocation"]


def test_the_first_rule_that_holds_wins() -> None:
    """A rule that does nothing exempts from the rules after it."""
    vendor = Vendor(scenario=parse("rules: [{when: {markers: [a]}}, {do: {kind: html}}]"))
    assert [kind(vendor.on_request(post(marker=m), 0.0)) for m in "ab"] == ["Invocation", "html"]


def test_an_outage_has_a_beginning_and_an_end() -> None:
    """Times count from when the scenario was set; `until` is outside."""
    scenario = parse("rules: [{when: {after: 10, until: 70}, do: {kind: reset, when: before_body}}]")
    vendor = Vendor()
    vendor.set_scenario(scenario, 1000.0)
    struck = [vendor.before_body(PATH, now) is not None for now in (1009.9, 1010.0, 1069.9, 1070.0)]
    assert struck == [False, True, True, False]


def test_chance_does_not_depend_on_the_order_of_arrival() -> None:
    """The same seed and requests meet the same faults in whatever order; another seed other ones."""
    markers = [str(number) for number in range(400)]
    rules = "rules: [{when: {share: 0.25}, do: {kind: reject}}]"
    drawn = faults_by_marker(parse(rules), markers)
    assert faults_by_marker(parse(rules), markers[::-1]) == drawn
    assert faults_by_marker(parse(rules + "\nseed: 1"), markers) != drawn
    assert 60 < Counter(drawn.values())["reject"] < 140


def test_latency_distributions() -> None:
    """Uniform stays within its bounds; lognormal has the median and the 99th percentile asked for."""
    facts = [Facts("", str(number), number) for number in range(5000)]
    uniform = [delay(Scenario(), Uniform(low=1, high=2), each) for each in facts]
    assert 1 <= min(uniform) < 1.01
    assert 1.99 < max(uniform) <= 2
    lognormal = sorted(delay(Scenario(), Lognormal(p50=0.1, p99=1.0), each) for each in facts)
    assert lognormal[2500] == pytest.approx(0.1, rel=0.1)
    assert lognormal[4950] == pytest.approx(1.0, rel=0.2)


def test_a_slow_service() -> None:
    """A rule's own latency goes before the scenario's."""
    scenario = parse(
        "{latency: {kind: fixed, seconds: 1}, rules: [{when: {service_ids: [AB]}, latency: {kind: fixed, seconds: 9}}]}"
    )
    vendor = Vendor(scenario=scenario)
    assert vendor.on_request(post(), 0.0).seconds == 1
    assert vendor.on_request(post(path="/service/v1/invokeService/ab"), 0.0).seconds == 9


def test_accepted_whatever_the_caller_sees() -> None:
    """`accepted` enters a fault's request in the ledger, but never one that the page refuses."""
    vendor = Vendor(scenario=parse("rules: [{do: {kind: html, accepted: true}}]"))
    vendor.on_request(post(), 0.0)
    vendor.on_request(post("1"), 0.0)
    assert vendor.ledger.accepted == 1
    assert vendor.ledger.answers == {"html": 2}


def test_password_change() -> None:
    """From its time on only the new password is good, until the next change."""
    vendor = Vendor(scenario=parse("passwords: [{after: 20, password: simulated}, {after: 10, password: new}]"))
    fresh = post()._replace(headers={**post().headers, "Authorization": authorization(password="new")})
    assert [isinstance(vendor.on_request(post(), now).verdict, Invocation) for now in (9, 10, 20)] == [
        True,
        False,
        True,
    ]
    assert isinstance(vendor.on_request(fresh, 15).verdict, Invocation)
    assert vendor.on_request(fresh, 9).verdict == CREDENTIALS


def test_the_queue_waits_and_turns_away() -> None:
    """Two servers take two requests at once, the queue the third, nobody the fourth."""
    queue = Queue(Capacity(servers=(Servers(count=2),), queue=1))
    assert [queue.offer(0.0, 1.0) for _ in range(4)] == [1.0, 1.0, 2.0, None]
    assert [queue.offer(1.0, 1.0) for _ in range(3)] == [1.0, 2.0, None]


@pytest.mark.parametrize(("now", "served"), [(0.0, 500), (60.0, 50), (120.0, 500)])
def test_capacity_changes(now: float, served: int) -> None:
    """Throughput under overload is servers divided by service time, before and after each step."""
    steps = (Servers(count=10), Servers(after=60, count=1), Servers(after=120, count=10))
    queue = Queue(Capacity(servers=steps, queue=5))
    if now:
        queue.offer(0.0, 0.02)
    accepted = sum(queue.offer(now + tick / 1000, 0.02) is not None for tick in range(10_000))
    assert accepted == pytest.approx(served * 10, rel=0.02)


def test_turned_away_is_not_accepted() -> None:
    """Over capacity the answer is 429, and the ledger counts it as such."""
    vendor = Vendor(scenario=parse("capacity: {servers: [{count: 1}], queue: 0}"))
    assert [kind(vendor.on_request(post(marker=m), 0.0)) for m in "ab"] == ["Invocation", "too_many"]
    assert vendor.ledger.counts("marker") == {"a": 1}


def test_ledger_repeats_and_order() -> None:
    """Equal requests are repeats whatever their case; the order is that of arrival, per phone number."""
    vendor = Vendor()
    for marker in "abca":
        vendor.on_request(post(marker=marker), 0.0)
    vendor.on_request(post("12025550101", "z"), 0.0)
    lower = request(
        b'{"endUser":{"phoneNumber":"12025550101"},"variables":{"SESSION":{"EVENTID":"z"}}}',
        path=PATH.replace("F9E8", "f9e8"),
    )
    vendor.on_request(lower, 0.0)
    assert vendor.ledger.repeats("marker") == {"a": 2, "z": 2}
    assert sorted(vendor.ledger.repeats().values()) == [2, 2]
    assert vendor.ledger.order("12025550100") == ["a", "b", "c", "a"]
    assert vendor.ledger.counts("service_id") == {"F9E8D7C6B5A4": 6}
    assert vendor.ledger.accepted == len(vendor.ledger.entries) == 6


def test_clear_forgets() -> None:
    """After `clear` the ledger is empty and every request is the first of its kind again."""
    vendor = Vendor(scenario=parse("rules: [{when: {first: 1}, do: {kind: reject}}]"))
    kinds = [kind(vendor.on_request(post(), 0.0)) for _ in range(2)]
    vendor.clear()
    assert [*kinds, kind(vendor.on_request(post(), 0.0))] == ["reject", "Invocation", "reject"]
    assert vendor.ledger.accepted == 0


def test_without_a_marker_the_identity_stands() -> None:
    """A request without the marker variable is known by its identity."""
    vendor = Vendor(marker="user.name")
    vendor.on_request(post(), 0.0)
    assert vendor.ledger.order("12025550100") == list(vendor.ledger.counts())
    assert vendor.ledger.counts("marker") == {}
