"""Everything that happens, one method each: the log line and the metric together, so that neither comes alone.

Levels follow the consequence: WARN, nothing is lost and the connector goes on; ERROR, somebody was not reached or a
person is needed. Callers pass only values that may be shown: event ids by `core.redact.safe_event_id`, reasons
without any value of the event.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Protocol

from connector.core.envelope import History
from connector.core.outcome import Outcome
from connector.core.pauses import Source, Target, Unusable
from connector.core.record import Partition, Record
from connector.core.refusal import Stage
from connector.core.reply import Failure
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.observe.labels import LEFT_BEHIND, OTHER
from connector.observe.metrics import Metrics
from connector.observe.retries import Copies
from connector.observe.sampling import Sampler

_LINES_A_SECOND = 10  # of one event and code: enough to see what happens, too few to fill a disk
_SAID_EVERY = 60.0  # seconds between two lines about what goes on and on
_LINES_OF_A_FILE = 20
_MISSING_TOPIC = "correct kafka.topics, or create it (`connector topics create` for retry and dead letters)"
_TRANSACTION = (
    "its producer has to commit or abort it; of one that is gone, `kafka-transactions.sh find-hanging` and `abort`"
)
_UNREACHABLE = (
    "compare kafka.bootstrap_servers and kafka.security with the brokers' listeners; look at DNS and firewall: "
    "`connector check --live` says what is wrong with the connection"
)
_NEEDS_A_PERSON = frozenset({"deployment", "brake"})
_MEND = "put it right: until then what was read before stays in force, and a restart would fail"
_RESTART = "restart this process: what reads this file does so at start only"
_PAUSED_FILE = "hold.paused_file: readable; a line each of `*`, a topic or topic:partition; UTF-8; 64 KiB at most"
_PAUSED_UNREAD = "correct the name in hold.paused_file; a partition is written topic:number"
_STATUS_FAMILIES = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Logger(Protocol):
    """The part of a structlog logger that is used here."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


class AcceptedLine(Protocol):
    """Writes the line of an accepted record: the only line that is written for every record."""

    def __call__(
        self,
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        now_ms: int,
        trace_id: str | None,
    ) -> None: ...


