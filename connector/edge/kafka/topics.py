"""Whether the topics are there, and whether they are still the same: asked now and then, never waited for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AdminClient,
    TopicDescription,
)

_EVERY, _ANSWER = 10.0, 10.0
"""Seconds between two looks, and for the brokers to answer one."""

NO_TOPIC_ID = "A" * 22
"""A topic id of zeros: the broker is too old to have any."""


class TopicWatch:
    """`missing` are the topics that the brokers do not have, `ids` those of the others, and `partitions` how many each
    of them has, as of the last look.

    Brokers that do not answer, or may not tell us, leave all as it was.
    """

    def __init__(self, admin: AdminClient, topics: Iterable[str]) -> None:
        self._admin = admin
        self._topics = TopicCollection(list(topics))
        self._asked: Mapping[str, Future[TopicDescription]] = {}
        self._next = 0.0
        self.missing: frozenset[str] = frozenset()
        self.ids: dict[str, str] = {}
        self.partitions: dict[str, int] = {}

    def turn(self, now: float) -> bool:
        """Take the answers once all are there, or ask when it is time; whether there was news.

        `now` in seconds of a clock that never goes back.
        """
        if self._asked and all(answer.done() for answer in self._asked.values()):
            self._hear()
            return True
        if not self._asked and now >= self._next:
            self._next = now + _EVERY
            self._asked = self._admin.describe_topics(self._topics, request_timeout=_ANSWER)
        return False

    def look_anew(self) -> None:
        """Forget the ids: what was asked before this may be older than what is known now."""
        self._asked, self.ids, self._next = {}, {}, 0.0

    def miss(self, topic: str) -> None:
        """The client says that there is no such topic."""
        self.missing |= {topic}

    def see(self, topic: str) -> None:
        """A partition of the topic was assigned."""
        self.missing -= {topic}

    def _hear(self) -> None:
        asked, self._asked = self._asked, {}
        for topic, answer in asked.items():
            try:
                found = answer.result()
            except KafkaException as raised:
                if raised.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    self.miss(topic)
                continue
            self.see(topic)
            self.partitions[topic] = len(found.partitions)
            if (topic_id := str(found.topic_id)) != NO_TOPIC_ID:
                self.ids[topic] = topic_id
