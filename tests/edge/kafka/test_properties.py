"""What librdkafka refuses is known before the process begins, in its own words."""

from __future__ import annotations

from contextlib import closing

import pytest

from connector.edge.kafka.properties import refusal
from tests.support.oauth import TokenEndpoint

SHARED = {"bootstrap.servers": "localhost:1"}
MEMBER = {**SHARED, "group.id": "g"}


def test_properties_that_are_right_are_not_refused() -> None:
    """No broker is asked: the address is nobody's."""
    assert refusal(MEMBER, SHARED) is None


def test_nobody_is_asked_for_a_token() -> None:
    """An endpoint that takes connections and is silent would keep the client, and with it the start, for 20 s."""
    with closing(TokenEndpoint(60)) as endpoint:
        endpoint.silent = True
        oauth = {
            "security.protocol": "sasl_plaintext",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": "me",
            "sasl.oauthbearer.client.secret": "mine",
            "sasl.oauthbearer.token.endpoint.url": endpoint.url,
        }
        assert refusal(MEMBER | oauth, SHARED | oauth) is None
        assert endpoint.asked == 0


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
