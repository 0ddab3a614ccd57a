"""What is measured, by name: `make bench BENCH="NAME ..."`."""

from __future__ import annotations

from typing import Literal, NamedTuple

from benchmarks.events import Shape

DEFAULTS = "defaults"


class Scenario(NamedTuple):
    """One bench. `base_url` names the sink's: plain, tls, odd or slow (100 ms). `peers` are also run: the bare loop,
    and Parallel Consumer. `part` is how many of the events that are asked for it takes. `ledger`: there is one;
    "required": each commit waits for it."""

    name: str
    says: str
    shape: Shape = Shape()
    base_url: str = "plain"
    service_ids: int = 1
    in_flight: int = 64
    bare_loop: bool = False
    parallel_consumer: bool = False
    part: float = 1.0
    ledger: Literal["optional", "required"] | None = None


SCENARIOS = {
    each.name: each
    for each in (
        Scenario(DEFAULTS, "4 partitions, one service, 64 in flight", bare_loop=True, parallel_consumer=True),
        Scenario("two-services", "one of them has 90 % of the events", Shape(second=10), service_ids=2),
        Scenario("silent-service", "one of two services has nothing to post", service_ids=2),
        Scenario("ten", "events of ten fields, in our own schema", Shape(ten=True)),
        Scenario("mapped", "the same ten, mapped from a producer's own schema", Shape(mapped=True)),
        Scenario("tls", "TLS 1.3", base_url="tls", bare_loop=True),
        Scenario("ledger", "the delivery ledger is on", ledger="optional"),
        Scenario("ledger-required", "each commit waits for the delivery ledger", ledger="required"),
        Scenario("failures", "1 % answered 1010 and 1 % rejected", base_url="odd"),
        Scenario(
            "partitions", "1,000 partitions", Shape(partitions=1000), bare_loop=True, parallel_consumer=True, part=0.5
        ),
        Scenario(
            "latency",
            "a vendor of 100 ms, 1,000 in flight",
            base_url="slow",
            in_flight=1000,
            bare_loop=True,
            parallel_consumer=True,
            part=0.5,
        ),
        Scenario(
            "latency-5000", "a vendor of 100 ms, 5,000 in flight", base_url="slow", in_flight=5000, bare_loop=True
        ),
        Scenario("large-values", "64 KiB a value, most of it unread", Shape(padding=1 << 16), part=0.05),
    )
}
"""At full speed, from a topic that is full."""


class QuietScenario(NamedTuple):
    """50 events a second, then none: CPU, and how soon a record is posted."""

    name: str
    says: str
    in_flight: int = 64
    partitions: int = 4


QUIET_SCENARIOS = {
    each.name: each
    for each in (
        QuietScenario("quiet", "50 events a second, then none"),
        QuietScenario("quiet-1000", "the same with 1,000 in flight", in_flight=1000),
        QuietScenario("quiet-partitions", "the same with 1,000 in flight and 1,000 partitions a topic", 1000, 1000),
    )
}


def says() -> dict[str, str]:
    """What each scenario is, by its name."""
    return {each.name: each.says for each in SCENARIOS.values()} | {
        each.name: each.says for each in QUIET_SCENARIOS.values()
    }
