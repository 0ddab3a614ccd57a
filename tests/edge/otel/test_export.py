"""How spans leave, over real sockets: counted, bounded, and never in the way."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path
from threading import Event

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from typing_extensions import override

from connector import __version__
from connector.edge.otel.export import SCHEMA_URL, Exports, secrets
from tests.support.blocking_http import blocking_server
from tests.support.otlp import Collector


class Told:
    """What was reported, by result, and why."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: list[str | None] = []

    def __call__(self, result: str, count: int, reason: str | None) -> None:
        self.counts[result] += count
        self.reasons.append(reason)


@pytest.fixture(autouse=True)
def _no_variables_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "HEADERS", "TRACES_ENDPOINT", "TRACES_HEADERS", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the library logged; clients of other tests may still have something to say."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")]


def make_spans(exports: Exports, count: int) -> None:
    for number in range(count):
        exports.tracer.start_span(f"span {number}").end()


async def test_spans_reach_a_collector_with_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, the headers, the compression and the attributes of the process are OpenTelemetry's own variables."""
    told, collector = Told(), Collector()
    with blocking_server(collector) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.instance.id=pod-1")
        exports = Exports(told)
        make_spans(exports, 3)
        await exports.close()
    (request,) = collector.requests
    resource = {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}
    assert {
        "service.name": "invoke-connector",
        "service.version": __version__,
        "service.instance.id": "pod-1",
        "deployment.environment.name": "test",
    }.items() <= resource.items()
    (scope,) = request.resource_spans[0].scope_spans
    assert scope.schema_url == SCHEMA_URL
    assert [span.name for span in scope.spans] == ["span 0", "span 1", "span 2"]
    assert collector.heads[0].startswith("POST /v1/traces HTTP/1.1\r\n")
    assert "api-key: s3cret" in collector.heads[0]
    assert told.counts == {"exported": 3}


async def test_the_name_of_the_service_is_the_environments_where_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    with blocking_server(collector) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "gate-changes")
        exports = Exports(Told())
        make_spans(exports, 1)
        await exports.close()
    names = {each.key: each.value.string_value for each in collector.requests[0].resource_spans[0].resource.attributes}
    assert names["service.name"] == "gate-changes"


async def test_what_a_collector_refuses_is_counted_with_the_reason_and_without_a_line_of_the_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    with blocking_server(Collector(b"401 Unauthorized")) as url, caplog.at_level(logging.WARNING):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        exports = Exports(told)
        make_spans(exports, 2)
        await exports.close()
    assert told.counts == {"failed": 2}
    assert "401" in (told.reasons[-1] or "")
    assert _lines(caplog) == []


class Stuck(SpanExporter):
    """A collector that takes and never answers."""

    def __init__(self) -> None:
        self.asked, self.goes_on = Event(), Event()

    @override
    def export(self, spans: object) -> SpanExportResult:
        self.asked.set()
        self.goes_on.wait()
        return SpanExportResult.SUCCESS

    @override
    def shutdown(self) -> None:
        pass


async def test_spans_that_find_the_queue_full_are_counted_and_the_queue_keeps_its_bound(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    told, collector = Told(), Stuck()
    exports = Exports(told, collector)
    make_spans(exports, 4)
    await asyncio.to_thread(collector.asked.wait)  # the first four are on their way, which nobody answers
    make_spans(exports, 20)
    assert told.counts == {"queue_full": 12}
    collector.goes_on.set()
    await exports.close()
    assert told.counts == {"exported": 12, "queue_full": 12}
    assert _lines(caplog) == []


async def test_a_stop_waits_a_bounded_time_for_a_collector_that_does_not_answer() -> None:
    collector = Stuck()
    exports = Exports(Told(), collector)
    make_spans(exports, 1)
    await exports.close(0.05)
    assert collector.asked.wait(10)
    collector.goes_on.set()


class Faulty(SpanExporter):
    """An exporter with a bug."""

    @override
    def export(self, spans: object) -> SpanExportResult:
        raise RuntimeError("of 12015550001")

    @override
    def shutdown(self) -> None:
        pass


async def test_an_exporter_that_raises_is_counted_by_the_exceptions_name() -> None:
    told = Told()
    exports = Exports(told, Faulty())
    make_spans(exports, 1)
    await exports.close()
    assert (told.counts, told.reasons) == ({"failed": 1}, ["RuntimeError"])


@pytest.mark.parametrize("size", ["many", "-1", "3"])
def test_a_queue_that_cannot_be_is_a_valueerror(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is smaller than a batch."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", size)
    with pytest.raises(ValueError):
        Exports(Told(), Faulty())
    assert logging.getLogger("opentelemetry.exporter").propagate  # whoever comes next hears its lines


def test_the_headers_that_authenticate_us_are_secrets() -> None:
    """Others are not: a dataset that is named like a topic would mask the topic in every line."""
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20c2VjcmV0, x-dataset=invocations,",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=s3cret",
    }
    assert secrets(environ) == ["Basic c2VjcmV0", "c2VjcmV0", "s3cret"]


@pytest.mark.parametrize(
    "given", ['api-key="s3cret"', "api-key=s3;cret", "api-key=s3\\cret", "api-key=s3crèt", "s3cret"]
)
def test_a_header_that_the_library_would_drop_and_print_is_refused(
    given: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_HEADERS must be name=value") as raised:
        secrets({"OTEL_EXPORTER_OTLP_HEADERS": f"x-scope=a,{given}"})
    assert "cr" not in str(raised.value)
    assert _lines(caplog) == []


async def test_proxies_and_netrc_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As nowhere else: a proxy would get what authenticates us to the collector."""
    told, collector = Told(), Collector()
    with blocking_server(collector) as url:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        exports = Exports(told)
        make_spans(exports, 1)
        await exports.close()
    assert told.counts == {"exported": 1}
    assert "Authorization" not in collector.heads[0]
