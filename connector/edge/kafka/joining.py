"""Whether the group has a member, for which librdkafka calls nothing while it has no partition (KIP-848)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_EVERY, _ANSWER = 1.0, 10.0
"""Seconds between two questions, and for the brokers to answer one."""


class Joining:
    """Asks the brokers until the member is in its group; only where no callback will say so."""

    def __init__(self, admin: AdminClient, properties: Mapping[str, object]) -> None:
        """`properties` are the member's."""
        self._admin = admin
        self._group = str(properties["group.id"])
        self._is_needed = properties.get("group.protocol") == "consumer"
        self._asked: Future[Any] | None = None
        self._next = 0.0

    def turn(self, now: float, member_id: str | None) -> bool:
        """Take an answer, or ask when it is time; whether the member is known to be in the group.

        `now` in seconds of a clock that never goes back.
        """
        if not self._is_needed:
            return False
        if self._asked is not None and self._asked.done():
            answer, self._asked = self._asked, None
            return _has(answer, member_id)
        if self._asked is None and now >= self._next:
            self._next = now + _EVERY
            self._asked = self._admin.describe_consumer_groups([self._group], request_timeout=_ANSWER)[self._group]
        return False


def _has(answer: Future[Any], member_id: str | None) -> bool:
    try:
        return any(member.member_id == member_id for member in answer.result().members)
    except KafkaException:  # of a group that is not there yet, or that we may not describe
        return False
