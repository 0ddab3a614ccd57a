"""What the source of a translation has settled: its cluster itself, or a file that was exported while it was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import typer

from connector.cli.offsets.files import Export
from connector.cli.offsets.standstill import Standstill, members_of
from connector.config.client import kafka_properties
from connector.config.kafka import Kafka
from connector.core.mirrored import Mark, marks_of
from connector.core.record import Partition
from connector.core.settled_map import Run, decode
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.stretches import Stretches

_AFTER = 100
"""Records behind the last settled one that are compared."""


class Reach(NamedTuple):
    """How far before the commit records are compared, in offsets. `uncommitted`: also those of aborted transactions,
    which a mirror copies unless it is told not to."""

    before: int
    uncommitted: bool


class LiveSource:
    """The cluster. A context manager; raises AdminError when the brokers do not answer or refuse."""

    exported_at = None
    reaches = (Reach(1_000, uncommitted=False), Reach(1_000, uncommitted=True), Reach(100_000, uncommitted=True))
    """To be tried one after the other: the first does for most mirrors, the third is for one that wrote many records
    twice."""

    def __init__(self, kafka: Kafka, group: str) -> None:
        properties = kafka_properties(kafka)
        self.topics: Sequence[str] = kafka.topics.read
        groups = KafkaGroups(properties)
        self._readers = {each: Stretches(properties, uncommitted=each) for each in (False, True)}
        self._standstill = Standstill(members_of(groups, group), lambda: groups.all_committed(group))
        self.commits = self._standstill.commits
        told = groups.look(self.commits)
        self._bounds: Mapping[Partition, Bounds] = told.bounds
        self.readable = sorted(told.bounds)
        """The partitions with a commit whose logs can be read now."""
        self._runs = self._maps(LogIdentities(properties))

    def ahead(self, partition: Partition) -> int:
        """Offsets settled ahead of the commit."""
        return sum(run.last - run.first + 1 for run in self._runs.get(partition, ()))

    def marks(self, partition: Partition, reach: Reach) -> list[Mark]:
        """The records that far before the commit, and up to some behind the last one settled. Raises AdminError."""
        commit, bounds = self.commits[partition].offset, self._bounds[partition]
        first = min(max(bounds.start, commit - reach.before), bounds.readable)
        records = self._readers[reach.uncommitted].read(partition, first, bounds.readable)
        return list(marks_of(records, commit, self._runs.get(partition, ()), _AFTER))

    def unrest(self) -> str | None:
        """Why its commits may not be used, if they may not. Raises AdminError."""
        return self._standstill.unrest()

    def _maps(self, identities: LogIdentities) -> dict[Partition, tuple[Run, ...]]:
        with_map = [each for each in self.readable if self.commits[each].metadata]
        if with_map:
            identities.ask(with_map[0].topic)
        logs = identities.of(with_map, urgent=with_map)
        maps = {}
        for each in with_map:
            commit, log = self.commits[each], logs.get(each)
            runs = decode(commit.metadata, commit.offset, None if log is None else log.identity, self._bounds[each].end)
            if isinstance(runs, str):
                typer.echo(f"{each}: what is settled ahead at the source is not known ({runs})", err=True)
            else:
                maps[each] = runs
        return maps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers.values():
            reader.__exit__()


class FileSource:
    """The file, for the day when the cluster is gone. A context manager."""

    reaches = (Reach(0, uncommitted=False),)

    def __init__(self, path: Path, export: Export) -> None:
        """Raises BadParameter for a file without records."""
        self.commits = export.commits
        self._marks = export.marks
        self.readable = sorted(self._marks)
        self.topics: Sequence[str] = export.topics or ()
        self.exported_at = export.exported_at
        if self.exported_at is None or not self.topics or not self._marks:
            raise typer.BadParameter(
                f"{path} has no records to compare with: it takes `connector offsets export --with-records`"
            )

    def ahead(self, partition: Partition) -> int:
        """Records settled ahead of the commit."""
        offset = self.commits[partition].offset
        return sum(mark.settled and mark.offset >= offset for mark in self._marks.get(partition, ()))

    def marks(self, partition: Partition, _reach: Reach) -> list[Mark]:
        """Always all that the file has."""
        return self._marks.get(partition, [])

    def unrest(self) -> None:
        """Nobody knows any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


Source = LiveSource | FileSource
