"""Brokers and topics, reported by what runs the process."""

from __future__ import annotations

from datetime import UTC, datetime

from connector.core.record import Partition
from connector.observe.events.reporter import STANDING_SECONDS, Reporter

_MISSING_TOPIC = "correct kafka.topics, or create it (`connector topics create` for retry and dead letters)"
_TRANSACTION = (
    "its producer has to commit or abort it; of one that is gone, `kafka-transactions.sh find-hanging` and `abort`"
)
_UNREACHABLE = (
    "compare kafka.bootstrap_servers and kafka.security with the brokers' listeners; look at DNS and firewall: "
    "`connector check --live` says what is wrong with the connection"
)


class KafkaEvents(Reporter):
    """What is wrong with brokers and topics, and what is well again."""

    def connection_failed(self, client: str, code: str) -> None:
        """A connection of a Kafka client failed; `kafka_unreachable` or `kafka_error` says so within a second."""
        self._count("kafka_errors", client, code)

    def kafka_error(self, client: str, code: str, remedy: str | None = None, *, counted: bool = False) -> None:
        """An error of a Kafka client (`consumer` or `producer`) that passes by itself, or with the remedy.

        `counted`: by `connection_failed`.
        """
        if not counted:
            self._count("kafka_errors", client, code)
        if self._admit_standing("kafka_error", f"{client} {code}"):
            self._log.warning("kafka_error", client=client, code=code, **({} if remedy is None else {"remedy": remedy}))

    def kafka_unreachable(self, bootstrap_servers: str, since_ms: int, seconds: float) -> None:
        """No broker has been reached for so long, since the start or since the last one was lost."""
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        level = self._log.error if seconds >= STANDING_SECONDS else self._log.warning
        level(
            "kafka_unreachable",
            bootstrap_servers=bootstrap_servers,
            unreachable_since=f"{since:%d %b %H:%M:%S} UTC",  # an ISO date would be taken for a long number, and hidden
            seconds=round(seconds),
            remedy=_UNREACHABLE,
        )

    def kafka_reached(self, seconds: float) -> None:
        """A broker is reached again, after so long."""
        self._log.info("kafka_reached", seconds=round(seconds))

    def topic_unfit(self, check: str, verdict: str, why: str, remedy: str) -> None:
        """A topic is not as the promises need it; `verdict` is `failed` or `warning`, as in `connector check`."""
        self._log.warning(
            "topic_unfit", check=check, verdict=verdict, why=why, **({"remedy": remedy} if remedy else {})
        )

    def topic_fit(self, check: str) -> None:
        """What was wrong with a topic is put right."""
        self._log.info("topic_fit", check=check)

    def topic_missing(self, topic: str) -> None:
        """The brokers do not have this topic of the subscription: nothing is read from it."""
        self._log.warning("topic_missing", topic=topic, remedy=_MISSING_TOPIC)

    def topic_found(self, topic: str) -> None:
        """A topic that was missing is there."""
        self._log.info("topic_found", topic=topic)

    def old_transaction(self, partition: Partition, first: int, offsets: int, seconds: float) -> None:
        """So many offsets from `first` on have not been readable for so long, as a transaction is still open."""
        self._log.warning(
            "old_transaction",
            topic=partition.topic,
            partition=partition.number,
            offset=first,
            offsets=offsets,
            seconds=round(seconds),
            remedy=_TRANSACTION,
        )

    def nothing_of_main_topic(self, topic: str) -> None:
        """The group gave this process no partition of the main topic."""
        self._log.info("nothing_of_main_topic", topic=topic)

    def main_topic_again(self, topic: str) -> None:
        """It has some now."""
        self._log.info("main_topic_again", topic=topic)
