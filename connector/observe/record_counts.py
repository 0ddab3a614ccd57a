"""What is counted of every record that is posted. By itself, since it is compiled: each of them passes here."""

from __future__ import annotations

from connector.core.envelope import History
from connector.core.outcome import Fate, Outcome
from connector.core.record import Record
from connector.observe.accepted_line import AcceptedLine
from connector.observe.labels import OTHER
from connector.observe.metrics import Metrics, Series

_STATUS_FAMILIES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_KINDS_REMEMBERED = 256

_Answer = tuple[str, str, Fate, int | None]
"""An answer's code, service, fate and status, which say what counts it."""


class RecordCounts:
    """`write_accepted` None: accepted records have no line."""

    def __init__(self, metrics: Metrics, write_accepted: AcceptedLine | None) -> None:
        self._write_accepted = write_accepted
        self._taken = metrics.counter("records_taken").at()
        self._accepted = metrics.counter("records_accepted").at()
        self._accepted_again = metrics.counter("accepted_after_maybe_delivered").at()
        self._answers = metrics.counter("answers")
        self._service_answers = metrics.counter("service_answers")
        self._services = frozenset(service for service, _ in self._service_answers.series)
        self._answered: dict[_Answer, tuple[Series, ...]] = {}
        statuses = metrics.counter("http_answers")
        self._statuses = {number: statuses.at(name) for number, name in enumerate(_STATUS_FAMILIES, 1)}
        self._no_status = statuses.at("none")
        self._other_status = statuses.at("other")
        self._post_seconds = metrics.histogram("post_seconds")
        self._end_to_end_seconds = metrics.histogram("end_to_end_seconds")

    def taken(self, count: int) -> None:
        """Records came from Kafka."""
        self._taken.value += count

    def answered(self, outcome: Outcome, post_seconds: float, service_id: str = OTHER) -> None:
        """A post for this service was answered, or failed, after so many seconds."""
        self._post_seconds.observe(post_seconds)
        service = service_id if service_id in self._services else OTHER
        kind = outcome.code, service, outcome.fate, outcome.status
        for series in self._answered.get(kind) or self._series_of(kind):
            series.value += 1

    def _series_of(self, kind: _Answer) -> tuple[Series, ...]:
        """What counts answers of one kind, of which nearly all are one or two."""
        code, service, fate, status = kind
        by_status = self._no_status if status is None else self._statuses.get(status // 100, self._other_status)
        if len(self._answered) >= _KINDS_REMEMBERED:
            self._answered.clear()
        series = self._answers.at(code), self._service_answers.at(service, fate), by_status
        self._answered[kind] = series
        return series

    def accepted(  # noqa: PLR0913 - the fields of a line
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
