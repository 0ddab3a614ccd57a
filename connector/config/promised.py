"""librdkafka's own properties that our promises rest on: `kafka.client` may not touch them."""

from __future__ import annotations

from collections.abc import Mapping

_COMMITS = "only the contiguous settled prefix of a partition is ever committed"
_STARTS = "where a partition starts is decided by kafka.start, and an offset out of range stops the process"
_COPIES = "a copy counts as written only when every in-sync replica has it, once and in order"
_MEMORY = "memory must not grow with lag"
_OURS = "it has a setting of its own: "

PROMISED: Mapping[str, str] = {
    "auto.commit.interval.ms": _COMMITS,
    "enable.auto.commit": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "auto.offset.reset": _STARTS,
    "check.crcs": "a record that was damaged in the log must not be posted",
    "enable.partition.eof": "the end of a partition is not a record",
    "isolation.level": "records of an aborted transaction were never meant to be posted",
    "acks": _COPIES,
    "request.required.acks": _COPIES,
    "enable.idempotence": _COPIES,
    "enable.gapless.guarantee": _COPIES,
    "max.in.flight": _COPIES,
    "max.in.flight.requests.per.connection": _COPIES,
    "message.send.max.retries": _COPIES,
    "retries": _COPIES,
    "delivery.timeout.ms": _COPIES,
    "message.timeout.ms": _COPIES,
    "message.max.bytes": "the retry and dead-letter topics alone decide how large a copy may be",
    "batch.size": "a copy refused for its size must be refused alone",
    "batch.num.messages": "a copy refused for its size must be refused alone",
    "transactional.id": _COPIES,
    "transaction.timeout.ms": _COPIES,
    "statistics.interval.ms": "the broker's round trip in our metrics is read from the statistics",
    "partitioner": "one end user's copies belong in one partition, whichever client wrote them (murmur2_random)",
    "partition.assignment.strategy": _OURS + "kafka.assignment",
    "fetch.queue.backoff.ms": _MEMORY,
    "queued.max.messages.kbytes": _MEMORY,
    "queued.min.messages": _MEMORY,
    "queue.buffering.max.kbytes": _MEMORY,
    "queue.buffering.max.messages": _MEMORY,
    "max.poll.interval.ms": _OURS + "kafka.max_poll_interval",
    "bootstrap.servers": _OURS + "kafka.bootstrap_servers",
    "metadata.broker.list": _OURS + "kafka.bootstrap_servers",
    "group.id": _OURS + "kafka.group_id",
    "group.protocol": _OURS + "kafka.group_protocol",
    "group.instance.id": _OURS + "kafka.group_instance_id",
    "security.protocol": _OURS + "kafka.security.protocol",
    "sasl.mechanism": _OURS + "kafka.security.mechanism",
    "sasl.mechanisms": _OURS + "kafka.security.mechanism",
    "sasl.username": _OURS + "kafka.security.username",
    "sasl.oauthbearer.method": _OURS + "kafka.security.oauth",
    "sasl.oauthbearer.client.id": _OURS + "kafka.security.oauth.client_id",
    "sasl.oauthbearer.token.endpoint.url": _OURS + "kafka.security.oauth.token_endpoint",
    "sasl.oauthbearer.scope": _OURS + "kafka.security.oauth.scope",
    "ssl.ca.location": _OURS + "kafka.security.ca_file",
    "ssl.certificate.location": _OURS + "kafka.security.certificate_file",
    "ssl.key.location": _OURS + "kafka.security.key_file",
}
"""librdkafka properties that `kafka.client` may not touch, each with the reason."""

BROKERS_OWN: frozenset[str] = frozenset({"session.timeout.ms", "heartbeat.interval.ms"})
"""With `group_protocol: consumer` the broker decides these, and librdkafka refuses a client that sets them."""

SECRET_WORDS = ("password", "secret", "pem", "assertion", "oauthbearer.config")
"""A property with one of these in its name is refused: it would carry a secret."""


def refusal(name: str, group_protocol: str | None) -> str | None:
    """Why `kafka.client` may not carry the property, or None."""
    if name in PROMISED:
        return PROMISED[name]
    if name in BROKERS_OWN and group_protocol == "consumer":
        return "with group_protocol consumer the broker decides it"
    if any(word in name for word in SECRET_WORDS):
        return "secrets come from files (kafka.security)"
    return None
