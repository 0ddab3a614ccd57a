"""The retry, dead-letter and ledger topics as they should be, worked out from the main topic."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from connector.config.settings import Settings
from connector.config.units import DAY
from connector.edge.kafka.admin import Topic, TopicPlan
from connector.runtime.checks.topics import HEADER_ROOM, UNBOUNDED

RETRY_RETENTION = 7 * DAY
"""Seconds: longer than the retry window by the longest outage to survive; a week covers a holiday."""
DEAD_LETTER_RETENTION = 30 * DAY
"""Seconds: long enough for people to find the cause, mend it and send the records again."""
LEDGER_RETENTION = 30 * DAY
"""Seconds: for as long as somebody may ask what became of an event."""
BROKERS_DEFAULT = -1

_DECOMPRESSED = "max.decompressed.message.bytes"  # from Kafka 4.4 on
_DEFAULT_MESSAGE_BYTES = 1_048_588  # Kafka's own default of max.message.bytes


def unseen(name: str) -> Topic:
    """The main topic where it cannot be asked for: the broker's defaults."""
    return Topic(name, BROKERS_DEFAULT, BROKERS_DEFAULT, None, None)


def plans(
    settings: Settings,
    main: Topic,
    retry_retention: float = RETRY_RETENTION,
    dead_letter_retention: float = DEAD_LETTER_RETENTION,
    ledger_retention: float = LEDGER_RETENTION,
) -> dict[str, TopicPlan]:
    """By role, the retry and the dead-letter topic, and the ledger's where it is on; of a shadow its own alone:
    partitions and replicas like main's, room for our headers.

    Retentions in seconds; the retry topic's is never shorter than two retry windows.
    """
    topics = settings.kafka.topics
    found = {}
    if not settings.is_shadow:
        found["retry"] = _plan(topics.retry, main, max(retry_retention, 2 * settings.retry.window))
        found["dead letter"] = _plan(topics.dead_letter, main, dead_letter_retention)
    if settings.ledger is not None:
        role = "shadow" if settings.is_shadow else "ledger"
        found[role] = _plan(settings.ledger_topic, main, ledger_retention)
    return found


def command(plan: TopicPlan, bootstrap_servers: str) -> str:
    """What somebody who may create topics types."""
    return shlex.join(_words(plan, bootstrap_servers))


def _plan(name: str, main: Topic, retention: float) -> TopicPlan:
    configs = main.configs or {}
    largest = int(configs.get("max.message.bytes", _DEFAULT_MESSAGE_BYTES)) + HEADER_ROOM
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(retention * 1000)),
        "retention.bytes": "-1",
        "max.message.bytes": str(largest),
        "compression.type": "producer",
    }
    if (decompressed := configs.get(_DECOMPRESSED)) is not None:
        settings[_DECOMPRESSED] = str(min(int(decompressed) + HEADER_ROOM, UNBOUNDED))
    if main.replication_factor > 0:
        settings["min.insync.replicas"] = str(_in_sync(main.replication_factor, configs))
    return TopicPlan(name, main.partitions, main.replication_factor, settings)


def _in_sync(replicas: int, main: Mapping[str, str]) -> int:
    """As many as main's, and two where one broker may then still be down."""
    at_least = 2 if replicas > 2 else 1
    given = int(main.get("min.insync.replicas", at_least))
    return min(max(given, at_least), replicas)


def _words(plan: TopicPlan, bootstrap_servers: str) -> Iterator[str]:
    yield from ("kafka-topics.sh", "--bootstrap-server", bootstrap_servers, "--create", "--topic", plan.name)
    if plan.partitions != BROKERS_DEFAULT:
        yield from ("--partitions", str(plan.partitions))
    if plan.replication_factor != BROKERS_DEFAULT:
        yield from ("--replication-factor", str(plan.replication_factor))
    for name, value in plan.configs.items():
        yield from ("--config", f"{name}={value}")
