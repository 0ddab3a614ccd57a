"""librdkafka's own mock cluster: a broker with nothing to install. Nothing of it is kept on disk.

It has a process of its own, which is killed in the end: librdkafka 2.16.0 does not always survive taking it down.
Its partitions are rings of 5 MiB, it makes topics of 4 partitions when they are used, and it knows no admin requests.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from confluent_kafka import KafkaException, Producer

from connector.edge.kafka.admin import AdminError

_ANSWER_SECONDS = 10.0


class MockKafka:
    """One broker, until `close`; it also ends with the process that made it. Raises AdminError."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this module, nothing from outside
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        assert self._process.stdout is not None
        self.bootstrap_servers = self._process.stdout.readline().strip()
        if not self.bootstrap_servers:
            self.close()
            raise AdminError("mock_failed", "the embedded broker did not start")

    def make(self, topic: str) -> None:
        """Make the topic, by asking for it. Raises AdminError."""
        client = Producer({"bootstrap.servers": self.bootstrap_servers}, logger=logging.getLogger("librdkafka"))
        try:
            client.list_topics(topic, timeout=_ANSWER_SECONDS)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    """Say the address, and live until the other end of standard input is gone."""
    holder = Producer({"test.mock.num.brokers": 1})
    brokers = holder.list_topics(timeout=_ANSWER_SECONDS).brokers.values()
    sys.stdout.write(",".join(f"{broker.host}:{broker.port}" for broker in brokers) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve()
