"""How spans leave: OTLP over HTTP, in batches, on the SDK's own thread; counted, and never waited for.

Everything about the way is told by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_…`, `OTEL_BSP_…`,
`OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`), which the SDK reads.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import Tracer
from opentelemetry.util.re import parse_env_headers
from typing_extensions import override

from connector import __version__
from connector.deadline import in_time
from connector.edge.daemon import in_daemon_thread

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
"""The semantic conventions that the names of spans and attributes follow."""

EXPORTED, FAILED, QUEUE_FULL, FAULT = "exported", "failed", "queue_full", "fault"

Report = Callable[[str, int, str | None], None]
"""Told, on any thread, what became of this many spans, and why they failed in the library's words."""

_GOODBYE = 3.0
"""Seconds for what waits when the process stops."""

_MOST_WAITING = 2048
"""Spans, as the SDK has it."""

_LIBRARY = "opentelemetry.exporter"

_PAIR = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=\s*[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\x20]*").fullmatch
"""A header as the library takes it, loosely: of a value any ASCII but quotes, commas, semicolons and backslashes."""

_AUTHENTICATES = re.compile(r"auth|key|token|secret|team|passw|cookie|credential|bearer|signature", re.I).search
"""Headers whose values are credentials: others, such as a dataset's name, would mask the same word in every line."""


class Exports:
    """A tracer, and what becomes of its spans. Off and on are decided elsewhere; `OTEL_SDK_DISABLED` is obeyed."""

    def __init__(self, report: Report, exporter: SpanExporter | None = None) -> None:
        """`exporter` in place of OTLP's. Raises ValueError for a variable that the SDK cannot use."""
        self._words = _LastWords()
        self._counted = _Counted(exporter or _otlp(), report, self._words)
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(_Bounded(self._counted))
        self._words.take()
        self.parent_decides = isinstance(self._provider.sampler, ParentBased)
        self.tracer: Tracer = self._provider.get_tracer("invoke-connector", __version__, schema_url=SCHEMA_URL)

    async def close(self, seconds: float = _GOODBYE) -> None:
        """Export what waits, and end the thread; bounded, whatever the collector does."""
        try:
            await in_time(in_daemon_thread(self._provider.shutdown), seconds)
        except TimeoutError:
            pass  # what still waits is given up with the process
        self._words.give_back()


def secrets(environ: Mapping[str, str]) -> list[str]:
    """The values of the headers that authenticate us to the collector: no log line may show them.

    Raises ValueError, which names the variable and shows no value, for one that the library would drop a header of: it
    would print it instead.
    """
    found = []
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        given = environ.get(name, "")
        pairs = [pair.strip() for pair in given.split(",") if pair.strip()]
        if not all(map(_PAIR, pairs)):
            raise ValueError(f"{name} must be name=value,name=value: no quotes, and what is no letter or digit as %20")
        for header, value in parse_env_headers(given, liberal=True).items():
            if _AUTHENTICATES(header):
                found += [value, *value.split()[1:]]
    return found


def _otlp() -> OTLPSpanExporter:
    session = requests.Session()
    session.trust_env = False  # a proxy or a .netrc of the environment, which nothing else of the connector uses
    return OTLPSpanExporter(session=session)


def _resource() -> Resource:
    """Who we are, where the environment does not say otherwise."""
    ours = {
        "service.name": "invoke-connector",
        "service.version": __version__,
        "service.instance.id": str(uuid4()),
    }
    return Resource(ours).merge(_told())


def _told() -> Resource:
    """What the environment says. The SDK names a service that nobody named: that is no word of the environment's."""
    resource = Resource.create()
    attributes: Mapping[str, object] = resource.attributes
    said = {name: value for name, value in attributes.items() if not str(value).startswith("unknown_service")}
    return Resource(said, resource.schema_url)  # type: ignore[arg-type]  # they were a resource's attributes before


class _Counted(SpanExporter):
    """Reports what became of each batch. An exception of the exporter's ends here."""

    def __init__(self, exporter: SpanExporter, report: Report, words: _LastWords) -> None:
        self._exporter = exporter
        self._report = report
        self._words = words
        self.begun = 0

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun += len(spans)
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            result, self._words.text = SpanExportResult.FAILURE, type(error).__name__
        if result is SpanExportResult.SUCCESS:
            self._report(EXPORTED, len(spans), None)
        else:
            self._report(FAILED, len(spans), self._words.text)
        return result

    def left_out(self) -> None:
        """Too many wait: one more is not kept."""
        self._report(QUEUE_FULL, 1, None)

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Bounded(SpanProcessor):
    """The SDK's batches. A span that comes when the queue is full is counted: the SDK would drop the oldest and say so
    in a line for each."""

    def __init__(self, exporter: _Counted) -> None:
        self._most = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or _MOST_WAITING)
        self._batches = BatchSpanProcessor(exporter, self._most)
        self._exporter = exporter
        self._ended = 0

    @override
    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._ended - self._exporter.begun >= self._most:
            self._exporter.left_out()
            return
        self._ended += 1
        self._batches.on_end(span)

    @override
    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK does not say its type


class _LastWords(logging.Handler):
    """Keeps what the exporter said last in place of a line for each try: while a collector is down that is one every
    other second."""

    def __init__(self) -> None:
        super().__init__()
        self.text: str | None = None
        self._logger = logging.getLogger(_LIBRARY)

    def take(self) -> None:
        """The library's lines come here from now on."""
        self._logger.addHandler(self)
        self._logger.propagate = False

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()

    def give_back(self) -> None:
        """The library's lines go where they went before."""
        self._logger.removeHandler(self)
        self._logger.propagate = True
