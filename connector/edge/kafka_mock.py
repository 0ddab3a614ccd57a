"""librdkafka's own mock cluster, in this process: a broker with nothing to install. Nothing of it is kept on disk.

Its partitions are rings of 5 MiB, it makes topics of 4 partitions when they are used, and it knows no admin requests.
"""

from __future__ import annotations

import logging

from confluent_kafka import KafkaException, Producer

from connector.edge.kafka_admin import AdminError

_ANSWER_SECONDS = 10.0


class MockKafka:
    """One broker, for as long as this object lives."""

    def __init__(self) -> None:
        self._holder = Producer({"test.mock.num.brokers": 1}, logger=logging.getLogger("librdkafka"))

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, of this process and of others on this machine. Raises AdminError."""
        return self._touch(None)

    def make(self, topic: str) -> None:
        """Make the topic, by asking for it. Raises AdminError."""
        self._touch(topic)

    def _touch(self, topic: str | None) -> str:
        try:
            seen = self._holder.list_topics(topic, timeout=_ANSWER_SECONDS)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        return ",".join(f"{broker.host}:{broker.port}" for broker in seen.brokers.values())
