"""The page that Prometheus reads says what the library's own would."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as open_metrics_parser
from prometheus_client.parser import text_string_to_metric_families

from connector.observe.exposition import OPEN_METRICS, TEXT, Form, lines, negotiated
from connector.observe.histogram import Exemplars, TracedSpan
from connector.observe.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> tuple[list[tuple[str, str, str]], Samples]:
    families = list(text_string_to_metric_families(text.decode()))
    samples = {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}
    return [(each.name, each.type, each.documentation) for each in families], samples


def test_the_page_holds_every_family_and_sample_of_the_registry() -> None:
    metrics = Metrics(["expired"], ["accepted"], services=["0A1B"])
    metrics.provide("lag", lambda: {("invocations", "0"): 1e17, ("in.vo-cations", "11"): 0.1})
    metrics.histogram("post_seconds").observe(0.3)
    families, ours = parsed(metrics.page())
    library_families, library = parsed(generate_latest(metrics.registry))
    assert (families, ours.keys()) == (library_families, library.keys())
    assert {name: value for name, value in ours.items() if not name[0].startswith("process_")} == {
        name: value for name, value in library.items() if not name[0].startswith("process_")
    }


@pytest.mark.parametrize("value", [0.0, -1.5, 1e22, float("inf"), float("-inf"), 123456789.25])
@pytest.mark.parametrize("label", ["plain", 'a "b" \\ c\nd', "", "é"])
def test_any_label_and_number_is_written_as_the_library_writes_it(label: str, value: float) -> None:
    registry = CollectorRegistry()
    Gauge("one", "with a \\ and\na line", ["name"], registry=registry).labels(label).set(value)
    Counter("two", "more", registry=registry).inc(3)
    Histogram("three", "more", registry=registry).observe(2)
    (_, shown), (_, library) = parsed("\n".join([*lines(registry), ""]).encode()), parsed(generate_latest(registry))
    assert shown == library


SPAN = TracedSpan("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1_795_726_800.25)

PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
PROMETHEUS_2 += "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
PROMETHEUS_3 += "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
PROMETHEUS_3 += "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


def read_open_metrics(page: bytes) -> list[Metric]:
    """By the library's reader, which is strict."""
    read = open_metrics_parser.text_string_to_metric_families
    return list(read(page.decode()))  # type: ignore[no-untyped-call]  # the library's reader has no types


def a_page(form: Form) -> bytes:
    """With numbers, an exemplar, and a label that has to be escaped."""
    exemplars = Exemplars()
    metrics = Metrics(["expired"], ["accepted"], exemplars=exemplars)
    metrics.provide("lag", lambda: {('in"vo\\cations', "0"): 7.0})
    metrics.counter("records_taken").at().value += 3
    exemplars.span = SPAN
    metrics.histogram("post_seconds").observe(0.3)
    exemplars.span = None
    metrics.histogram("post_seconds").observe(40.0)
    return metrics.page(form)


def test_open_metrics_has_the_series_and_numbers_of_the_text_format_and_no_others() -> None:
    """So rules and dashboards find what they found, `le="30.0"` and `_total` included, and nothing named `_created`."""
    _, text = parsed(a_page(TEXT))
    families = read_open_metrics(a_page(OPEN_METRICS))
    open_metrics = {
        (one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples
    }
    assert {name: value for name, value in open_metrics.items() if not name[0].startswith("process_")} == {
        name: value for name, value in text.items() if not name[0].startswith("process_")
    }
    assert open_metrics.keys() == text.keys()
    assert not [name for name, _ in open_metrics if name.endswith("_created")]
    assert ("invoke_connector_post_seconds_bucket", (("le", "30.0"),)) in open_metrics


def test_a_bucket_names_the_last_span_whose_latency_it_counted() -> None:
    """That of 0.3 s; the 40 s were of a span that is not kept."""
    families = read_open_metrics(a_page(OPEN_METRICS))
    shown = {one.labels["le"]: one.exemplar for each in families for one in each.samples if one.exemplar}
    assert list(shown) == ["0.5"]
    assert shown["0.5"].labels == {"trace_id": SPAN.trace_id, "span_id": SPAN.span_id}
    assert (shown["0.5"].value, str(shown["0.5"].timestamp)) == (0.3, f"{SPAN.ended:.9f}")
    assert SPAN.trace_id.encode() not in a_page(TEXT)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS_2, OPEN_METRICS),
        (PROMETHEUS_3, OPEN_METRICS),
        ("application/openmetrics-text", OPEN_METRICS),
        ("text/plain, application/openmetrics-text; version=1.0.0", OPEN_METRICS),
        ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8", TEXT),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0", TEXT),
        ("application/openmetrics-text;version=no;q=much", TEXT),
        ("text/html,*/*", TEXT),
        (";;,=,;q", TEXT),
        ("", TEXT),
    ],
)
def test_who_asks_for_open_metrics_gets_it(accept: str, form: Form) -> None:
    assert negotiated(accept) is form
