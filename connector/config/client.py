"""The librdkafka properties that the settings amount to."""

from __future__ import annotations

from pathlib import Path

from connector.config.files import SecretFile
from connector.config.kafka import Kafka, Property, Security


def kafka_properties(kafka: Kafka) -> dict[str, Property]:
    """The properties that every client of ours shares, secrets in clear: never log them.

    `kafka.client` comes first, so that nothing of it could win over what the settings say.
    """
    shared = {name: _spelt(value) for name, value in kafka.client.items()}
    return shared | {"bootstrap.servers": kafka.bootstrap_servers} | _security(kafka.security)


def consumer_properties(kafka: Kafka) -> dict[str, Property]:
    """The shared properties and those of the group's member, secrets in clear."""
    member: dict[str, Property] = {
        "group.id": kafka.group_id,
        "group.protocol": kafka.group_protocol,
        "max.poll.interval.ms": round(kafka.max_poll_interval * 1000),
        "isolation.level": "read_committed",
    }
    if kafka.group_protocol == "classic":
        member["partition.assignment.strategy"] = kafka.assignment
    if kafka.group_instance_id is not None:
        member["group.instance.id"] = kafka.group_instance_id
    return kafka_properties(kafka) | member


def producer_properties(kafka: Kafka) -> dict[str, Property]:
    """The shared properties and the partitioner of Java's clients, secrets in clear."""
    return kafka_properties(kafka) | {"partitioner": "murmur2_random"}


def _spelt(value: Property) -> Property:
    return str(value).lower() if isinstance(value, bool) else value


def _security(security: Security) -> dict[str, Property]:
    oauth = security.oauth
    found: dict[str, Property | None] = {
        "security.protocol": security.protocol,
        "sasl.mechanism": security.mechanism,
        "sasl.username": security.username,
        "sasl.password": _clear(security.password_file),
        "ssl.ca.location": _text(security.ca_file),
        "ssl.certificate.location": _text(security.certificate_file),
        "ssl.key.location": _text(security.key_file),
        "ssl.key.password": _clear(security.key_password_file),
    }
    if oauth is not None:
        found |= {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": oauth.client_id,
            "sasl.oauthbearer.client.secret": _clear(oauth.client_secret_file),
            "sasl.oauthbearer.token.endpoint.url": oauth.token_endpoint,
            "sasl.oauthbearer.scope": oauth.scope,
        }
    return {name: value for name, value in found.items() if value is not None}


def _clear(file: SecretFile | None) -> str | None:
    return None if file is None else file.secret.get_secret_value()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