class Events:
    """What the flow and the edges report to. Call each method from one thread only: its numbers take no lock."""

    def __init__(
        self,
        metrics: Metrics,
        logger: Logger,
        log_accepted: bool,
        *,
        accepted_line: AcceptedLine | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accepted_line` None: accepted records are logged through `logger` like everything else."""
        self._metrics = metrics
        self._log = logger
        self._write_accepted = (accepted_line or self._plain_accepted_line) if log_accepted else None
        self._monotonic = monotonic
        self._sampler = Sampler(_LINES_A_SECOND)
        self._standing = Sampler(1, _SAID_EVERY)
        self._held: dict[str, float] = {}
        self._paused: set[tuple[Source, Target]] = set()
        self.is_joined = False
        self._is_cie = False
        self._loop_turned = self._owner_turned = monotonic()
        self.copies = Copies()
        self._bind_hot_series(metrics)
        metrics.counter("hold_seconds").run_on(self._held_seconds)
        metrics.provide("cie", lambda: float(self._is_cie))
        metrics.provide("hold", lambda: {(kind,): 1.0 for kind in tuple(self._held)})
        metrics.provide("paused", self._paused_by_source)
        metrics.provide("loop_turn_age_seconds", self.loop_turn_age)
        metrics.provide("owner_thread_turn_age_seconds", self.owner_turn_age)

    def _bind_hot_series(self, metrics: Metrics) -> None:
        self._taken = metrics.counter("records_taken").at()
        self._accepted = metrics.counter("records_accepted").at()
        self._accepted_again = metrics.counter("accepted_after_maybe_delivered").at()
        self._answers = metrics.counter("answers")
        self._service_answers = metrics.counter("service_answers")
        self._services = frozenset(service for service, _ in self._service_answers.series)
        statuses = metrics.counter("http_answers")
        self._statuses = {number: statuses.at(name) for number, name in enumerate(_STATUS_FAMILIES, 1)}
        self._no_status = statuses.at("none")
        self._other_status = statuses.at("other")
        self._post_seconds = metrics.histogram("post_seconds")
        self._end_to_end_seconds = metrics.histogram("end_to_end_seconds")

    # One record's road.

    def taken(self, count: int) -> None:
        """Records came from Kafka."""
        self._taken.value += count

    def skipped(self, count: int) -> None:
        """Records had been settled before, as the commit's metadata says."""
        self._count("records_skipped", by=count)

    def answered(self, outcome: Outcome, post_seconds: float, service_id: str = OTHER) -> None:
        """A post for this service was answered, or failed, after so many seconds."""
        self._post_seconds.observe(post_seconds)
        self._answers.at(outcome.code).value += 1
        service = service_id if service_id in self._services else OTHER
        self._service_answers.at(service, outcome.fate).value += 1
        status = outcome.status
        if status is None:
            self._no_status.value += 1
        else:
            self._statuses.get(status // 100, self._other_status).value += 1

    def accepted(
        self,
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        end_to_end_seconds: float | None,
        now_ms: int,
        *,
        trace_id: str | None = None,
    ) -> None:
        """The vendor accepted a record's request. `history` is what it had been through before this post."""
        self._accepted.value += 1
        if history.maybe_delivered:
            self._accepted_again.value += 1
        if end_to_end_seconds is not None:
            self._end_to_end_seconds.observe(end_to_end_seconds)
        if self._write_accepted is not None:
            self._write_accepted(record, history, event_id, request_id, post_seconds, now_ms, trace_id)

    def retried(
        self,
        record: Record,
        event_id: str | None,
        outcome: Outcome,
        attempts: int,
        due_ms: int,
        *,
        history: History | None = None,
        trace_id: str | None = None,
    ) -> None:
        """A record's copy waits in the retry topic until `due_ms` (since the epoch). `history`: what it carries."""
        self._count("records_retried")
        if history is not None and history.first_failure_ms is not None:
            self.copies.written(due_ms, history.first_failure_ms, attempts)
            self._metrics.histogram("retry_age_seconds").observe((due_ms - history.first_failure_ms) / 1000)
        if self._admit("retried", outcome.code):
            self._log.warning(
                "retried",
                **_place(record),
                event_id=event_id,
                **({} if history is None else past(record, history)),
                code=outcome.code,
                why=outcome.why,
                status=outcome.status,
                vendor_code=outcome.vendor_code,
                request_id=outcome.request_id,
                delivered=outcome.delivered.value,
                attempts=attempts,
                due_ms=due_ms,
                trace_id=trace_id,
            )

    def dead_lettered(
        self,
        record: Record,
        event_id: str | None,
        stage: Stage,
        code: str,
        reason: str,
        status: int | None,
        vendor_code: str | None,
        request_id: str | None,
        attempts: int,
        *,
        history: History | None = None,
        trace_id: str | None = None,
        service_id: str | None = None,
        is_summary: bool = False,
    ) -> None:
        """A record's copy is in the dead-letter topic; its end user was not reached.

        `is_summary`: the topic could not take the record, and has a letter that names its place, size and hash.
        """
        self._count("records_dead_lettered", code)
        if self._admit("dead_lettered", code):
            self._log.error(
                "dead_lettered",
                **_place(record),
                event_id=event_id,
                **({} if history is None else past(record, history)),
                service_id=service_id,
                stage=stage.value,
                code=code,
                reason=reason,
                status=status,
                vendor_code=vendor_code,
                request_id=request_id,
                attempts=attempts,
                summary=is_summary or None,
                trace_id=trace_id,
            )

    def released(self, count: int) -> None:
        """Records were given up unsettled with their partition; whoever gets it takes them again."""
        self._count("records_released", by=count)

    def kindness(self, kind: str) -> None:
        """A harmless flaw of an event was put right."""
        self._count("kindnesses", kind)

    def never_sent(self, failure: Failure) -> None:
        """A post failed before a byte was written; it is tried again in place."""
        self._count("never_sent", failure.value)
        if self._admit("never_sent", failure.value):
            self._log.warning("never_sent", code=failure.value)

    def maybe_delivered(self, code: str) -> None:
        """A post was not accepted but may have been delivered; the line of what became of the record says so."""
        self._count("maybe_delivered", code)

    def left_behind(self, record: Record, event_id: str | None) -> None:
        """The drain was over before this post was answered: it may be delivered, and will be posted again."""
        self._count("maybe_delivered", LEFT_BEHIND)
        if self._admit("left_behind", ""):
            self._log.warning("left_behind", **_place(record), event_id=event_id, code=LEFT_BEHIND)

    def late_answer(self, record: Record, event_id: str | None, outcome: Outcome | None) -> None:
        """An answer came after its partition had gone; it settles nothing, so the record may be posted twice."""
        self._count("late_answers")
        if self._admit("late_answer", ""):
            self._log.warning(
                "late_answer",
                **_place(record),
                event_id=event_id,
                code=outcome.code if outcome is not None else None,
                request_id=outcome.request_id if outcome is not None else None,
            )

    def schema_unavailable(self, needed: SchemaNeeded, missing: SchemaMissing) -> None:
        """The schema of this record could not be had; its partition waits."""
        self._count("schemas_unavailable", missing.code)
        if self._admit("schema_unavailable", missing.code):
            self._log.warning(
                "schema_unavailable",
                topic=needed.partition.topic,
                partition=needed.partition.number,
                offset=needed.offset,
                schema_id=int(needed.key) if needed.key.isdecimal() else needed.key,  # texts lose their long numbers
                registry=missing.registry,
                code=missing.code,
                cause=missing.cause,
                remedy=missing.remedy,
            )

    # Copies and commits.

    def write_failed(
        self, target: str, code: str, topic: str, remedy: str, seconds: float, *, lasting: bool = False
    ) -> None:
        """A copy was not acknowledged for so long; it is tried again for ever. `target` is `retry` or `dead_letter`.

        `lasting`: it will not be before somebody changes something.
        """
        self._count("writes_failed", target, code)
        is_error = lasting or seconds >= _SAID_EVERY
        if self._admit_standing("write_failed", f"{target} {code}{' error' if is_error else ''}"):
            level = self._log.error if is_error else self._log.warning
            level("write_failed", target=target, topic=topic, code=code, seconds=round(seconds), remedy=remedy)

    def write_recovered(self, target: str) -> None:
        """Copies are acknowledged again."""
        self._count("writes_recovered", target)
        self._log.info("write_recovered", target=target)

    def commit_acknowledged(self, partitions: int, seconds: float) -> None:
        """The broker acknowledged a commit of so many partitions after so many seconds."""
        self._count("commits_acknowledged")
        self._metrics.histogram("commit_seconds").observe(seconds)

    def commit_failed(self, code: str) -> None:
        """A commit failed; the next one carries the same offsets or later ones."""
        self._count("commits_failed", code)
        if self._admit_standing("commit_failed", code):
            self._log.warning("commit_failed", code=code)

    def connection_failed(self, client: str, code: str) -> None:
        """A connection of a Kafka client failed; `kafka_unreachable` or `kafka_error` says so within a second."""
        self._count("kafka_errors", client, code)

    def kafka_error(self, client: str, code: str, remedy: str | None = None, *, counted: bool = False) -> None:
        """An error of a Kafka client (`consumer` or `producer`) that passes by itself, or with the remedy.

        `counted`: by `connection_failed`.
        """
        if not counted:
            self._count("kafka_errors", client, code)
        if self._admit_standing("kafka_error", f"{client} {code}"):
            self._log.warning("kafka_error", client=client, code=code, **({} if remedy is None else {"remedy": remedy}))

    def kafka_unreachable(self, bootstrap_servers: str, since_ms: int, seconds: float) -> None:
        """No broker has been reached for so long, since the start or since the last one was lost."""
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        level = self._log.error if seconds >= _SAID_EVERY else self._log.warning
        level(
            "kafka_unreachable",
            bootstrap_servers=bootstrap_servers,
            unreachable_since=f"{since:%d %b %H:%M:%S} UTC",  # an ISO date would be taken for a long number, and hidden
            seconds=round(seconds),
            remedy=_UNREACHABLE,
        )

    def kafka_reached(self, seconds: float) -> None:
        """A broker is reached again, after so long."""
        self._log.info("kafka_reached", seconds=round(seconds))

    def topic_unfit(self, check: str, verdict: str, why: str, remedy: str) -> None:
        """A topic is not as the promises need it; `verdict` is `failed` or `warning`, as in `connector check`."""
        self._log.warning(
            "topic_unfit", check=check, verdict=verdict, why=why, **({"remedy": remedy} if remedy else {})
        )

    def topic_fit(self, check: str) -> None:
        """What was wrong with a topic is put right."""
        self._log.info("topic_fit", check=check)

    def topic_missing(self, topic: str) -> None:
        """The brokers do not have this topic of the subscription: nothing is read from it."""
        self._log.warning("topic_missing", topic=topic, remedy=_MISSING_TOPIC)

    def topic_found(self, topic: str) -> None:
        """A topic that was missing is there."""
        self._log.info("topic_found", topic=topic)

    def old_transaction(self, partition: Partition, first: int, offsets: int, seconds: float) -> None:
        """So many offsets from `first` on have not been readable for so long, as a transaction is still open."""
        self._log.warning(
            "old_transaction",
            topic=partition.topic,
            partition=partition.number,
            offset=first,
            offsets=offsets,
            seconds=round(seconds),
            remedy=_TRANSACTION,
        )

    # Partitions.

    def nothing_of_main_topic(self, topic: str) -> None:
        """The group gave this process no partition of the main topic."""
        self._log.info("nothing_of_main_topic", topic=topic)

    def main_topic_again(self, topic: str) -> None:
        """It has some now."""
        self._log.info("main_topic_again", topic=topic)

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

    # Holds.

    def hold_entered(self, kind: str, code: str, why: str, remedy: str, details: Mapping[str, object]) -> None:
        """Posting stopped. `details` may name the record that met it, which keeps its place."""
        self._held[kind] = self._monotonic()
        self._count("holds", kind)
        if self._admit("hold_entered", kind):
            level = self._log.error if kind in _NEEDS_A_PERSON else self._log.warning
            level("hold_entered", kind=kind, code=code, why=why, remedy=remedy, **details)

    def hold_left(self, kind: str, seconds: float) -> None:
        """Posting goes on after so many seconds, unless another hold is in force."""
        now = self._monotonic()
        self._count("hold_seconds", kind, by=now - self._held.pop(kind, now))
        if self._admit("hold_left", kind):
            self._log.info("hold_left", kind=kind, seconds=round(seconds, 3))

    def brake_warned(self, code: str, why: str) -> None:
        """As many dead letters as would be braked, and the settings say to go on."""
        self._count("brake_warnings")
        self._log.error("brake_warned", code=code, why=why, remedy="mend the producer, or the classification")

    # Secrets and certificates.

    def secrets_renewed(self, settings: Collection[str]) -> None:
        """The files of these settings changed, and what they hold is in force from here on."""
        self._count("secret_changes", "renewed")
        self._log.info("secrets_renewed", settings=sorted(settings))

    def secrets_unusable(self, settings: Collection[str], why: str) -> None:
        """The files of these settings changed and cannot be used; what was read before stays in force."""
        self._count("secret_changes", "unusable")
        self._log.warning("secrets_unusable", settings=sorted(settings), why=why, remedy=_MEND)

    def restart_needed(self, settings: Collection[str]) -> None:
        """The files of these settings changed, and are read at start only."""
        self._count("secret_changes", "restart_needed")
        self._log.warning("restart_needed", settings=sorted(settings), remedy=_RESTART)

    # Pauses.

    def paused(self, targets: Collection[Target], source: Source, reason: str = "") -> None:
        """A person paused these. `reason` is what they said, without control characters."""
        self._paused.update((source, target) for target in targets)
        self._count("pauses", source.value, by=len(targets))
        said = {"reason": reason} if reason else {}
        self._log.warning("paused", targets=_targets(targets), source=source.value, **said)

    def resumed(self, targets: Collection[Target], source: Source) -> None:
        """A person resumed these; another source, or a wider target, may still pause them."""
        self._paused.difference_update((source, target) for target in targets)
        self._log.info("resumed", targets=_targets(targets), source=source.value)

    def paused_file_unusable(self, problem: Unusable) -> None:
        """The file of pauses cannot be used; what it said last stays in force, and everything if it said nothing."""
        self._count("paused_file_problems", problem.code)
        lines = [f"line {line.number}: {line.problem}" for line in problem.lines[:_LINES_OF_A_FILE]]
        more = {"lines": lines, "bad_lines": len(problem.lines)} if lines else {}
        self._log.error("paused_file_unusable", code=problem.code, **more, remedy=_PAUSED_FILE)

    def paused_file_unread(self, targets: Collection[Target], topics: Collection[str]) -> None:
        """The file of pauses names topics that are not read: that pauses nothing. `topics` are those that are."""
        self._count("paused_file_problems", "unread")
        names = [str(target) for target in sorted(targets)][:_LINES_OF_A_FILE]
        self._log.warning("paused_file_unread", names=names, topics=sorted(topics), remedy=_PAUSED_UNREAD)

    # The process.

    def source_failed(self, code: str, remedy: str) -> None:
        """Kafka refused for good, or a bug of ours keeps us from going on; the process ends with exit code 1."""
        self._count("source_failures", code)
        self._log.error("source_failed", code=code, remedy=remedy)

    def starting(self, settings: Mapping[str, object], cie: bool) -> None:
        """The process starts with these settings (secrets left out). `cie`: the vendor's test environment."""
        self._is_cie = cie
        self._log.info("starting", settings=dict(settings), cie=cie)
        if cie:
            self._log.warning("test_environment", remedy="set openmarket.base_url to production: CIE reaches nobody")

    def joined(self) -> None:
        """The group was joined."""
        self.is_joined = True

    def ready(self) -> None:
        """`/readyz` succeeds from here on."""
        self._log.info("ready")

    def stopping(self, reason: str) -> None:
        """Nothing new is taken from here on."""
        self.is_joined = False
        self._log.info("stopping", reason=reason)

    def stopped(self, clean: bool) -> None:
        """The process ends. Not `clean`: the drain's budget ran out, and posts under way may be repeated."""
        self._report_left_out(math.inf)
        (self._log.info if clean else self._log.warning)("stopped", clean=clean)

    # Liveness.

    def loop_turn(self, monotonic: float) -> None:
        """The delivery loop turned."""
        self._loop_turned = monotonic
        self._report_left_out(monotonic)

    def owner_turn(self, monotonic: float) -> None:
        """The consumer's owner thread turned."""
        self._owner_turned = monotonic

    def loop_turn_age(self) -> float:
        """Seconds since the delivery loop last turned."""
        return max(0.0, self._monotonic() - self._loop_turned)

    def owner_turn_age(self) -> float:
        """Seconds since the consumer's owner thread last turned."""
        return max(0.0, self._monotonic() - self._owner_turned)

    def _held_seconds(self) -> dict[tuple[str, ...], float]:
        now = self._monotonic()
        return {(kind,): now - since for kind, since in self._held.items()}

    def _paused_by_source(self) -> dict[tuple[str, ...], float]:
        return {(source.value,): float(sum(by is source for by, _ in self._paused)) for source in Source}

    def _count(self, name: str, *labels: str, by: float = 1) -> None:
        self._metrics.counter(name).at(*labels).value += by

    def _admit(self, event: str, code: str) -> bool:
        now = self._monotonic()
        self._report_left_out(now)
        return self._sampler.admit((event, code), now)

    def _admit_standing(self, event: str, code: str) -> bool:
        """Once a minute: what passes by itself may take hours, and says nothing new meanwhile."""
        now = self._monotonic()
        self._report_left_out(now)
        return self._standing.admit((event, code), now)

    def _report_left_out(self, now: float) -> None:
        for (event, code), count in (*self._sampler.over(now), *self._standing.over(now)):
            self._count("log_lines_left_out", by=count)
            self._log.warning("lines_left_out", of=event, code=code, count=count)

    def _plain_accepted_line(
        self,
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        now_ms: int,
        trace_id: str | None,
    ) -> None:
        self._log.info(
            "accepted",
            **_place(record),
            event_id=event_id,
            request_id=request_id,
            post_ms=int(post_seconds * 1000),
            attempts=history.attempts + 1,
            **past(record, history),
            trace_id=trace_id,
        )


def _place(record: Record) -> dict[str, object]:
    return {"topic": record.partition.topic, "partition": record.partition.number, "offset": record.offset}


def past(record: Record, history: History) -> dict[str, object]:
    """What a line says of a record that comes from the retry topic: where the producer's own lies in the main topic,
    and whether it may have been delivered before. The topic's name is left out: in a header it is free text."""
    shown: dict[str, object] = {}
    partition, offset, _ = history.origin
    if (partition, offset) != (record.partition, record.offset):
        shown = {"origin_partition": partition.number, "origin_offset": offset}
    if history.maybe_delivered:
        shown["possible_duplicate"] = True
    return shown


def _names(partitions: Collection[Partition]) -> list[str]:
    return sorted(map(str, partitions))


def _targets(targets: Collection[Target]) -> list[str]:
    """The first of them, and how many more; a file may hold thousands."""
    shown = [str(target) for target in sorted(targets)[:_LINES_OF_A_FILE]]
    more = len(targets) - len(shown)
    return [*shown, f"and {more} more"] if more else shown


def where(error: BaseException) -> str:
    """File and line where it was raised; never the exception's text, which may carry a value of the event."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('connector/')[2]}:{trace.tb_lineno}"
