"""What a tally says: counts by each thing that is counted, letters over time, and the most frequent reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from connector.core.letters.remedies import remedy_of
from connector.core.letters.tally import HOUR_MS, Example, Tally

_NUMBER = re.compile(r"[0-9]+")
_REASONS = 3
_DAY_HOURS = 24
_AGES = ((1, "up to 1 hour"), (24, "up to 1 day"), (7 * 24, "up to 7 days"))
_HOURS_SHOWN = 48


class Reason(NamedTuple):
    """One of the most frequent reasons: numbers in it are left out, since they differ from letter to letter."""

    code: str
    text: str
    letters: int
    remedy: str
    example: Example | None


class Report(NamedTuple):
    """`by` is name → value → letters, the most frequent first; `over_time` is start in ms → letters, without gaps,
    in steps of `step_ms`."""

    letters: int
    redriven: int
    by: Mapping[str, Mapping[str, int]]
    over_time: Mapping[int, int]
    step_ms: int
    reasons: tuple[Reason, ...]


def report(tally: Tally, now_ms: int) -> Report:
    """Sum up a tally."""
    by: dict[str, Counter[str]] = {name: Counter() for name in _NAMES}
    hours: Counter[int] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], tuple[Example | None, str]] = {}
    for kind, count, example in tally.kinds():
        duplicate = "yes" if kind.is_possible_duplicate else "no"
        values = (kind.code, kind.stage, kind.vendor_code, kind.topic, kind.schema, _age(kind.hour, now_ms), duplicate)
        for name, value in zip(_NAMES, values, strict=True):
            by[name][value or "none"] += count
        if kind.hour >= 0:
            hours[kind.hour] += count
        reason = (kind.code, _NUMBER.sub("N", kind.reason))
        reasons[reason] += count
        examples.setdefault(reason, (example, kind.reason))
    counted = {name: dict(counts.most_common()) for name, counts in by.items()}
    counted["service_id"] = dict(tally.services.most_common())
    step = 1 if not hours or max(hours) - min(hours) < _HOURS_SHOWN else _DAY_HOURS
    top = tuple(
        Reason(code, text, count, remedy_of(code, examples[code, text][1]), examples[code, text][0])
        for (code, text), count in reasons.most_common(_REASONS)
    )
    return Report(tally.letters, tally.redriven, counted, _over_time(hours, step), step * HOUR_MS, top)


_NAMES = ("class", "stage", "vendor_code", "topic", "schema", "age", "possible_duplicate")


def _age(hour: int, now_ms: int) -> str:
    if hour < 0:
        return "unknown"
    hours = now_ms // HOUR_MS - hour
    return next((name for most, name in _AGES if hours <= most), "older")


def _over_time(hours: Counter[int], step: int) -> dict[int, int]:
    steps: Counter[int] = Counter()
    for hour, count in hours.items():
        steps[hour // step] += count
    if not steps:
        return {}
    first, last = min(steps), max(steps)
    if last - first > _MOST_STEPS:
        return {at * step * HOUR_MS: steps[at] for at in sorted(steps)}
    return {at * step * HOUR_MS: steps[at] for at in range(first, last + 1)}


_MOST_STEPS = 400
