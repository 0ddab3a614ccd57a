"""Whether brokers refuse us, or a token could not be had."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from confluent_kafka import KafkaError

from connector.edge.kafka.tokens import Tokens, lacks_token, token_host

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


_ASK = """
import sys
from confluent_kafka import Consumer
consumer = Consumer({
    "bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0, "error_cb": lambda _: None,
    "security.protocol": "sasl_plaintext", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.client.id": "me", "sasl.oauthbearer.client.secret": "secret",
    "sasl.oauthbearer.token.endpoint.url": sys.argv[1],
})
while True:
    consumer.poll(1)
"""


@pytest.mark.parametrize(
    ("variable", "endpoint", "asked"),
    [
        ("HTTPS_PROXY", "https://login.example/token", b"CONNECT login.example:443 "),
        ("https_proxy", "https://login.example/token", b"CONNECT login.example:443 "),
        ("ALL_PROXY", "https://login.example/token", b"CONNECT login.example:443 "),
        ("http_proxy", "http://login.example/token", b"POST http://login.example/token "),
    ],
)
def test_librdkafka_asks_the_token_endpoint_through_the_environments_proxy(
    variable: str, endpoint: str, asked: bytes
) -> None:
    """As `connector check` and docs/operations.md say; the only client of ours that does."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(20)
        others = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environ = {**others, variable: f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        with subprocess.Popen([sys.executable, "-c", _ASK, endpoint], env=environ) as process:
            try:
                taken, _ = proxy.accept()
                with taken:
                    assert taken.recv(65536).startswith(asked)
            finally:
                process.kill()
