"""OAUTHBEARER: whether a failed authentication is the brokers' word, or for want of a token.

librdkafka has one code for both, and goes on asking for a token by itself, every ten seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread
from urllib.parse import urlsplit

from confluent_kafka import Consumer, KafkaError

_ENDPOINT = "sasl.oauthbearer.token.endpoint.url"
_WITHOUT_A_TOKEN = ("Failed to acquire SASL OAUTHBEARER token", "no token available")
"""librdkafka's words, of 2.16; a test has them from the library itself."""

_PATIENCE = 180.0
"""Seconds for which a refusal may be due to a token that could not be renewed. librdkafka says that it got none when it
gives up: after 20 where the endpoint is silent, after 120 where it is slow to say 5xx. The token may expire before."""

_kept: list[object] = []


def lacks_token(error: KafkaError) -> bool:
    """Whether the client says that it got no token."""
    return error.code() == KafkaError._AUTHENTICATION and any(words in error.str() for words in _WITHOUT_A_TOKEN)


def token_host(properties: Mapping[str, object]) -> str | None:
    """The host and port of the token endpoint, and nothing else of its address; None where none is used."""
    url = properties.get(_ENDPOINT)
    return None if url is None else urlsplit(str(url)).netloc.rpartition("@")[2]


def keep(client: object, properties: Mapping[str, object]) -> None:
    """Keep a client until the process ends, where it asks for tokens.

    Destroying one waits for its request to the token endpoint: 20 s while that is silent, two minutes at the worst.
    """
    if _ENDPOINT in properties:
        _kept.append(client)


def let_go(consumer: Consumer, properties: Mapping[str, object]) -> None:
    """Close a consumer that is needed no more; where it asks for tokens, on a thread of its own, as that may wait."""
    if _ENDPOINT in properties:
        Thread(target=consumer.close, daemon=True).start()
    else:
        consumer.close()


class Tokens:
    """Follows the refusals of one client. `now` in seconds of a clock that never goes back."""

    def __init__(self, properties: Mapping[str, object]) -> None:
        self._used = _ENDPOINT in properties
        self._worked = False
        self._none_at: float | None = None
        self._refused_from: float | None = None
        self._refused_at = 0.0

    def worked(self) -> None:
        """The brokers took a token: what they refuse later may have expired."""
        self._worked = True
        self._none_at = self._refused_from = None

    def missing(self, now: float) -> None:
        """The client got no token."""
        self._none_at = now

    @property
    def are_missing(self) -> bool:
        """Whether the client got none since the brokers took one."""
        return self._none_at is not None

    def may_have_expired(self, now: float) -> bool:
        """The brokers refuse us: whether that may be for a token that could not be renewed in time."""
        if not self._used:
            return False
        if self._refused_from is None or now - self._refused_at > _PATIENCE:
            self._refused_from = now
        self._refused_at = now
        if self._none_at is not None and now - self._none_at <= _PATIENCE:
            return True
        return self._worked and now - self._refused_from <= _PATIENCE
