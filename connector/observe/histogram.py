"""Latencies by upper edge: plain numbers on the hot path, with exemplars where tracing is on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from typing_extensions import override

from connector.observe import exposition
from connector.observe.definition import Definition


class TracedSpan(NamedTuple):
    """A span that is kept, in hexadecimal digits, and when it ended (seconds since the epoch)."""

    trace_id: str
    span_id: str
    ended: float


class Exemplars:
    """`span`: the one whose latencies are being observed now, set and taken back by the tracing driver."""

    __slots__ = ("span",)

    def __init__(self) -> None:
        self.span: TracedSpan | None = None


class Histogram:
    """Counts of observations by upper edge, in seconds; an observation on an edge belongs below it."""

    __slots__ = ("counts", "definition", "edges", "total")

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.edges = definition.edges
        self.counts = [0] * (len(definition.edges) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation; a clock that went back (a negative value) counts as 0."""
        value = seconds if seconds > 0 else 0.0
        self.counts[bisect_left(self.edges, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' buckets: (upper edge, observations at or below it)."""
        rows, below = [], 0
        for edge, count in zip((*map(str, self.edges), "+Inf"), self.counts, strict=True):
            below += count
            rows.append((edge, float(below)))
        return rows

    def lines(self, form: exposition.Form, prefix: str) -> Iterator[str]:
        """Its samples, whose names begin with `prefix`. OpenMetrics' buckets have their exemplars behind them."""
        name, count = self.definition.named(prefix), 0.0
        shown = self.exemplars() if form is exposition.OPEN_METRICS else {}
        for place, (edge, count) in enumerate(self.cumulative()):
            yield f'{name}_bucket{{le="{edge}"}} {count}{shown.get(place, "")}'
        yield f"{name}_count {count}"
        yield f"{name}_sum {exposition.shown(self.total)}"

    def exemplars(self) -> dict[int, str]:
        """What stands behind a bucket, by its place: none here."""
        return {}


class TracedHistogram(Histogram):
    """Keeps of each bucket the last observation whose span is kept."""

    __slots__ = ("_exemplars", "_last")

    def __init__(self, definition: Definition, exemplars: Exemplars) -> None:
        super().__init__(definition)
        self._exemplars = exemplars
        self._last: dict[int, tuple[TracedSpan, float]] = {}

    @override
    def observe(self, seconds: float) -> None:
        super().observe(seconds)
        if (span := self._exemplars.span) is not None:
            value = seconds if seconds > 0 else 0.0
            self._last[bisect_left(self.edges, value)] = span, value

    @override
    def exemplars(self) -> dict[int, str]:
        return {
            place: f' # {{trace_id="{span.trace_id}",span_id="{span.span_id}"}} {value!r} {span.ended:.3f}'
            for place, (span, value) in self._last.items()
        }
