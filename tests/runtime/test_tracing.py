"""What the spans of a process are, on the real engine: between which, with what in them, and what never is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, SamplingResult, StaticSampler
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.trace import SpanKind
from typing_extensions import override

from connector.config import load
from connector.core.envelope import TRACEPARENT, split
from connector.core.letters.letter import letter_of, redriven_headers
from connector.core.record import Headers, Partition, Record
from connector.core.reply import Answer, Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.core.trace import TraceContext
from connector.edge.otel.spans import Spans
from connector.observe.exposition import OPEN_METRICS
from connector.runtime.traced import Decodes, Traced
from connector.runtime.tracing import tracing
from connector.runtime.untraced import Untraced
from tests.engine.stage import (
    ACCEPTED,
    DEAD,
    MAIN,
    PERMANENT,
    RETRY,
    TEMPORARY,
    Connector,
    Script,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
    values,
)
from tests.support.clock import START_MS, VirtualClock, run_virtual
from tests.support.memory import MemoryBroker

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = (("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01".encode()),)
NOT_SAMPLED = (("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-00".encode()),)

Attributes = dict[str, Any]


class Vendor(ScriptedVendor):
    """Knows which trace context each post showed."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.shown: list[TraceContext | None] = []

    @override
    async def invoke(self, request: InvokeRequest, trace: TraceContext | None = None) -> Answer:
        self.shown.append(trace)
        return await super().invoke(request, trace)


class Span(NamedTuple):
    """A span as its exporter gets it."""

    name: str
    id: str
    parent: str | None
    trace_id: str
    kind: SpanKind
    attributes: Attributes
    links: list[str]
    ok: bool


class Scene:
    """A connector that traces, between a broker in memory and a vendor."""

    def __init__(self, clock: VirtualClock, script: Script, sampler: Sampler | None = None) -> None:
        self.kafka: MemoryBroker = broker(clock)
        self.vendor = Vendor(script)
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler or ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.faults: list[None] = []
        spans = Spans(
            provider.get_tracer("test"),
            "https://api.test:8443/base/",
            "group",
            lambda: self.faults.append(None),
            parent_decides=not isinstance(sampler, StaticSampler),
        )

        async def close() -> None:
            pass

        self.connector = Connector(self.kafka, self.vendor, clock, tracing=Traced(spans, 1000, close))

    @property
    def spans(self) -> list[Span]:
        """In the order in which they ended."""
        return [_span(span) for span in self._exporter.get_finished_spans()]

    def named(self, name: str) -> list[Span]:
        """Those of one name."""
        return [span for span in self.spans if span.name == name]

    def exemplars(self) -> list[str]:
        """The span ids on the page of metrics."""
        return re.findall(r'span_id="(\w+)"', self.connector.metrics.page(OPEN_METRICS).decode())


def _span(span: ReadableSpan) -> Span:
    context = span.context
    assert context is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    links = [f"{link.context.span_id:016x}" for link in span.links]
    assert span.status.description is None
    return Span(
        span.name,
        f"{context.span_id:016x}",
        parent,
        f"{context.trace_id:032x}",
        span.kind,
        dict(span.attributes or {}),
        links,
        span.status.is_unset,
    )


def at_the_second_post(_number: str, before: int) -> Answer:
    """Accepted then, and "later" before."""
    return ACCEPTED if before else TEMPORARY


def play(
    script: Script | Answer, *records: tuple[bytes | None, Headers], seconds: float = 5, sampler: Sampler | None = None
) -> Scene:
    """Feed these records, let the time go by, and leave."""

    async def scene(clock: VirtualClock) -> Scene:
        made = Scene(clock, script if callable(script) else always(script), sampler)
        for value, headers in records:
            feed(made.kafka, value, headers=headers)
        async with running(made.connector):
            await asyncio.sleep(seconds)
        assert made.connector.books_balance()
        return made

    return run_virtual(scene)()


def test_a_record_is_decoded_and_posted_under_its_producers_span() -> None:
    scene = play(ACCEPTED, (event(1), SAMPLED))
    process, post = scene.spans
    assert (process.name, process.parent, process.trace_id) == (f"process {MAIN}", SPAN_ID, TRACE_ID)
    assert (post.name, post.parent, post.trace_id) == ("POST", process.id, TRACE_ID)
    assert (process.kind, post.kind) == (SpanKind.CONSUMER, SpanKind.CLIENT)
    assert process.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "group",
        "messaging.destination.name": MAIN,
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 0,
        "invoke.event_id": "e-1-",
    }
    assert post.attributes == {
        "http.request.method": "POST",
        "network.protocol.version": "1.1",
        "server.address": "api.test",
        "server.port": 8443,
        "url.full": "https://api.test:8443/base/service/v1/invokeService/0A1B",
        "http.response.status_code": 202,
        "http.response.header.x-request-id": ("REQ-1",),
        "invoke.event_id": "e-1-",
        "invoke.outcome": "accepted",
    }
    assert process.ok
    assert post.ok


