"""The metrics' table and what Prometheus sees of it."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.observe.definition import PREFIX, SHADOWS_PREFIX, Definition, Kind
from connector.observe.histogram import Histogram
from connector.observe.metrics import Metrics
from connector.observe.table import TABLE


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a scrape shows, by name and label values, in the order of the labels' names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_every_name_of_the_table_is_exported_and_nothing_else_under_the_prefix() -> None:
    exported = {f"{PREFIX}{row.name}" for row in TABLE}
    families = text_string_to_metric_families(generate_latest(Metrics().registry).decode())
    assert {family.name for family in families if family.name.startswith(PREFIX)} == exported


def test_every_series_whose_labels_are_known_starts_at_0() -> None:
    seen = samples(Metrics(["expired"], ["accepted"]).registry)
    assert seen.pop(("invoke_connector_build_info", tuple(_build())), None) == 1
    assert {value for (name, _), value in seen.items() if name.startswith(PREFIX)} == {0}
    assert (f"{PREFIX}records_dead_lettered_total", ("expired",)) in seen
    assert (f"{PREFIX}answers_total", ("accepted",)) in seen
    assert (f"{PREFIX}hold", ("deployment",)) in seen
    assert (f"{PREFIX}in_flight", ()) in seen


def _build() -> list[str]:
    (labels,) = [values for name, values in samples(Metrics().registry) if name == "invoke_connector_build_info"]
    return list(labels)


def test_a_code_that_is_not_in_the_tables_in_force_is_counted_as_other() -> None:
    metrics = Metrics(["expired"])
    for code in ("expired", "made_up", "12515550123"):
        metrics.counter("records_dead_lettered").at(code).value += 1
    seen = samples(metrics.registry)
    dead = {labels: value for (name, labels), value in seen.items() if "dead_lettered" in name}
    assert dead == {("expired",): 1, ("other",): 2}


def test_a_series_is_the_same_object_each_time() -> None:
    counter = Metrics(["expired"]).counter("records_dead_lettered")
    assert counter.at("expired") is counter.at("expired")
    assert counter.at("a") is counter.at("b") is counter.at("other")


def test_two_sets_of_metrics_live_side_by_side() -> None:
    one, other = Metrics(), Metrics()
    one.counter("records_taken").at().value += 1
    assert samples(other.registry)[f"{PREFIX}records_taken_total", ()] == 0


def test_a_shadows_metrics_have_names_of_their_own() -> None:
    """Both pages agree, and no rule or dashboard that asks for deliveries counts what was never posted."""
    metrics = Metrics(prefix=SHADOWS_PREFIX)
    metrics.counter("records_accepted").at().value += 1
    named = set(samples(metrics.registry)) - set(samples(CollectorRegistry()))
    ours = {name for name, _ in named if name.startswith(PREFIX)}
    assert {name for name in ours if not name.startswith(SHADOWS_PREFIX)} == set()
    written = {
        each.name for family in text_string_to_metric_families(metrics.page().decode()) for each in family.samples
    }
    assert {name for name in written if name.startswith(PREFIX)} == ours
    assert samples(metrics.registry)[f"{SHADOWS_PREFIX}records_accepted_total", ()] == 1
    assert not any(row.named(SHADOWS_PREFIX) == other.exported_name for row in TABLE for other in TABLE)


def test_a_gauge_is_read_at_each_scrape() -> None:
    metrics, now = Metrics(), [3.0]
    metrics.provide("in_flight", lambda: now[0])
    assert samples(metrics.registry)[f"{PREFIX}in_flight", ()] == 3
    now[0] = 4
    assert samples(metrics.registry)[f"{PREFIX}in_flight", ()] == 4


def test_a_gauge_by_labels_shows_the_partitions_of_now_only() -> None:
    metrics = Metrics()
    metrics.provide("lag", lambda: {("invocations", "3"): 17.0})
    lags = {key: value for key, value in samples(metrics.registry).items() if key[0] == f"{PREFIX}lag"}
    assert lags == {(f"{PREFIX}lag", ("3", "invocations")): 17}


@pytest.mark.parametrize("name", ["records_taken", "post_seconds", "no_such_metric"])
def test_only_a_gauge_of_the_table_can_be_provided(name: str) -> None:
    with pytest.raises(KeyError):
        Metrics().provide(name, lambda: 0.0)


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_a_bucket_counts_the_observations_at_or_below_its_edge(seconds: list[float]) -> None:
    histogram = Histogram(next(row for row in TABLE if row.name == "post_seconds"))
    for value in seconds:
        histogram.observe(value)
    in_order = sorted(seconds)
    for edge, count in histogram.cumulative()[:-1]:
        assert count == bisect_left(in_order, float(edge)) + in_order.count(float(edge))
    assert histogram.cumulative()[-1] == ("+Inf", len(seconds))
    assert histogram.total == pytest.approx(sum(seconds))


def test_a_clock_that_went_back_counts_as_0() -> None:
    histogram = Histogram(next(row for row in TABLE if row.name == "post_seconds"))
    histogram.observe(-5.0)
    assert (histogram.counts[0], histogram.total) == (1, 0)


@pytest.mark.parametrize("definition", TABLE, ids=lambda row: str(row.name))
def test_the_table_follows_the_conventions_of_prometheus(definition: Definition) -> None:
    assert not definition.name.endswith("_total")
    assert definition.help.endswith(".")
    assert (definition.kind is Kind.HISTOGRAM) == bool(definition.edges)
    assert list(definition.edges) == sorted(set(definition.edges))
    assert all(label.values or label.bound for label in definition.labels)


def test_the_edges_of_the_promises_are_buckets() -> None:
    edges = {row.name: row.edges for row in TABLE}
    assert 30.0 in edges["post_seconds"]  # the default total time-out
    assert {900.0, 86400.0, 172800.0} <= set(edges["end_to_end_seconds"])  # retry delay, window, event age
