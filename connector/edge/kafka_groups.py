"""A consumer group from outside: who is in it, what it has committed, and a commit made by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.core.record import Partition
from connector.core.signals import Commit
from connector.edge.kafka_admin import AbsentError, AdminError, KafkaAdmin

_NO_LEADERS = "noent"
"""What the client says when it finds none of the partitions that it was asked for."""


class Group(NamedTuple):
    """The group's state as the brokers name it (`EMPTY`, `STABLE`, …), how many members it has, and the names of those
    that are static."""

    state: str
    members: int
    names: frozenset[str]


class Extent(NamedTuple):
    """The first offset that a log still has, and the one after its last."""

    first: int
    end: int


class KafkaGroups(KafkaAdmin):
    """Questions about groups, and the one thing that changes them. Every method raises AdminError."""

    def group(self, name: str) -> Group | None:
        """The group, or None when the brokers know none of that name."""
        asked = self._client.describe_consumer_groups([name], request_timeout=self._timeout)
        try:
            found = self._answer(asked[name])
        except AbsentError:
            return None
        names = frozenset(member.group_instance_id for member in found.members if member.group_instance_id)
        return None if found.state.name == "DEAD" else Group(found.state.name, len(found.members), names)

    def committed(self, name: str) -> dict[Partition, Commit]:
        """All that the group has committed, with its metadata; nothing for a group that is not there."""
        asked = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(name)], request_timeout=self._timeout
        )
        try:
            found = self._answer(asked[name]).topic_partitions
        except AbsentError:
            return {}
        return {
            Partition(tp.topic, tp.partition): Commit(tp.offset, tp.metadata or "") for tp in found if tp.offset >= 0
        }

    def extents(self, partitions: Collection[Partition]) -> dict[Partition, Extent]:
        """Where the logs of these partitions begin and end; one that is not there is left out."""
        specs = (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]  # its stub lacks the return type
        first, end = (self._offsets(partitions, spec) for spec in specs)
        return {each: Extent(first[each], end[each]) for each in partitions if each in first and each in end}

    def set(self, name: str, offsets: Mapping[Partition, Commit]) -> None:
        """Commit for a group without members, which the brokers refuse otherwise."""
        native = [
            TopicPartition(partition.topic, partition.number, commit.offset, commit.metadata)
            for partition, commit in offsets.items()
        ]
        wanted = [ConsumerGroupTopicPartitions(name, native)]
        asked = self._client.alter_consumer_group_offsets(wanted, request_timeout=self._timeout)
        for answered in self._answer(asked[name]).topic_partitions:
            if answered.error is not None:
                raise AdminError.of(answered.error)

    def _offsets(self, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        native = {TopicPartition(each.topic, each.number): spec for each in partitions}
        if not native:
            return {}
        found: dict[Partition, int] = {}
        for tp, asked in self._client.list_offsets(native, request_timeout=self._timeout).items():
            try:
                found[Partition(tp.topic, tp.partition)] = self._answer(asked).offset
            except AdminError as error:
                if not isinstance(error, AbsentError) and error.code != _NO_LEADERS:
                    raise
        return found
