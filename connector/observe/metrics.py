"""The metrics: one typed table, plain numbers on the hot path, handed to Prometheus only when it asks.

prometheus-client's own counters cost a lock and a label look-up per call; the road of one record moves about ten.
So a series here is an object with an int, and a collector turns all of them into families at scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from connector import __version__
from connector.observe import exposition
from connector.observe.definition import PREFIX, Definition, Kind
from connector.observe.histogram import Exemplars, Histogram, TracedHistogram
from connector.observe.labels import LEFT_BEHIND, OTHER
from connector.observe.table import TABLE

LabelValues = tuple[str, ...]
Reading = float | Mapping[LabelValues, float]
Provider = Callable[[], Reading]


class Series:
    """One number. Counters only ever rise: `series.value += n`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    @override
    def __repr__(self) -> str:
        return f"Series({self.value})"


class Counter:
    """All series of one counter, those of enumerated labels present from the start at 0."""

    def __init__(self, definition: Definition, allowed: Mapping[str, tuple[str, ...]]) -> None:
        self.definition = definition
        self._running: Callable[[], Mapping[LabelValues, float]] = dict
        self._allowed = [allowed.get(label.name, label.values) for label in definition.labels]
        known = [values for values in self._allowed if values is not None]
        enumerable = len(known) == len(self._allowed)
        self.series: dict[LabelValues, Series] = {values: Series() for values in product(*known)} if enumerable else {}

    def at(self, *values: str) -> Series:
        """The series of these label values; a value outside an enumerated label's list becomes `other`."""
        series = self.series.get(values)
        return self._admit(values) if series is None else series

    def follow(self, series: Series) -> None:
        """Show what somebody else counts. For a counter without labels."""
        self.series = {(): series}

    def run_on(self, read: Callable[[], Mapping[LabelValues, float]]) -> None:
        """Add what `read` says at each scrape: what is being counted and not over yet, such as a hold's seconds.

        Once it is over and added to its series the sum must be no smaller, or Prometheus takes it for a restart.
        """
        self._running = read

    def now(self) -> Iterator[tuple[LabelValues, float]]:
        """Each series with what it counts now."""
        running = self._running()
        # list(): another thread may add a series while a scrape walks them.
        for values, series in list(self.series.items()):
            yield values, series.value + running.get(values, 0.0)

    def _admit(self, values: LabelValues) -> Series:
        bounded = tuple(
            value if allowed is None or value in allowed else OTHER
            for value, allowed in zip(values, self._allowed, strict=True)
        )
        return self.series.setdefault(bounded, Series())


