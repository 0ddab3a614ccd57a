"""What of a topic a group has still to do: what lies behind its commits, but for what it has settled ahead of them."""

from __future__ import annotations

from typing import NamedTuple

from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.record import Partition, Record
from connector.core.settled_map import Run, read, without_shadow
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.scan import partitions_of


class Waiting(NamedTuple):
    """Where each partition's commit stands, and the runs of offsets behind it that are settled."""

    starts: dict[Partition, int]
    settled: dict[Partition, tuple[Run, ...]]

    def still(self, record: Record) -> bool:
        """Whether this record waits: behind the commit, and not settled ahead of it."""
        return record.offset >= self.starts.get(record.partition, 0) and self.has(record)

    def has(self, record: Record) -> bool:
        """Whether this record still waits."""
        runs = self.settled.get(record.partition, ())
        return not any(run.first <= record.offset <= run.last for run in runs)


def waiting_of(settings: Settings, group: str, topic: str) -> Waiting:
    """Ask the brokers. Raises AdminError, also where one partition's commit is not told."""
    properties = kafka_properties(settings.kafka)
    partitions = [Partition(topic, number) for number in range(partitions_of(properties, topic))]
    starts: dict[Partition, int] = {}
    settled: dict[Partition, tuple[Run, ...]] = {}
    for partition, commit in KafkaGroups(properties).committed(group, partitions).items():
        if not isinstance(commit, Commit):
            raise AdminError(commit, f"the commit of {partition} is not told now")
        starts[partition] = commit.offset
        found = read(without_shadow(commit.metadata)) if commit.metadata else "none"
        if not isinstance(found, str) and found.base == commit.offset:
            settled[partition] = found.runs
    return Waiting(starts, settled)
