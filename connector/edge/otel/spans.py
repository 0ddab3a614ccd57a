"""What our spans are called and carry: OpenTelemetry's semantic conventions 1.44.0, HTTP's stable, messaging's in
development.

Nothing of an event is in them but its id as the log shows it. No status has a text. A fault in here costs a span, and
never a record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from yarl import URL

from connector.core.record import Record
from connector.core.reply import Answer, Reply
from connector.core.trace import TraceContext, span_ids

Attributes = Mapping[str, str | int | bool]

_HIDDEN = "REDACTED"
"""In place of a service id that may be no service id, as the conventions have it."""


class OpenSpan(NamedTuple):
    """A span that is kept and has not ended, with its own trace context."""

    span: Span
    trace: TraceContext


class Spans:
    """Starts and ends spans; None for one that is not kept. Times are ns since the epoch."""

    def __init__(
        self, tracer: Tracer, base_url: str, group_id: str, on_fault: Callable[[], None], *, parent_decides: bool = True
    ) -> None:
        """`base_url` has no credentials and no query. `on_fault` is told of each span that a fault cost.

        `parent_decides`: the sampler keeps nothing that the producer does not, so that it need not be asked.
        """
        url = URL(base_url)
        self._tracer = tracer
        self._on_fault = on_fault
        self._parent_decides = parent_decides
        self._url = f"{base_url.rstrip('/')}/service/v1/invokeService/"
        self._post: Attributes = {
            "http.request.method": "POST",
            "network.protocol.version": "1.1",
            "server.address": url.host or "",
            "server.port": url.port or 0,
        }
        self._process: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": group_id,
        }

    def now(self) -> int:
        """The clock of all spans."""
        return time.time_ns()

    def may_keep(self, above: TraceContext | None) -> bool:
        """Whether anything under it can be kept."""
        return above is None or not self._parent_decides or span_ids(above.parent).sampled

    def processed(
        self,
        record: Record,
        decoded: tuple[int, int],
        above: TraceContext | None,
        earlier: str | None,
        known: Attributes,
    ) -> TraceContext | None:
        """A record was decoded, from and until then, under its producer's span; return the span's trace context.

        `earlier` is the span that wrote this copy of it.
        """
        (topic, partition), began, ended = record.partition, *decoded
        attributes = {
            **self._process,
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": record.offset,
            **({"messaging.kafka.message.tombstone": True} if record.value is None else {}),
            **known,
        }
        opened = self._start(f"process {topic}", SpanKind.CONSUMER, above, attributes, earlier, began)
        if opened is not None:
            self.end(opened, known.get("error.type"), ended)
        return None if opened is None else opened.trace

    def posting(self, above: TraceContext, service: str | None, known: Attributes) -> OpenSpan | None:
        """A request is about to be written. `service` None: its id may be no id."""
        attributes = {**self._post, "url.full": self._url + (service or _HIDDEN), **known}
        return self._start("POST", SpanKind.CLIENT, above, attributes)

    def answered(self, post: OpenSpan, answer: Answer, known: Mapping[str, str | list[str]], at: int) -> None:
        """This came back."""
        try:
            if isinstance(answer, Reply):
                post.span.set_attribute("http.response.status_code", answer.status)
                error = str(answer.status) if answer.status >= 400 else None
            else:
                error = answer.failure.value
            for name, value in known.items():
                post.span.set_attribute(name, value)
        except Exception:
            self._on_fault()
            error = None
        self.end(post, error, at)

    def copying(self, topic: str, above: TraceContext, known: Attributes) -> OpenSpan | None:
        """A copy is about to be written to this topic."""
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            **known,
        }
        return self._start(f"send {topic}", SpanKind.PRODUCER, above, attributes)

    def end(self, opened: OpenSpan, error: object = None, at: int | None = None) -> None:
        """It is over; `error` is a bounded name of what went wrong."""
        try:
            if error is not None:
                opened.span.set_attribute("error.type", str(error))
                opened.span.set_status(StatusCode.ERROR)
            opened.span.end(at)
        except Exception:
            self._on_fault()

    def _start(
        self,
        name: str,
        kind: SpanKind,
        above: TraceContext | None,
        attributes: Attributes,
        earlier: str | None = None,
        at: int | None = None,
    ) -> OpenSpan | None:
        try:
            context = Context()
            if above is not None:
                context = set_span_in_context(NonRecordingSpan(_context(above)), context)
            links = [] if earlier is None else [Link(_context(TraceContext(earlier)))]
            span = self._tracer.start_span(name, context, kind, attributes, links, at)
            ids = span.get_span_context()
            state = ids.trace_state.to_header() or None
        except Exception:
            self._on_fault()
            return None
        if not span.is_recording() or not ids.trace_flags.sampled:
            return None
        parent = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"
        return OpenSpan(span, TraceContext(parent, state))


def _context(trace: TraceContext) -> SpanContext:
    ids = span_ids(trace.parent)
    flags = TraceFlags(TraceFlags.SAMPLED if ids.sampled else TraceFlags.DEFAULT)
    state = None if trace.state is None else TraceState.from_header([trace.state])
    return SpanContext(
        int(ids.trace_id, 16), int(ids.span_id, 16), is_remote=True, trace_flags=flags, trace_state=state
    )
