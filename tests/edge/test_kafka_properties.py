"""What librdkafka refuses is known before the process begins, in its own words."""

from __future__ import annotations

import pytest

from connector.edge.kafka_properties import refusal

SHARED = {"bootstrap.servers": "localhost:1"}
MEMBER = {**SHARED, "group.id": "g"}


def test_properties_that_are_right_are_not_refused() -> None:
    """No broker is asked: the address is nobody's."""
    assert refusal(MEMBER, SHARED) is None


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"no.such.property": "1"}, "no.such.property"),
        ({"max.poll.interval.ms": 1000, "session.timeout.ms": 45_000}, "session.timeout.ms"),
        ({"security.protocol": "ssl", "ssl.ca.location": __file__}, "ssl.ca.location"),
    ],
)
def test_what_is_refused_is_named(properties: dict[str, object], said: str) -> None:
    """The reason names the property."""
    assert said in (refusal(MEMBER | properties, SHARED) or "")


def test_a_property_of_the_producer_is_looked_at_too() -> None:
    """Both clients have properties that the other has not."""
    assert "compression" in (refusal(MEMBER, {**SHARED, "compression.codec": "none such"}) or "")
