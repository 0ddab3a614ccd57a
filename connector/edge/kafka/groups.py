"""A consumer group from outside: who is in it, what it has committed, and a commit made by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from connector.core.record import Partition
from connector.core.signals import Commit
from connector.edge.kafka.admin import SILENT, AbsentError, AdminError, KafkaAdmin
from connector.edge.kafka.bounds import Look, look
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.tokens import let_go


class Group(NamedTuple):
    """The group's state as the brokers name it (`EMPTY`, `STABLE`, …), how many members it has, and the names of those
    that are static; whether it is of the classic protocol, and how it then shares partitions out ("": not known)."""

    state: str
    members: int
    names: frozenset[str]
    is_classic: bool
    assignment: str


class KafkaGroups(KafkaAdmin):
    """Questions about groups, and the one thing that changes them. Every method but `look` raises AdminError."""

    def __init__(self, properties: Mapping[str, Any], timeout: float = 10.0) -> None:
        """As KafkaAdmin."""
        super().__init__(properties, timeout)
        self._properties = dict(properties)

    def group(self, name: str) -> Group | None:
        """The group, or None when the brokers know none of that name."""
        found = self._described(name)
        if found is None:
            return None
        names = frozenset(member.group_instance_id for member in found.members if member.group_instance_id)
        if found.state.name == "DEAD":
            return None
        is_classic = found.type.name == "CLASSIC"
        return Group(found.state.name, len(found.members), names, is_classic, found.partition_assignor or "")

    def all_committed(self, name: str) -> dict[Partition, Commit]:
        """All that the group has committed, with its metadata; nothing for a group that is not there."""

        def ask() -> list[TopicPartition]:
            asked = self._client.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(name)], request_timeout=self._timeout
            )
            return list(self._answer(asked[name]).topic_partitions)

        try:
            found = self._once_loaded(ask)
        except AbsentError:
            return {}
        return {
            Partition(tp.topic, tp.partition): Commit(tp.offset, tp.metadata or "") for tp in found if tp.offset >= 0
        }

    def committed(self, name: str, partitions: Collection[Partition]) -> dict[Partition, Commit | str]:
        """What the group has committed for these partitions, or the name of the error for which that is not known.

        Those without a commit are left out. A consumer asks, since a program of ours once ended in confluent-kafka
        2.16.1's admin client while it asked the same.
        """
        native = [TopicPartition(each.topic, each.number) for each in partitions]
        try:
            consumer = Consumer({**self._properties, "group.id": name}, logger=SILENT)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

        def ask() -> list[TopicPartition]:
            try:
                return consumer.committed(native, timeout=self._timeout) if native else []
            except KafkaException as raised:
                raise AdminError.of(raised.args[0]) from None

        try:
            found = self._once_loaded(ask)
        finally:
            let_go(consumer, self._properties)
        return {
            Partition(tp.topic, tp.partition): Commit(tp.offset, tp.metadata or "")
            if tp.error is None
            else name_of(tp.error)
            for tp in found
            if tp.error is not None or tp.offset >= 0
        }

    def look(self, partitions: Collection[Partition]) -> Look:
        """Where the logs of these partitions begin and end, as far as the brokers tell."""
        return look(self._client, partitions, self._timeout)

    def set(self, name: str, offsets: Mapping[Partition, Commit]) -> None:
        """Commit for a group without members, which the brokers refuse otherwise."""
        native = [
            TopicPartition(partition.topic, partition.number, commit.offset, commit.metadata)
            for partition, commit in offsets.items()
        ]
        wanted = [ConsumerGroupTopicPartitions(name, native)]

        def ask() -> None:
            asked = self._client.alter_consumer_group_offsets(wanted, request_timeout=self._timeout)
            for answered in self._answer(asked[name]).topic_partitions:
                if answered.error is not None:
                    raise AdminError.of(answered.error)

        self._once_loaded(ask)
