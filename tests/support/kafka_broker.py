"""Real Kafka for the tests: one of our own, or the one that KAFKA_BOOTSTRAP_SERVERS names."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.cli.apache_kafka import ApacheKafka

_ANSWER_SECONDS = 20.0

# Nobody is refused anything until a test writes an ACL for one topic or group.
_ACLS_BY_TOPIC = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


class Kafka:
    """A broker that runs already, at `bootstrap_servers`."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def admin(self) -> AdminClient:
        """A client for what `create_topic` does not do: ACLs, group offsets, configuration."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers})

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Create a topic and wait until it is there; `max_message_bytes="1000"` sets `max.message.bytes`."""
        dotted = {key.replace("_", "."): value for key, value in config.items()}
        admin = self.admin()
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dotted)
        admin.create_topics([topic], operation_timeout=_ANSWER_SECONDS)[name].result(_ANSWER_SECONDS)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait for the broker's word."""
        self.admin().delete_topics([name], operation_timeout=_ANSWER_SECONDS)[name].result(_ANSWER_SECONDS)


class KafkaBroker(Kafka):
    """A broker of the test's own: start, stop, kill, freeze, thaw, and start again on the same port and data."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._server = ApacheKafka(folder, _ACLS_BY_TOPIC | (settings or {}))
        super().__init__(self._server.bootstrap_servers)
        self.start = self._server.start
        self.stop = self._server.stop
        self.kill = self._server.kill
        self.freeze = self._server.freeze
        self.thaw = self._server.thaw

    def restart(self) -> None:
        """Stop it cleanly and start it again."""
        self.stop()
        self.start()
