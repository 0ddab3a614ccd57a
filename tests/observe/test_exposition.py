"""The page that Prometheus reads says what the library's own would."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.observe.exposition import lines
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
