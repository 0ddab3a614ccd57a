"""The only member of a group, with all partitions of a topic: nobody else can be posting from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connector.edge.kafka.admin import SILENT, AdminError
from connector.edge.kafka.leaving import leave

_PROMISED: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "queued.max.messages.kbytes": 1024,
}
_CLASSIC: Mapping[str, Any] = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
"""A command that was killed is a member until its session ends. With KIP-848 the brokers' own setting says how long."""

_REFUSED = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED})
"""What waiting does not mend."""

_JOINING = 60.0
_TURN = 0.05


class SoleMember:
    """A context manager. Calls block, and raise AdminError.

    `metadata` names this membership in commits: the group's coordinator refuses them once anybody else has joined, and
    gives nobody else a partition before this member let it go or its session is over.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        partitions: int,
        others: Collection[str] = (),
        going_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Join, with the `properties` of the group's members, and wait for all `partitions` of the topic.

        `others` are what the group reads besides: while it has members, a classic group forgets commits of a topic that
        none of them reads, once they are older than the brokers' offsets.retention.minutes (KIP-211). `going_on` is
        called all the time, and may raise.
        """
        self._properties = {name: value for name, value in properties.items() if name != "group.instance.id"}
        self._topic = topic
        classic = self._properties.get("group.protocol") != "consumer"
        self._has: set[int] = set()
        self._disturbed = False
        try:
            self._consumer = Consumer({**self._properties, **_PROMISED, **(_CLASSIC if classic else {})}, logger=SILENT)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        try:
            self._join(partitions, [topic, *others], going_on)
        except BaseException:
            leave(self._consumer, self._properties)
            raise

    def _join(self, partitions: int, topics: list[str], going_on: Callable[[], None]) -> None:
        deadline = time.monotonic() + _JOINING
        try:
            self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken)
            while len(self._has) < partitions:
                going_on()
                self._look(_TURN)
                if self._disturbed or (self._has and len(self._has) < partitions):
                    raise AdminError("rebalanced", "another member joined the group")
                if time.monotonic() > deadline:
                    raise AdminError("timed_out", "the group did not let this command in")
            self._consumer.pause(self._consumer.assignment())
            self.metadata = self._consumer.consumer_group_metadata()
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def check(self) -> None:
        """To be called every few seconds: whether it is still alone."""
        self._look(0)
        if self._disturbed:
            raise AdminError("rebalanced", "another member joined the group: a connector was started")

    def _look(self, wait: float) -> None:
        """Let the client work. A record that was fetched before its partition was paused is of no interest."""
        message = self._consumer.poll(wait)
        error = None if message is None else message.error()
        if error is not None and error.code() in _REFUSED:
            raise AdminError.of(error)

    def _assigned(self, _: Consumer, given: Sequence[TopicPartition]) -> None:
        self._has |= {each.partition for each in given if each.topic == self._topic}

    def _taken(self, _: Consumer, __: Sequence[TopicPartition]) -> None:
        self._disturbed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        leave(self._consumer, self._properties)