def test_the_vendor_is_shown_the_posts_own_span_and_the_log_its_trace() -> None:
    scene = play(ACCEPTED, (event(1), SAMPLED))
    assert scene.vendor.shown == [TraceContext(f"00-{TRACE_ID}-{scene.named('POST')[0].id}-01")]
    (line,) = [line for line in scene.connector.log if line["event"] == "accepted"]
    assert line["trace_id"] == TRACE_ID


def test_tracestate_goes_on_with_the_posts_own_span_and_with_the_producers() -> None:
    """And into the spans, as OpenTelemetry has it; a sampler may change it."""
    state = (("tracestate", b"rojo=1, congo=t61"),)
    scene = play(ACCEPTED, (event(1), (*SAMPLED, *state)), (event(2), (*NOT_SAMPLED, *state)))
    shown = [trace.state for trace in scene.vendor.shown if trace is not None]
    assert shown == ["rojo=1,congo=t61"] * 2


def test_a_record_without_a_traceparent_begins_a_trace_and_its_line_names_it() -> None:
    scene = play(ACCEPTED, (event(1), ()))
    process, post = scene.spans
    assert (process.parent, post.parent) == (None, process.id)
    (line,) = [line for line in scene.connector.log if line["event"] == "accepted"]
    assert line["trace_id"] == process.trace_id == post.trace_id


def test_what_its_producer_did_not_sample_has_no_span_and_is_posted_as_without_tracing() -> None:
    scene = play(at_the_second_post, (event(1), NOT_SAMPLED), seconds=1200)
    assert scene.spans == []
    assert scene.exemplars() == []
    assert scene.vendor.shown == [TraceContext(NOT_SAMPLED[0][1].decode())] * 2
    assert TRACEPARENT not in split(values(scene.kafka, RETRY)[0].headers)[0]


def test_a_retry_is_in_the_producers_trace_and_links_to_the_copy_it_was_read_from() -> None:
    scene = play(at_the_second_post, (event(1), SAMPLED), seconds=1200)
    first, again = scene.named(f"process {MAIN}")[0], scene.named(f"process {RETRY}")[0]
    (copy,) = scene.named(f"send {RETRY}")
    assert (copy.parent, copy.kind, copy.ok) == (first.id, SpanKind.PRODUCER, True)
    assert copy.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": RETRY,
        "invoke.event_id": "e-1-",
        "invoke.class": "vendor_temporary",
    }
    assert (again.parent, again.trace_id, again.links) == (SPAN_ID, TRACE_ID, [copy.id])
    assert first.links == []
    failed, accepted = scene.named("POST")
    assert (failed.attributes["error.type"], failed.ok) == ("500", False)
    assert (accepted.parent, accepted.ok) == (again.id, True)


def test_a_copy_has_the_original_headers_and_one_more_of_ours() -> None:
    scene = play(TEMPORARY, (event(1), SAMPLED))
    (written,) = values(scene.kafka, RETRY)
    ours, theirs = split(written.headers)
    assert theirs == SAMPLED
    assert ours[TRACEPARENT] == f"00-{TRACE_ID}-{scene.named(f'send {RETRY}')[0].id}-01".encode()
    assert list(ours)[-1] == "invoke.header-count"


def test_a_redriven_record_links_to_the_span_that_wrote_its_letter() -> None:
    scene = play(PERMANENT, (event(1), SAMPLED))
    (letter,) = map(letter_of, values(scene.kafka, DEAD))
    again = play(ACCEPTED, (letter.record.value, redriven_headers(letter.original, letter.traceparent)))
    process = again.named(f"process {MAIN}")[0]
    assert (process.parent, process.links) == (SPAN_ID, [scene.named(f"send {DEAD}")[0].id])


def test_a_record_that_is_no_event_has_its_class_on_its_span_and_on_its_letters() -> None:
    scene = play(ACCEPTED, (b"no event", SAMPLED))
    process, send = scene.spans
    assert (process.parent, process.trace_id) == (SPAN_ID, TRACE_ID)
    assert (process.attributes["error.type"], process.ok) == ("undecodable", False)
    assert not play(ACCEPTED, (b"no event", NOT_SAMPLED)).spans
    assert (send.name, send.parent, send.attributes["invoke.class"]) == (f"send {DEAD}", process.id, "undecodable")
    assert scene.vendor.posted == []


def test_a_post_without_an_answer_says_what_came_in_its_place() -> None:
    def script(_number: str, before: int) -> Answer:
        return ACCEPTED if before else NoReply(Failure.CONNECT, sent=False)

    scene = play(script, (event(1), SAMPLED), seconds=60)
    failed, accepted = scene.named("POST")
    assert (failed.attributes["error.type"], failed.ok) == ("connect", False)
    assert "http.response.status_code" not in failed.attributes
    assert accepted.attributes["http.request.resend_count"] == 1
    assert accepted.parent == failed.parent == scene.named(f"process {MAIN}")[0].id


def test_a_post_that_is_given_up_has_its_span() -> None:
    """Of all spans it is the one to look for: it may have been delivered."""
    scene = play(lambda _number, _before: None, (event(1), SAMPLED))
    (post,) = scene.named("POST")
    assert (post.attributes["error.type"], post.ok) == ("abandoned", False)


