"""What a running connector shows: its gauges, `/status`, and whether it is ready and alive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from connector import __version__
from connector.config.settings import Settings
from connector.core.record import Partition
from connector.edge.kafka.source import KafkaSource
from connector.edge.kafka.watermarks import Watermarks
from connector.engine.engine import Engine
from connector.engine.partition import Assignment
from connector.engine.ports import Clock
from connector.observe.metrics import Metrics
from connector.observe.page.glance import COMMIT, DUE, HOLD
from connector.observe.retries import Copies
from connector.runtime.commands import EngineCommands
from connector.runtime.health import Health
from connector.runtime.retry_view import RetryView


class _Partitions(NamedTuple):
    """What one look at a thousand partitions found, for all metrics of a page."""

    lags: Mapping[Partition, int]
    ages: Sequence[tuple[Partition, float]]


class View:
    """Looks at the parts of a process, and changes nothing."""

    def __init__(  # noqa: PLR0913 - whatever it looks at
        self,
        settings: Settings,
        clock: Clock,
        health: Health,
        metrics: Metrics,
        engine: Engine,
        source: KafkaSource,
        watermarks: Watermarks,
        commands: EngineCommands,
        copies: Copies,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._engine = engine
        self._source = source
        self._watermarks = watermarks
        self._commands = commands
        self._covered_at = clock.monotonic()
        self._partitions = self._look_at_partitions()
        metrics.look_first(self._look_again)
        self._retries = RetryView(engine, copies, clock, metrics)
        self._provide()

    def is_ready(self) -> bool:
        """Whether `/readyz` succeeds."""
        return self._health.is_joined and not self._source.missing

    def main_partitions(self) -> int:
        """How many partitions of the main topic are ours."""
        return sum(partition.topic == self._settings.kafka.topics.main for partition in self._engine.assignments)

    def turn_age(self) -> float:
        """Seconds since the slowest of our own loops turned."""
        return self._health.turn_age(self._clock.monotonic())

    def look(self) -> None:
        """To be called about each second: from when on something has been uncommitted is known as exactly as that."""
        if not self._engine.commits.uncommitted:
            self._covered_at = self._clock.monotonic()

    def status(self) -> Mapping[str, object]:
        """`/status`."""
        engine, lags = self._engine, self.lags()
        ages = dict(self.ages(lags))
        return {
            "version": __version__,
            "base_url": self._settings.openmarket.base_url,
            "cie": self._settings.openmarket.is_cie,
            "mode": self._settings.delivery.mode,
            "ready": self.is_ready(),
            "holds": self._commands.holds(),
            "paused": [paused.shown() for paused in self._commands.paused()],
            "pace": {
                "in_flight_limit": engine.limits.limit,
                "share": round(engine.limits.share, 4),
                "rate": engine.limits.rate,
            },
            "records": {
                name: int(sum(series.value for series in self._metrics.counter(f"records_{name}").series.values()))
                for name in ("taken", "accepted", "retried", "dead_lettered", "not_ours", "skipped", "released")
            },
            "main_partitions": self.main_partitions(),
            "in_hand": engine.in_hand,
            "in_flight": engine.in_flight,
            "waiting": self.records_waiting(),
            "uncommitted": engine.commits.uncommitted,
            "oldest_unsettled_seconds": round(max(ages.values(), default=0.0), 1),
            "answers": {
                labels[0]: int(series.value)
                for labels, series in self._metrics.counter("answers").series.items()
                if series.value
            },
            "partitions": {
                str(partition): {
                    "committable": assignment.tracker.committable,
                    "lag": lags.get(partition),
                    "oldest_seconds": None if (age := ages.get(partition)) is None else round(age, 1),
                    **self._behind_transaction(partition),
                    "queued": len(assignment.queue),
                    "in_hand": len(assignment.open),
                    "waits_for": self.waits_for(partition, assignment, lags),
                }
                for partition, assignment in sorted(engine.assignments.items())
            },
        }

    def _provide(self) -> None:
        provide, engine = self._metrics.provide, self._engine
        health, monotonic = self._health, self._clock.monotonic
        provide("loop_turn_age_seconds", lambda: health.loop_turn_age(monotonic()))
        provide("owner_thread_turn_age_seconds", lambda: health.owner_turn_age(monotonic()))
        provide("ready", lambda: float(self.is_ready()))
        provide("topics_missing", lambda: len(self._source.missing))
        provide("records_in_hand", lambda: engine.in_hand)
        provide("in_flight", lambda: engine.in_flight)
        provide("in_flight_limit", lambda: engine.limits.limit)
        provide("rate", lambda: engine.limits.rate or 0.0)
        provide("rate_share", lambda: engine.limits.share)
        provide("records_waiting", lambda: {(reason,): count for reason, count in self.records_waiting().items()})
        provide("partitions_waiting", self._partitions_waiting)
        provide("assigned_partitions", lambda: len(engine.assignments))
        provide("assigned_main_partitions", self.main_partitions)
        provide("oldest_unsettled_seconds", lambda: _oldest(self._partitions.ages))
        provide("oldest_unsettled_retention_ratio", self._oldest_ratio)
        provide("lag", lambda: {(p.topic, str(p.number)): float(lag) for p, lag in self._partitions.lags.items()})
        provide("open_transaction_seconds", self._open_transaction_seconds)
        provide("uncommitted", lambda: engine.commits.uncommitted)
        provide("last_commit_age_seconds", self._commit_age)

    def records_waiting(self) -> Mapping[str, int]:
        """How many records in hand wait for what. While a hold stops posting, all that waits for nothing else does."""
        engine = self._engine
        paused = sum(len(assignment.parked) for assignment in engine.assignments.values())
        waiting = {**engine.waiting(), "paused": paused}
        if engine.holds.active:
            elsewhere = sum(waiting.values()) - waiting["hold"]
            at_work = engine.in_flight + engine.commits.waiting_copies
            waiting["hold"] = max(waiting["hold"], engine.in_hand - elsewhere - at_work)
        return waiting

    def _partitions_waiting(self) -> Mapping[tuple[str, ...], float]:
        lags = self._partitions.lags
        reasons = Counter(
            reason
            for partition, assignment in self._engine.assignments.items()
            for reason in self.waits_for(partition, assignment, lags)
        )
        return {(reason.replace(" ", "_"),): count for reason, count in reasons.items()}

    def waits_for(self, partition: Partition, assignment: Assignment, lags: Mapping[Partition, int]) -> list[str]:
        """Why it takes nothing new; empty when it does, or has nothing."""
        reasons: list[str] = sorted(assignment.blocks)
        if not reasons and assignment.asleep:
            return [DUE]
        has_some = assignment.open or assignment.queue or lags.get(partition)
        if not has_some:
            return reasons
        if self._engine.holds.active:
            return [*reasons, HOLD]
        return [*reasons, COMMIT] if self._engine.commits.stop_posting else reasons

    def _commit_age(self) -> float:
        commits = self._engine.commits
        if not commits.uncommitted:
            return 0.0
        return self._clock.monotonic() - max(commits.last_acknowledged, self._covered_at)

    def _oldest_ratio(self) -> float:
        kept = self._watermarks.retention
        return max((age / kept[p.topic] for p, age in self._partitions.ages if p.topic in kept), default=0.0)

    def ages(self, lags: Mapping[Partition, int]) -> Iterator[tuple[Partition, float]]:
        """Each assigned partition with the age of its oldest unsettled record, in seconds."""
        now_ms = self._clock.now_ms()
        for partition, assignment in self._engine.assignments.items():
            since_ms = assignment.oldest_ms()
            # While the lag is unknown something may wait behind what rests.
            if since_ms is not None and (assignment.open or assignment.queue or lags.get(partition, 1)):
                yield partition, max(0.0, (now_ms - since_ms) / 1000)

    def _open_transaction_seconds(self) -> Mapping[tuple[str, ...], float]:
        now = self._clock.monotonic()
        behind = self._watermarks.transactions.behind
        return {(p.topic, str(p.number)): max(0.0, now - one.since) for p, one in behind.items()}

    def _behind_transaction(self, partition: Partition) -> Mapping[str, object]:
        behind = self._watermarks.transactions.behind.get(partition)
        if behind is None:
            return {}
        seconds = max(0.0, self._clock.monotonic() - behind.since)
        return {"open_transaction": {"offsets_behind": behind.offsets, "seconds": round(seconds)}}

    def _look_at_partitions(self) -> _Partitions:
        lags = self.lags()
        return _Partitions(lags, tuple(self.ages(lags)))

    def _look_again(self) -> None:
        self._partitions = self._look_at_partitions()

    def lags(self) -> dict[Partition, int]:
        """Offsets between what is settled and what can be read, as far as that is known."""
        bounds = self._watermarks.bounds
        return {
            partition: bounds[partition].lag(assignment.tracker.committable)
            for partition, assignment in self._engine.assignments.items()
            if partition in bounds
        }


def _oldest(ages: Iterable[tuple[Partition, float]]) -> float:
    return max((age for _, age in ages), default=0.0)
