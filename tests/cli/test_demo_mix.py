"""The demo's producer: every rule is broken once, by an event that breaks no other."""

from __future__ import annotations

from collections import Counter

import pytest

from connector.cli.demo.mix import NOT_EVENTS, RULE_BREAKERS, UNBROKEN, Scripted, script
from connector.cli.generate import SERVICE_ID, events
from connector.core.event import InvocationEvent, event_from
from connector.core.refusal import Refusal
from connector.core.request import REMEDIES, RequestRules, build
from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.schemas import reader_schema

NOW_MS = 1_790_000_000_000
encode = Encoder(reader_schema(), Framing.SINGLE_OBJECT).encode


def mix(count: int = 400, seed: int = 1) -> list[Scripted]:
    return script(count, seed, NOW_MS, encode)


def test_every_class_of_refusal_has_an_event_that_breaks_its_rule() -> None:
    """But those that no event of our schema can begin with."""
    assert RULE_BREAKERS.keys() | UNBROKEN == REMEDIES.keys()


@pytest.mark.parametrize("code", RULE_BREAKERS)
def test_a_rule_breaker_breaks_that_rule_and_no_other(code: str) -> None:
    """So that the class of its dead letter is known."""
    (fields,) = events(1, seed=1, created_at_ms=NOW_MS)
    event = event_from(RULE_BREAKERS[code](fields))
    assert isinstance(event, InvocationEvent)
    refusal = build(event, RequestRules(service_ids={SERVICE_ID: SERVICE_ID}))
    assert isinstance(refusal, Refusal)
    assert [problem.code for problem in refusal.problems] == [code]


def test_there_are_as_many_records_as_asked_for() -> None:
    """All with markers of their own."""
    assert len({record.marker for record in mix(100)}) == 100


def test_the_same_seed_writes_the_same_records() -> None:
    """And another seed others."""
    assert mix(seed=5) == mix(seed=5) != mix(seed=6)


def test_the_mix_has_some_of_everything() -> None:
    """Good ones, refused for now and for good, rules broken, no events, expired."""
    codes = Counter(record.expected.dead_letter for record in mix())
    posts = Counter(record.expected.posts for record in mix())
    assert codes.keys() == {None, *RULE_BREAKERS, *NOT_EVENTS, "vendor_permanent", "invalid_payload", "expired"}
    assert posts.keys() == {0, 1, 2, 3}


def test_every_phone_number_is_fiction() -> None:
    """Keys are phone numbers: +1 NXX 555-01XX and +44 7700 900XXX."""
    keys = [(record.key or b"").decode() for record in mix()]
    assert all(key[4:9] == "55501" or key.startswith("447700900") for key in keys)
