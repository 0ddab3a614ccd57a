"""Which fault a request meets, and how long its answer takes: decided from scenario, facts and time alone. Pure.

Chance is a hash of the seed, the request and its attempt, so that the same requests meet the same faults in
whatever order they arrive.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from statistics import NormalDist
from typing import NamedTuple

from connector.simulator.scenario import Fixed, Latency, Rule, Scenario, Uniform, When

_P99 = NormalDist().inv_cdf(0.99)


class Facts(NamedTuple):
    """What a rule can ask of a request; "" for what is not known (yet).

    `subject` names the request for the draw; the counts are of requests that came before this one.
    """

    service_id: str
    subject: str
    earlier: int
    phone_number: str = ""
    marker: str = ""
    earlier_of_phone_number: int = 0
    earlier_of_invocation: int = 0


def before_body(scenario: Scenario, facts: Facts, now: float) -> Rule | None:
    """The rule that strikes before the body is read, if any. `now` in seconds since the scenario was set."""
    for number, rule in enumerate(scenario.rules):
        if rule.before_body and _holds(rule.when, facts, now) and _drawn(scenario, number, rule, facts):
            return rule
    return None


def after_body(scenario: Scenario, facts: Facts, now: float) -> Rule | None:
    """The first rule that holds once the body was read, if any."""
    for number, rule in enumerate(scenario.rules):
        if not rule.before_body and _holds(rule.when, facts, now) and _drawn(scenario, number, rule, facts):
            return rule
    return None


def delay(scenario: Scenario, latency: Latency, facts: Facts) -> float:
    """Seconds drawn from a latency for this attempt of this request."""
    match latency:
        case Fixed(seconds=seconds):
            return seconds
        case Uniform(low=low, high=high):
            return low + (high - low) * chance(scenario.seed, "latency", facts)
        case _:
            sigma = math.log(latency.p99 / latency.p50) / _P99
            drawn = NormalDist().inv_cdf(chance(scenario.seed, "latency", facts))
            return latency.p50 * math.exp(sigma * drawn)


def chance(seed: int, purpose: str, facts: Facts) -> float:
    """A number strictly between 0 and 1, the same for the same seed, purpose, request and attempt."""
    text = f"{seed}/{purpose}/{facts.subject}/{facts.earlier_of_invocation}"
    drawn = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    # 52 bits and a half: every value has an exact float, neither 0 nor 1.
    return ((drawn >> 12) + 0.5) / 2**52


def _drawn(scenario: Scenario, number: int, rule: Rule, facts: Facts) -> bool:
    share = rule.when.share
    return share >= 1 or chance(scenario.seed, f"rule {number}", facts) < share


def _holds(when: When, facts: Facts, now: float) -> bool:
    return (
        now >= when.after
        and (when.until is None or now < when.until)
        and (when.service_ids is None or facts.service_id in {each.upper() for each in when.service_ids})
        and (when.phone_numbers is None or facts.phone_number in when.phone_numbers)
        and (when.markers is None or facts.marker in when.markers)
        and (when.first is None or _earlier(when, facts) < when.first)
    )


def _earlier(when: When, facts: Facts) -> int:
    match when.of:
        case "phone_number":
            return facts.earlier_of_phone_number
        case "invocation":
            return facts.earlier_of_invocation
        case "all":
            return facts.earlier