def test_the_latency_of_a_post_names_its_span() -> None:
    scene = play(ACCEPTED, (event(1, createdAt=START_MS), SAMPLED), (event(2), NOT_SAMPLED))
    (post,) = scene.named("POST")
    scene.connector.metrics.histogram("post_seconds").observe(50.0)  # of nobody's span
    assert scene.exemplars() == [post.id, post.id]  # of post_seconds and end_to_end_seconds


def test_a_sampler_that_asks_no_parent_keeps_what_the_producer_did_not() -> None:
    """`OTEL_TRACES_SAMPLER=always_on`; what the vendor is shown says so."""
    scene = play(ACCEPTED, (event(1), NOT_SAMPLED), sampler=ALWAYS_ON)
    process, post = scene.spans
    assert (process.parent, post.parent) == (SPAN_ID, process.id)
    assert scene.vendor.shown == [TraceContext(f"00-{TRACE_ID}-{post.id}-01")]


def test_a_sampler_that_keeps_nothing_leaves_all_as_it_is() -> None:
    sampler = ParentBased(ALWAYS_OFF, remote_parent_sampled=ALWAYS_OFF)
    scene = play(ACCEPTED, (event(1), SAMPLED), (event(2), ()), sampler=sampler)
    assert scene.spans == []
    assert scene.vendor.shown == [TraceContext(SAMPLED[0][1].decode()), None]


class Broken(Sampler):
    """A plug-in that fails."""

    @override
    def should_sample(self, *arguments: object, **more: object) -> SamplingResult:
        raise RuntimeError("a bug")

    @override
    def get_description(self) -> str:
        return "broken"


def test_a_fault_of_the_tracing_costs_spans_and_no_record() -> None:
    scene = play(at_the_second_post, (event(1), SAMPLED), seconds=1200, sampler=Broken())
    assert scene.spans == []
    assert scene.faults
    assert scene.connector.count("records_accepted") == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.booleans())
def test_no_span_carries_a_phone_number_or_a_value(marks: list[int], fails: bool) -> None:
    """Wherever in an event it is, also where it does not belong; and an answer that echoes it."""
    numbers = {n: number(n) for n in marks}
    texts = [
        (event(n, f"{numbers[n]}-{place}", **fields), SAMPLED)
        for place, n in enumerate(marks)
        for fields in (
            {"eventId": f"{numbers[n]}-{place}"},
            {"serviceId": numbers[n], "eventId": f"a-{place}"},
            {"mobileOperatorId": int(numbers[n]), "eventId": f"b-{place}"},
            {"phoneNumber": f"+{numbers[n]} x", "eventId": f"c-{place}"},
        )
    ]
    status = 400 if fails else 202
    scene = play(lambda number, _before: Reply(status, f"req-{number}", number.encode()), *texts, seconds=30)
    said = " ".join(_texts(scene.spans))
    assert scene.spans
    assert not [each for each in numbers.values() if each in said]


def _texts(spans: Iterable[Span]) -> Iterable[str]:
    for span in spans:
        yield span.name
        yield from (f"{name}={value}" for name, value in span.attributes.items())


def test_the_names_of_attributes_are_those_of_the_conventions_and_none_is_deprecated() -> None:
    stable = (error_attributes, http_attributes, network_attributes, server_attributes, url_attributes)
    known = {
        value for module in (*stable, messaging_attributes) for value in vars(module).values() if isinstance(value, str)
    }
    deprecated = {"messaging.kafka.consumer.group", "messaging.kafka.message.offset", "messaging.operation"}
    scene = play(at_the_second_post, (event(1), SAMPLED), (None, SAMPLED), seconds=1200)
    used = {name for span in scene.spans for name in span.attributes if not name.startswith("invoke.")}
    assert "messaging.kafka.message.tombstone" in used
    assert used - {"http.response.header.x-request-id"} <= known - deprecated


def test_what_comes_to_nothing_is_forgotten() -> None:
    decodes = Decodes(2)
    records = [Record(Partition(MAIN, 0), offset, None, None, b"") for offset in range(4)]
    for record in records:
        decodes.note(record, 1, 2)
    assert len(decodes) == 2
    assert [decodes.take(record.partition, record.offset) for record in records] == [None, None, (1, 2), (1, 2)]
    assert decodes.take(records[3].partition, records[3].offset) is None


@pytest.mark.parametrize("headers", [(), SAMPLED, NOT_SAMPLED])
def test_tracing_changes_nothing_of_what_becomes_of_a_record(headers: Headers) -> None:
    scene = play(PERMANENT, (event(1), headers))
    (letter,) = values(scene.kafka, DEAD)
    assert (letter.value, split(letter.headers)[1]) == (event(1), headers)


def test_a_shadow_makes_no_spans(config_file: Callable[..., Path]) -> None:
    """In the producer's trace they would tell of posts that nobody made."""
    shadow = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "a.shadow"}}
    settings = load(config_file(tracing={"enabled": True}, **shadow), {})

    def events() -> NoReturn:
        raise AssertionError("nothing to tell")

    assert type(tracing(settings, events, lambda _: None)) is Untraced
