"""Traces of a real process: from a producer's span over real Kafka to a collector's socket and a real Prometheus."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.core.record import Headers
from connector.edge.clock import SystemClock
from tests.dashboards.prometheus import Prometheus
from tests.support.blocking_http import blocking_server
from tests.support.deadline import eventually
from tests.support.jars import UnavailableError
from tests.support.otlp import Collector
from tests.whole.stage import ListeningVendor, Stage, event, number, single_object

PATIENCE = 60.0
TRACES = ["4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c", "7bf92f3577b34da6a3ce929d0e0e4737"]
REDRIVEN = "8bf92f3577b34da6a3ce929d0e0e4738"
SPAN = "00f067aa0ba902b7"


def produced_in(trace: str, flags: str) -> Headers:
    return (("traceparent", f"00-{trace}-{SPAN}-{flags}".encode()),)


async def test_a_collector_sees_each_way_that_its_producer_sampled_and_prometheus_names_it(
    stage: Stage, tmp_path: Path
) -> None:
    """One record is accepted, one a second later from the retry topic, one is not sampled, and one is redriven."""
    stage.create_topics()
    stage.scenario(
        rules=[
            {
                "when": {"first": 1, "phone_numbers": [number(n)]},
                "do": {"kind": "reject", "cause": cause, "echo": True},
            }
            for n, cause in ((1, "temporary"), (3, "permanent"))
        ]
    )
    collector, began = Collector(), SystemClock().now_ms() / 1000
    with blocking_server(collector) as url:
        connector = stage.connector(tracing={"enabled": True})
        await connector.spawn("env", f"OTEL_EXPORTER_OTLP_ENDPOINT={url}", "OTEL_BSP_SCHEDULE_DELAY=200")
        await connector.joins()
        for n, (trace, flags) in enumerate(zip((*TRACES, REDRIVEN), ("01", "01", "00", "01"), strict=True)):
            stage.produce([single_object(event(f"e-{n}", n))], produced_in(trace, flags))
        await connector.until(accepted=3, retried=1, dead_lettered=1)
        assert (await connector.cli("dlq", "redrive", "--yes", "--include", "vendor_permanent"))[0] == 0
        await connector.until(accepted=4)
        await eventually(lambda: len(collector.spans) >= 12, PATIENCE, "the collector has all spans")
        await connector.shows(spans_total=12)
        shown = await _exemplars(tmp_path, connector.url("").removeprefix("http://").rstrip("/"), began)
        assert await connector.stop() == 0
    spans = {span.span_id.hex(): span for span in collector.spans}
    of = [[span for span in spans.values() if span.trace_id.hex() == trace] for trace in (*TRACES, REDRIVEN)]
    main, retry, dead = stage.main, stage.retry, stage.dead_letter
    assert [sorted(span.name for span in each) for each in of] == [
        ["POST", f"process {main}"],
        ["POST", "POST", f"process {main}", f"process {retry}", f"send {retry}"],
        [],
        ["POST", "POST", f"process {main}", f"process {main}", f"send {dead}"],
    ]
    (copy,) = [span for span in of[1] if span.name == f"send {retry}"]
    (again,) = [span for span in of[1] if span.name == f"process {retry}"]
    assert [link.span_id for link in again.links] == [copy.span_id]
    (letter,) = [span for span in of[3] if span.name == f"send {dead}"]
    processed = [[link.span_id for link in span.links] for span in of[3] if span.name == f"process {main}"]
    assert sorted(processed) == [[], [letter.span_id]]
    assert {span.parent_span_id.hex() for span in spans.values() if span.name.startswith("process")} == {SPAN}
    posts = {key for key, span in spans.items() if span.name == "POST"}
    assert _shown_to(stage) == posts | {SPAN}
    assert shown <= posts
    assert shown
    assert {line["trace_id"] for line in connector.lines("accepted")} == {*TRACES, REDRIVEN}
    assert not [n for n in range(4) for body in collector.bodies if number(n).encode() in body]


def _shown_to(stage: Stage) -> set[str]:
    """The span ids that the vendor was shown."""
    vendor = stage.simulator.vendor
    assert isinstance(vendor, ListeningVendor)
    return {shown.split("-")[2] for shown in vendor.traceparents if shown is not None}


async def _exemplars(folder: Path, target: str, began: float) -> set[str]:
    """The span ids beside the latencies, as a Prometheus stored them that scraped this process."""
    try:
        prometheus = Prometheus(folder / "prometheus", {target: "pod"})
    except UnavailableError as why:
        pytest.skip(str(why))
    try:
        await prometheus.start()
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await prometheus.exemplars("invoke_connector_post_seconds_bucket", began, began + 3600)
                if found:
                    return {labels["span_id"] for labels in found}
                await asyncio.sleep(0.1)
    finally:
        await prometheus.stop()
