"""Whether brokers refuse us, or a token could not be had."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from connector.edge.kafka_tokens import Tokens, lacks_token, token_host

ENDPOINT = {"sasl.oauthbearer.token.endpoint.url": "https://login.example:8443/realms/secret/token?key=1"}
MINUTES = 60.0


@pytest.mark.parametrize(
    ("code", "text", "lacks"),
    [
        (KafkaError._AUTHENTICATION, "Failed to acquire SASL OAUTHBEARER token: Failed to retrieve OIDC token", True),
        (KafkaError._AUTHENTICATION, "there is no token available; last error: none", True),
        (KafkaError._AUTHENTICATION, "SASL authentication error: invalid_token", False),
        (KafkaError._TRANSPORT, "no token available", False),
    ],
)
def test_the_clients_words_tell_a_missing_token_from_a_refusal(code: int, text: str, lacks: bool) -> None:
    assert lacks_token(KafkaError(code, text)) is lacks


def test_who_is_refused_at_the_start_is_refused() -> None:
    """A token was had, and no broker ever took one: it is not for its age."""
    assert not Tokens(ENDPOINT).may_have_expired(0.0)


def test_a_token_that_was_taken_may_have_expired_for_three_minutes() -> None:
    tokens = Tokens(ENDPOINT)
    tokens.worked()
    assert tokens.may_have_expired(0.0)
    assert tokens.may_have_expired(2.9 * MINUTES)
    assert not tokens.may_have_expired(3.1 * MINUTES)


def test_as_long_as_no_token_is_to_be_had_no_refusal_counts() -> None:
    tokens = Tokens(ENDPOINT)
    for minute in range(60):
        tokens.missing(minute * MINUTES)
        assert tokens.may_have_expired(minute * MINUTES + 59)
    assert tokens.are_missing
    tokens.worked()
    assert not tokens.are_missing


def test_without_tokens_every_refusal_counts() -> None:
    tokens = Tokens({})
    tokens.worked()
    assert not tokens.may_have_expired(0.0)


def test_of_the_endpoint_only_the_host_is_told() -> None:
    assert token_host(ENDPOINT) == "login.example:8443"
    assert token_host({}) is None
