"""What happened in the last minutes, and since when something has been so, by looking now and then.

For the page only: Prometheus works both out from `/metrics`; without it there are only the numbers of now.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import inf
from typing import Generic, NamedTuple, TypeVar

from connector.observe.histogram import Histogram
from connector.observe.metrics import Metrics

Thing = TypeVar("Thing", bound=Hashable)

_STEP = 5.0
"""Seconds between two states that are kept."""


class _State(NamedTuple):
    at: float
    answers: Mapping[str, float]
    accepted: float
    times: Mapping[str, tuple[int, ...]]


class Recent:
    """Compares the metrics with what they were up to `span` seconds ago."""

    def __init__(self, metrics: Metrics, now: float, span: float = 300.0) -> None:
        self.span = span
        self._answers = metrics.counter("answers")
        self._accepted = metrics.counter("records_accepted").at()
        self._histograms = {name: metrics.histogram(name) for name in ("post_seconds", "end_to_end_seconds")}
        self._states: deque[_State] = deque([self._state(now)])
        self._seen = self._accepted.value
        self._accepted_at: float | None = None

    def look(self, now: float) -> None:
        """About each second; `now` in seconds of a clock that never goes back."""
        if self._accepted.value != self._seen:
            self._seen = self._accepted.value
            self._accepted_at = now
        if now - self._states[-1].at >= _STEP:
            self._states.append(self._state(now))
            while len(self._states) > 1 and self._states[1].at <= now - self.span:
                self._states.popleft()

    def last_accepted(self) -> float | None:
        """When a record was accepted, to a second; None: none was."""
        return self._accepted_at

    def accepted(self, now: float, seconds: float) -> int:
        """Records accepted in this many seconds, and up to a step more."""
        since = bisect_right([state.at for state in self._states], now - seconds) - 1
        return int(self._accepted.value - self._states[max(0, since)].accepted)

    def answers(self) -> dict[str, tuple[int, int]]:
        """Answers by class: in the span, and in all."""
        before = self._states[0].answers
        return {
            labels[0]: (int(series.value - before.get(labels[0], 0)), int(series.value))
            for labels, series in list(self._answers.series.items())
            if series.value
        }

    def bounds(self, name: str, *shares: float) -> list[float | None]:
        """Of a histogram's observations within the span: the edge below which each share lies. None: there was none."""
        histogram = self._histograms[name]
        before = self._states[0].times[name]
        counts = [now - then for now, then in zip(histogram.counts, before, strict=True)]
        return [_edge(histogram, counts, share) for share in shares]

    def _state(self, now: float) -> _State:
        answers = {labels[0]: series.value for labels, series in list(self._answers.series.items()) if series.value}
        times = {name: tuple(histogram.counts) for name, histogram in self._histograms.items()}
        return _State(now, answers, self._accepted.value, times)


def _edge(histogram: Histogram, counts: Sequence[int], share: float) -> float | None:
    total, below = sum(counts), 0
    if not total:
        return None
    for edge, number in zip((*histogram.edges, inf), counts, strict=True):
        below += number
        if below >= share * total:
            return edge
    return inf


class Since(Generic[Thing]):
    """Remembers when each of the things that are so was seen first, and forgets those that are no more."""

    def __init__(self) -> None:
        self._seen: dict[Thing, int] = {}

    def look(self, now_ms: int, present: Iterable[Thing]) -> Mapping[Thing, int]:
        """All that is so now, each with the time (ms since the epoch) of the first look that saw it."""
        self._seen = {each: self._seen.get(each, now_ms) for each in present}
        return self._seen
