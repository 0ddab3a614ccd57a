"""What each query of the dashboards showed in peace and in trouble, and which of them never told the two apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.dashboards.day import PEACE, Phase
from tests.dashboards.prometheus import Prometheus, Series

SILENT: Mapping[str, str] = {
    "Topics missing": "the topics of this day are all there; `tests/runtime/test_view.py` takes one away",
    "Topics' findings": "as above: warnings are the same all day",
    "Until certificates expire": "no mutual TLS in this day",
    "Partitions stopped by a bug": "no bug of ours was found in this day",
    "Ended by Kafka": "the process ends with what it counts, before the next scrape",
    "Brake would have held": "counts with `hold.brake.then: warn` only",
    "Test environment": "a simulator is not the vendor's test environment",
    "Log lines that are missing: dropped": "the log of this day is a file, which takes all of them",
    "The loop is late by": "it rises to a second and falls by itself: no fault of this day stops the loop",
    "Turns": "the same: they rise to a second or two, and fall",
    "Memory": "it is to stay the same, whatever happens",
    "Open files": "as above",
    "Wait for a restart": "Kafka needs no password in this day",
    "What becomes of records: an event that was accepted before": "no deduplication in this day",
    "Entries of the ledger": "no ledger in this day; `tests/whole/test_ledger.py` has one",
    "Wait for the ledger": "as above",
    "Ledgers not read": "as above",
    "Event ids forgotten": "no deduplication in this day",
    "Maps of settled records that did not count: refused: {{code}}": "Kafka takes a map of this size",
    "Maps of settled records that did not count: ignored: {{reason}}": "no foreign hand was at the group's commits",
    "Spans": "no tracing in this day; `tests/whole/test_tracing.py` has some",
}
"""Queries that showed nothing, or the same as in peace, and why; they do not count as telling anything, whatever chance
makes of their values. By the panel's title, and the legend where it has several."""

AFTER = 20.0
"""Seconds after the last fault that are looked at too."""

_MUCH, _MUCH_LESS = 1.25, 1.5
"""A largest value is another one when it is so many times that of peace, or peace so many times it; and a low one."""


class Asked(NamedTuple):
    """One query of a panel."""

    dashboard: str
    panel: str
    unit: str
    expr: str
    legend: str

    @property
    def names(self) -> tuple[str, str]:
        """How the list of what is silent may call it."""
        return self.panel, f"{self.panel}: {self.legend}"


class Seen(NamedTuple):
    """What it showed: in peace, and in the part of the day in which it was most unlike that, if there was one."""

    asked: Asked
    peace: float | None
    phase: str | None
    trouble: float | None
    series: Series


def asked(dashboards: Mapping[str, Mapping[str, Any]]) -> Iterator[Asked]:
    """Every query of every panel, and of the annotations, which all dashboards share."""
    annotations = next(iter(dashboards.values()))["annotations"]["list"]
    yield from (Asked("both", f"Annotation {each['name']}", "", each["expr"], "") for each in annotations)
    for name, dashboard in dashboards.items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                unit = panel["fieldConfig"]["defaults"].get("unit", "")
                yield Asked(name, panel["title"], unit, target["expr"], target["legendFormat"])


async def see(prometheus: Prometheus, query: Asked, phases: Sequence[Phase]) -> Seen:
    """Ask the whole day for it. What follows on a fault until the next one belongs to it."""
    series = await prometheus.series(query.expr, phases[0].start, phases[-1].end + AFTER)
    peace = _extremes(series, phases[0].start, phases[0].end)
    nexts = [*(phase.start for phase in phases[1:]), float("inf")]
    parts = {
        phase.name: _extremes(series, phase.start, end)
        for phase, end in zip(phases, nexts, strict=True)
        if phase.name != PEACE
    }
    best: tuple[float, str, float] | None = None
    for name, part in parts.items():
        for labels, here in part.items():
            before = peace.get(labels)
            for value, was, much in (
                (here.high, before and before.high, _MUCH),
                (here.low, before and before.low, _MUCH_LESS),
            ):
                distance = _distance(value, was)
                if distance >= much and (best is None or distance > best[0]):
                    best = (distance, name, value)
    calm = max((each.high for each in peace.values()), default=None)
    if SILENT.keys() & set(query.names):
        best = None
    return Seen(query, calm, best and best[1], best and best[2], series)


class _Range(NamedTuple):
    """The largest value, and the one that only a tenth of them are below: what rises and falls by itself is near 0 now
    and then in any part of the day."""

    low: float
    high: float


def _extremes(series: Series, start: float, end: float) -> dict[str, _Range]:
    found = {labels: sorted(v for at, v in points if start <= at <= end) for labels, points in series.items()}
    return {labels: _Range(values[len(values) // 10], values[-1]) for labels, values in found.items() if values}


def _distance(value: float, was: float | None) -> float:
    """How many times one is the other. What was not there before, and is not 0, is far away."""
    if was is None:
        return 1e6 + abs(value) if value else 0.0
    small = 1e-3
    one, other = abs(value) + small, abs(was) + small
    return 1e6 if value * was < 0 else max(one / other, other / one)
