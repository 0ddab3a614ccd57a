"""The demo's Kafka: librdkafka's mock cluster, Apache Kafka on this machine, or a given broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from connector.cli.apache_kafka import ApacheKafka
from connector.edge.kafka_admin import KafkaAdmin, TopicPlan
from connector.edge.kafka_mock import MockKafka

MOCK = "mock"
APACHE = "apache"

_PARTITIONS = 4
_BROKERS_DEFAULT = -1


class Names(NamedTuple):
    """The topics and the group of one performance, which nothing else reads."""

    main: str
    retry: str
    dead_letter: str
    group_id: str


class Broker(NamedTuple):
    """A broker that runs, with the topics made."""

    bootstrap_servers: str
    about: str


def names(suffix: str) -> Names:
    """Names that nobody else has, as long as the suffix is random."""
    main = f"connector-demo-{suffix}"
    return Names(main, f"{main}.retry", f"{main}.dlq", main)


@contextmanager
def broker(kafka: str, own: Names, folder: Path) -> Iterator[Broker]:
    """A broker with our topics, which are gone afterwards. `kafka`: `mock`, `apache`, or an address.

    Raises AdminError, and UnavailableError when Apache Kafka cannot be fetched or started in `folder`.
    """
    if kafka == MOCK:
        mock = MockKafka()
        for topic in own[:3]:
            mock.make(topic)
        yield Broker(mock.bootstrap_servers, "librdkafka's mock cluster, embedded")
    elif kafka == APACHE:
        apache = ApacheKafka(folder)
        apache.start()
        try:
            with _topics(apache.bootstrap_servers, own):
                yield Broker(apache.bootstrap_servers, "Apache Kafka, on this machine")
        finally:
            apache.stop()
    else:
        with _topics(kafka, own):
            yield Broker(kafka, "the given broker")


@contextmanager
def _topics(bootstrap_servers: str, own: Names) -> Iterator[None]:
    admin = KafkaAdmin({"bootstrap.servers": bootstrap_servers})
    try:
        for topic in own[:3]:
            admin.create(TopicPlan(topic, _PARTITIONS, _BROKERS_DEFAULT, {"cleanup.policy": "delete"}))
        yield
    finally:
        for topic in own[:3]:
            admin.delete_topic(topic)
        admin.delete_group(own.group_id)