class Metrics(Collector):
    """Every metric of this process on a registry of its own: two of them can live in one process.

    The codes are what the tables in force can give (`schema_codes`: why a schema cannot be had), the `services` what
    the settings allow: their series start at 0, and any other is counted as `other`, so that no answer and no event
    can make labels grow. `exemplars`: latencies are observed while it names a span that is kept. `prefix` begins every
    name of ours.
    """

    def __init__(
        self,
        dead_letter_codes: Iterable[str] = (),
        answer_codes: Iterable[str] = (),
        schema_codes: Iterable[str] = (),
        services: Iterable[str] = (),
        exemplars: Exemplars | None = None,
        *,
        prefix: str = PREFIX,
    ) -> None:
        self._prefix = prefix
        allowed = {
            "records_dead_lettered": {"code": _with_other(dead_letter_codes)},
            "answers": {"code": _with_other(answer_codes)},
            "maybe_delivered": {"code": _with_other([*answer_codes, LEFT_BEHIND])},
            "schemas_unavailable": {"code": _with_other(schema_codes)},
            "service_answers": {"service": _with_other(services)},
        }
        self._counters = {
            row.name: Counter(row, allowed.get(row.name, {})) for row in TABLE if row.kind is Kind.COUNTER
        }
        self._histograms = {
            row.name: Histogram(row) if exemplars is None else TracedHistogram(row, exemplars)
            for row in TABLE
            if row.kind is Kind.HISTOGRAM
        }
        self._gauges = {row.name: row for row in TABLE if row.kind is Kind.GAUGE}
        self._providers: dict[str, Provider] = {}
        self._looks: list[Callable[[], None]] = []
        self._heads = {
            (form, row.name): form.head(prefix + row.name, row.kind, row.help)
            for form in (exposition.TEXT, exposition.OPEN_METRICS)
            for row in TABLE
        }
        self._starts: dict[str, dict[LabelValues, str]] = {row.name: {} for row in TABLE}
        self.provide("build_info", lambda: {(__version__, platform.python_version()): 1.0})
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._process = ProcessCollector(registry=self.registry)

    def counter(self, name: str) -> Counter:
        """The counter of this name in the table, without prefix and `_total`. Raises KeyError."""
        return self._counters[name]

    def histogram(self, name: str) -> Histogram:
        """The histogram of this name in the table, without prefix. Raises KeyError."""
        return self._histograms[name]

    def provide(self, name: str, read: Provider) -> None:
        """Let a gauge be read at scrape: one number, or numbers by label values in the table's order.

        An empty mapping for a gauge without labels: it has no series now.
        `read` is called on the thread of the scrape and must not wait. The last provider of a name counts.
        Raises KeyError for a name that is no gauge of the table.
        """
        self._providers[self._gauges[name].name] = read

    def look_first(self, look: Callable[[], None]) -> None:
        """Call this before the providers are read: what several of them need is looked at once."""
        self._looks.append(look)

    def page(self, form: exposition.Form = exposition.TEXT) -> bytes:
        """What Prometheus reads, of all that is registered, as of now."""
        self._look()
        lines: list[str] = []
        for row in TABLE:
            lines.append(self._heads[form, row.name])
            if row.kind is Kind.HISTOGRAM:
                lines.extend(self._histograms[row.name].lines(form, self._prefix))
            else:
                lines.extend(self._lines(row))
        lines.extend(exposition.lines(self._process, form))
        lines.append(form.end)
        return "\n".join(lines).encode()

    def _lines(self, row: Definition) -> Iterator[str]:
        series = self._counters[row.name].now() if row.kind is Kind.COUNTER else self._read(row).items()
        starts, shown, count = self._starts[row.name], exposition.shown, 0
        for values, number in series:
            count += 1
            start = starts.get(values)
            if start is None:
                labels = {label.name: value for label, value in zip(row.labels, values, strict=True)}
                start = starts[values] = exposition.start(row.named(self._prefix), labels)
            yield start + shown(number)
        if len(starts) > 2 * count:
            starts.clear()  # of partitions and brokers that are here no more

    def _look(self) -> None:
        for look in self._looks:
            look()

    @override
    def collect(self) -> Iterator[Metric]:
        """The same for prometheus-client, in the table's order."""
        self._look()
        for row in TABLE:
            if row.kind is Kind.COUNTER:
                yield _counter_family(self._prefix, self._counters[row.name])
            elif row.kind is Kind.HISTOGRAM:
                yield _histogram_family(self._prefix, self._histograms[row.name])
            else:
                yield self._gauge_family(row)

    def _gauge_family(self, row: Definition) -> Metric:
        family = GaugeMetricFamily(self._prefix + row.name, row.help, labels=[label.name for label in row.labels])
        for values, number in self._read(row).items():
            family.add_metric(values, number)
        return family

    def _read(self, row: Definition) -> Mapping[LabelValues, float]:
        values = [label.values for label in row.labels if label.values is not None]
        start = dict.fromkeys(product(*values), 0.0) if len(values) == len(row.labels) else {}
        read = self._providers.get(row.name)
        if read is None:
            return start
        reading = read()
        if not isinstance(reading, Mapping):
            return {(): reading}
        return {**start, **reading} if row.labels else reading


def _with_other(values: Iterable[str]) -> tuple[str, ...]:
    return (*dict.fromkeys(values), OTHER)


def _counter_family(prefix: str, counter: Counter) -> Metric:
    row = counter.definition
    family = CounterMetricFamily(prefix + row.name, row.help, labels=[label.name for label in row.labels])
    for values, value in counter.now():
        family.add_metric(values, value)
    return family


def _histogram_family(prefix: str, histogram: Histogram) -> Metric:
    row = histogram.definition
    family = HistogramMetricFamily(prefix + row.name, row.help)
    family.add_metric((), buckets=histogram.cumulative(), sum_value=histogram.total)
    return family
