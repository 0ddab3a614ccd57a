"""The only member of a group: who has all partitions of a topic, so that nobody else can be posting from them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from connector.edge.kafka.admin import SILENT, AdminError
from connector.edge.kafka.leaving import leave

_PROMISED: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "queued.max.messages.kbytes": 1024,
}
_CLASSIC: Mapping[str, Any] = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500}
"""A command that was killed is a member until its session ends. With KIP-848 the brokers' own setting says how long."""

_JOINING = 60.0
_TURN = 0.05


class SoleMember:
    """A context manager. Calls block, and raise AdminError.

    `metadata` names this membership in commits: the group's coordinator refuses them once anybody else has joined, and
    gives nobody else a partition before this member let it go or its session is over.
    """

    def __init__(self, properties: Mapping[str, Any], topic: str, partitions: int) -> None:
        """Join, with the `properties` of the group's members, and wait for all `partitions` of the topic."""
        self._properties = {name: value for name, value in properties.items() if name != "group.instance.id"}
        classic = self._properties.get("group.protocol") != "consumer"
        self._has: set[int] = set()
        self._disturbed = False
        try:
            self._consumer = Consumer({**self._properties, **_PROMISED, **(_CLASSIC if classic else {})}, logger=SILENT)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None
        try:
            self._join(topic, partitions)
        except BaseException:
            leave(self._consumer, self._properties)
            raise

    def _join(self, topic: str, partitions: int) -> None:
        deadline = time.monotonic() + _JOINING
        try:
            self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken)
            while len(self._has) < partitions:
                self._consumer.poll(_TURN)
                if self._disturbed or (self._has and len(self._has) < partitions):
                    raise AdminError("rebalanced", "another member joined the group")
                if time.monotonic() > deadline:
                    raise AdminError("timed_out", "the group did not let this command in")
            self._consumer.pause([TopicPartition(topic, number) for number in self._has])
            self.metadata = self._consumer.consumer_group_metadata()
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def check(self) -> None:
        """To be called every few seconds: whether it is still alone."""
        self._consumer.poll(0)
        if self._disturbed:
            raise AdminError("rebalanced", "another member joined the group: a connector was started")

    def _assigned(self, _: Consumer, given: Sequence[TopicPartition]) -> None:
        self._has |= {each.partition for each in given}

    def _taken(self, _: Consumer, __: Sequence[TopicPartition]) -> None:
        self._disturbed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        leave(self._consumer, self._properties)
