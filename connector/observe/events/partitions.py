"""Partitions that come and go, and their commits, reported by the engine."""

from __future__ import annotations

from collections.abc import Collection

from connector.core.record import Partition
from connector.observe.events.reporter import Reporter


class PartitionEvents(Reporter):
    """What becomes of partitions."""

    def assigned(self, partition: Partition, position: int) -> None:
        """A partition is ours from this offset on."""
        self._count("partitions_assigned")
        self._log.info("assigned", topic=partition.topic, partition=partition.number, position=position)

    def map_ignored(self, partition: Partition, reason: str) -> None:
        """What was settled beyond a commit cannot be told from its metadata, so that it may be posted again."""
        self._count("maps_ignored", reason)
        if self._admit("map_ignored", reason):
            self._log.warning("map_ignored", topic=partition.topic, partition=partition.number, reason=reason)

    def map_refused(self, code: str, bound: int) -> None:
        """Kafka refused a commit for its metadata; from here on a map has at most `bound` characters, 0 for none."""
        self._count("maps_refused", code)
        self._log.warning("map_refused", code=code, bound=bound)

    def revoked(self, partitions: Collection[Partition], drained: bool) -> None:
        """Partitions were handed over. Not `drained`: posts were under way, and may be repeated elsewhere."""
        self._count("partitions_revoked", "true" if drained else "false", by=len(partitions))
        level = self._log.info if drained else self._log.warning
        level("revoked", partitions=_names(partitions), drained=drained)

    def lost(self, partitions: Collection[Partition]) -> None:
        """Partitions were taken away; what was in hand may be repeated elsewhere."""
        self._count("partitions_lost", by=len(partitions))
        self._log.warning("lost", partitions=_names(partitions))

    def partition_stopped(self, partition: Partition, error: Exception) -> None:
        """A bug of ours: the partition takes nothing more until it is assigned anew, and nothing of it is lost."""
        self._count("partitions_stopped")
        self._log.error(
            "partition_stopped",
            topic=partition.topic,
            partition=partition.number,
            error=type(error).__name__,
            where=where(error),
            remedy="report it with this line; a restart tries the record again",
        )

    def commit_acknowledged(self, seconds: float) -> None:
        """The broker acknowledged a commit after this many seconds."""
        self._count("commits_acknowledged")
        self._metrics.histogram("commit_seconds").observe(seconds)

    def commit_failed(self, code: str) -> None:
        """A commit failed; the next one carries the same offsets or later ones."""
        self._count("commits_failed", code)
        if self._admit_standing("commit_failed", code):
            self._log.warning("commit_failed", code=code)


def _names(partitions: Collection[Partition]) -> list[str]:
    return sorted(map(str, partitions))


def where(error: BaseException) -> str:
    """File and line where it was raised; never the exception's text, which may carry a value of the event."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('connector/')[2]}:{trace.tb_lineno}"
