"""The parts towards Kafka that only the settings shape: what is read, where copies go, and the ledger."""

from __future__ import annotations

from collections.abc import Callable

from connector.config.client import kafka_properties, producer_properties
from connector.config.settings import Settings
from connector.core.envelope import Names
from connector.edge.avro.entries import Entries, ShadowEntries, decoded
from connector.edge.kafka.errors import COPY_REMEDIES
from connector.edge.kafka.ledger import KafkaLedger
from connector.edge.kafka.recall import Recalls
from connector.edge.kafka.sink import KafkaSink
from connector.edge.kafka.starts import Subscription
from connector.edge.shadow import NoCopies
from connector.engine.copies import Targets
from connector.engine.engine import Topics
from connector.engine.ports import Sink
from connector.observe.events import Events


def subscription(settings: Settings) -> Subscription:
    """What is read, and from where on."""
    return Subscription(
        settings.kafka.topics.main,
        settings.retry_topics,
        settings.kafka.start,
        settings.delivery.drain,
        settings.is_shadow,
    )


def topics(settings: Settings) -> Topics:
    """The retry topics that are read, and where copies go."""
    names, given = settings.kafka.topics, Names(settings.kafka.group_id)
    summarize = settings.delivery.unstorable == "summary"
    return Topics(settings.retry_topics, Targets(names.retry, names.dead_letter, given, COPY_REMEDIES, summarize))


def ledger(settings: Settings, events: Events) -> tuple[KafkaLedger | None, Entries | None]:
    """The ledger where it is on; and what writes its entries, whose key may be renewed."""
    if settings.ledger is None:
        return None, None
    written = ShadowEntries if settings.is_shadow else Entries
    entries = written(settings.ledger.key_file.secret.get_secret_value(), settings.kafka.group_id)
    topic, producer = settings.ledger_topic, producer_properties(settings.kafka)
    recalls = Recalls(kafka_properties(settings.kafka), topic, entries.beginning, decoded)
    required = settings.ledger.required
    return KafkaLedger(producer, topic, entries.encode, events, recalls, required=required), entries


def sink(settings: Settings, on_error: Callable[[str], None]) -> Sink:
    """Where copies go. Make it on a running event loop."""
    return NoCopies() if settings.is_shadow else KafkaSink(producer_properties(settings.kafka), on_error)
