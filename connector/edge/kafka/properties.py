"""Whether librdkafka takes the properties that the settings amount to. Asks no broker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

_SILENT = logging.getLogger("librdkafka.properties")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # a client that lives for a moment has nothing to say of brokers that it did not reach

_ASKS_NOBODY = {"sasl.oauthbearer.method": "default"}
"""A client that asks for a token cannot be closed before it has one or gave it up, after 20 s or more."""


def refusal(consumer: Mapping[str, Any], producer: Mapping[str, Any]) -> str | None:
    """Return why librdkafka refuses the properties of the consumer or the producer, in its own words, or None.

    An unknown property, a value out of its bounds, a certificate file that is none: it says so only when it makes a
    client, and by then the process has begun.
    """
    return _refused(Consumer, consumer) or _refused(Producer, producer)


def _refused(client: Callable[..., Consumer | Producer], properties: Mapping[str, Any]) -> str | None:
    try:
        made = client(dict(properties) | _ASKS_NOBODY, logger=_SILENT)
    except KafkaException as raised:
        return str(raised.args[0].str())
    if isinstance(made, Consumer):
        made.close()
    return None
