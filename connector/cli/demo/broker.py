"""The demo's Kafka: librdkafka's mock cluster, or a given broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

from connector.edge.kafka.admin import KafkaAdmin, TopicPlan
from connector.edge.kafka.mock import MockKafka

MOCK = "mock"

_PARTITIONS = 4
_BROKERS_DEFAULT = -1


class Names(NamedTuple):
    """The topics and the group of one performance, which nothing else reads."""

    main: str
    retry: str
    dead_letter: str
    group_id: str

    @property
    def topics(self) -> tuple[str, str, str]:
        """All three."""
        return self.main, self.retry, self.dead_letter


_ONE_MEMBER: Mapping[str, object] = {"assignment": "range"}
"""The mock refuses a member its assignment when the leader asked first, and the group then stands still for almost the
session time-out (`findings/mock_follower_syncs_last.sh`). With an eager assignor the process is one member: no race."""


class Broker(NamedTuple):
    """A broker that runs, with the topics made. `settings`: the connector's for this Kafka, beside the defaults."""

    bootstrap_servers: str
    about: str
    settings: Mapping[str, object]


def names(suffix: str) -> Names:
    """Names that nobody else has, as long as the suffix is random."""
    main = f"connector-demo-{suffix}"
    return Names(main, f"{main}.retry", f"{main}.dlq", main)


@contextmanager
def broker(kafka: str, own: Names) -> Iterator[Broker]:
    """A broker with our topics, of which nothing is left afterwards. `kafka`: `mock`, or an address.

    Raises AdminError.
    """
    if kafka == MOCK:
        with closing(MockKafka()) as mock:
            for topic in own.topics:
                mock.make(topic)
            yield Broker(mock.bootstrap_servers, "librdkafka's mock cluster, embedded", _ONE_MEMBER)
    else:
        admin = KafkaAdmin({"bootstrap.servers": kafka})
        with ExitStack() as afterwards:
            for topic in own.topics:
                _create(admin, topic)
                afterwards.callback(admin.delete_topic, topic)
            afterwards.callback(admin.delete_group, own.group_id)
            yield Broker(kafka, "the given brokers", {})


def _create(admin: KafkaAdmin, topic: str) -> None:
    admin.create(TopicPlan(topic, _PARTITIONS, _BROKERS_DEFAULT, {"cleanup.policy": "delete"}))
