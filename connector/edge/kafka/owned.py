"""Which partitions a member has, which of them sleep, and of which life of its topic each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from connector.core.record import Partition


class OwnedPartitions:
    """Books only: what is done with the partitions is done by others."""

    def __init__(self) -> None:
        self._topic_ids: dict[Partition, str | None] = {}
        self._asleep: set[Partition] = set()
        self._assignments: Counter[Partition] = Counter()

    def come(self, partition: Partition, topic_id: str | None) -> None:
        """Assigned, awake. `topic_id` None: Kafka did not tell it."""
        self._topic_ids[partition] = topic_id
        self._assignments[partition] += 1
        self._asleep.discard(partition)

    def go(self, partitions: Collection[Partition]) -> None:
        """Not ours any more."""
        for partition in partitions:
            self._topic_ids.pop(partition, None)
            self._asleep.discard(partition)

    def has(self, partition: Partition) -> bool:
        """Whether it is ours."""
        return partition in self._topic_ids

    def fall_asleep(self, partition: Partition, assignment: int) -> bool:
        """Whether it may: it is still ours, and of the assignment with this number (from 1 on) of this partition."""
        if not self.has(partition) or assignment != self._assignments[partition]:
            return False
        self._asleep.add(partition)
        return True

    def wake(self, partition: Partition) -> bool:
        """Whether it slept."""
        slept = partition in self._asleep
        self._asleep.discard(partition)
        return slept

    @property
    def awake(self) -> frozenset[Partition]:
        """What is to be fetched while there is room."""
        return frozenset(self._topic_ids.keys() - self._asleep)

    def of_another_life(self, topic_ids: Mapping[str, str]) -> frozenset[Partition]:
        """Partitions whose topic has another id now: it was deleted and created anew."""
        return frozenset(
            partition
            for partition, topic_id in self._topic_ids.items()
            if topic_id is not None and topic_ids.get(partition.topic, topic_id) != topic_id
        )
