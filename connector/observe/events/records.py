"""One record's road, reported by the engine: answers, what became of the record, its copies and its schema."""

from __future__ import annotations

import time
from collections.abc import Callable

from connector.core.envelope import History
from connector.core.outcome import Outcome
from connector.core.record import Record
from connector.core.refusal import Stage
from connector.core.reply import Failure
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.observe.accepted_line import AcceptedLine, past
from connector.observe.events.reporter import STANDING_SECONDS, Logger, Reporter, place
from connector.observe.labels import LEFT_BEHIND
from connector.observe.metrics import Metrics
from connector.observe.record_counts import RecordCounts
from connector.observe.retries import Copies


class RecordEvents(Reporter):
    """What becomes of records. `taken`, `answered` and `accepted` are those of `RecordCounts`."""

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
        super().__init__(metrics, logger, monotonic)
        counts = RecordCounts(metrics, (accepted_line or self._plain_accepted_line) if log_accepted else None)
        self.taken = counts.taken
        self.answered = counts.answered
        self.accepted = counts.accepted
        self.copies = Copies()

    def skipped(self, count: int) -> None:
        """Records had been settled before, as the commit's metadata says."""
        self._count("records_skipped", by=count)

    def not_ours(self, reason: str) -> None:
        """The mapping passes a record over, and it is settled without a post."""
        self._count("records_not_ours", reason)

    def duplicate_event(self, record: Record, event_id: str | None) -> None:
        """An event of this id was accepted a short time ago; this record is settled without a post."""
        self._count("records_duplicate")
        if self._admit("duplicate_event", ""):
            self._log.info("duplicate_event", **place(record), event_id=event_id)

    def event_ids_forgotten(self, count: int) -> None:
        """So many accepted ids were forgotten before their time, for want of room."""
        self._count("event_ids_forgotten", by=count)

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
                **place(record),
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

    def dead_lettered(  # noqa: PLR0913 - the fields of a line
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
                **place(record),
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

    def normalized(self, kind: str) -> None:
        """A harmless flaw of an event was put right."""
        self._count("normalizations", kind)

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
            self._log.warning("left_behind", **place(record), event_id=event_id, code=LEFT_BEHIND)

    def late_answer(self, record: Record, event_id: str | None, outcome: Outcome | None) -> None:
        """An answer came after its partition had gone; it settles nothing, so the record may be posted twice."""
        self._count("late_answers")
        if self._admit("late_answer", ""):
            self._log.warning(
                "late_answer",
                **place(record),
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
                schema_id=int(needed.key) if needed.key.isdecimal() else needed.key,
                registry=missing.registry,
                code=missing.code,
                cause=missing.cause,
                remedy=missing.remedy,
            )

    def write_failed(
        self, target: str, code: str, topic: str, remedy: str, seconds: float, *, lasting: bool = False
    ) -> None:
        """A copy was not acknowledged for so long; it is tried again for ever. `target` is `retry` or `dead_letter`.

        `lasting`: it will not be before somebody changes something.
        """
        self._count("writes_failed", target, code)
        is_error = lasting or seconds >= STANDING_SECONDS
        if self._admit_standing("write_failed", f"{target} {code}{' error' if is_error else ''}"):
            level = self._log.error if is_error else self._log.warning
            level("write_failed", target=target, topic=topic, code=code, seconds=round(seconds), remedy=remedy)

    def write_recovered(self, target: str) -> None:
        """Copies are acknowledged again."""
        self._count("writes_recovered", target)
        self._log.info("write_recovered", target=target)

    def _plain_accepted_line(
        self,
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        _now_ms: int,
        trace_id: str | None,
    ) -> None:
        self._log.info(
            "accepted",
            **place(record),
            event_id=event_id,
            request_id=request_id,
            post_ms=int(post_seconds * 1000),
            attempts=history.attempts + 1,
            **past(record, history),
            trace_id=trace_id,
        )
