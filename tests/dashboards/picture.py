"""Panels' data as a picture: lines over the day, with the faults as bands. Small, and no library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from tests.dashboards.day import PEACE, Phase
from tests.dashboards.judge import AFTER, Seen

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 560, 150, 46, 26, 16
_COLOURS = ("#2f6fde", "#c62828", "#1b7f3b", "#c27c00", "#7b3fb5", "#008b8b")
_MOST_LINES = 6
_STEP = 2
"""Seconds between two points that are drawn."""


Points = Sequence[tuple[float, float]]
Scale = Callable[[float], float]


class Panel(NamedTuple):
    """A picture's part: a title, and the queries drawn into it."""

    title: str
    seen: Sequence[Seen]


def svg(panels: Sequence[Panel], phases: Sequence[Phase]) -> str:
    """Two panels a row, and below them which band is which fault."""
    rows = (len(panels) + 1) // 2
    legend = _faults(phases, rows * (_HEIGHT + 6) + 12)
    height = rows * (_HEIGHT + 6) + 12 + 14 * ((len(phases) + 2) // 3)
    parts = []
    for place, panel in enumerate(panels):
        left, top = place % 2 * (_WIDTH + 10), place // 2 * (_HEIGHT + 6)
        parts.append(f'<g transform="translate({left},{top})">{_panel(panel, phases)}</g>')
    width = 2 * _WIDTH + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="10"><rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}{legend}</svg>\n'
    )


def _panel(panel: Panel, phases: Sequence[Phase]) -> str:
    start, end = phases[0].start, phases[-1].end + AFTER
    lines = [
        (labels or seen.asked.legend, points)
        for seen in panel.seen
        for labels, points in sorted(seen.series.items(), key=lambda each: -max((v for _, v in each[1]), default=0))
        if any(value for _, value in points)
    ][:_MOST_LINES]
    most = max((value for _, points in lines for _, value in points), default=1.0) or 1.0

    def x(at: float) -> float:
        return _LEFT + (at - start) / (end - start) * (_WIDTH - _LEFT - 4)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - max(0.0, value) / most * (_HEIGHT - _TOP - _BOTTOM)

    unit = panel.seen[0].asked.unit
    parts = [f'<text x="4" y="12" font-weight="bold" font-size="12">{escape(panel.title)}</text>']
    for number, phase in enumerate(phases):
        if phase.name != PEACE:
            left, right = x(phase.start), x(phase.end)
            parts.append(
                f'<rect x="{left:.0f}" y="{_TOP}" width="{right - left:.0f}" height="{_HEIGHT - _TOP - _BOTTOM}" '
                f'fill="#8883"/><text x="{(left + right) / 2:.0f}" y="{_HEIGHT - 5}" fill="#666" '
                f'text-anchor="middle">{number}</text>'
            )
    for share in (0.0, 0.5, 1.0):
        at = y(share * most)
        parts.append(
            f'<text x="{_LEFT - 4}" y="{at + 3:.0f}" text-anchor="end" fill="#666">{_short(share * most, unit)}</text>'
            f'<line x1="{_LEFT}" x2="{_WIDTH - 4}" y1="{at:.0f}" y2="{at:.0f}" stroke="#ccc"/>'
        )
    for place, (name, points) in enumerate(lines):
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(_line(points, x, y, colour))
        parts.append(f'<text x="{_WIDTH - 6}" y="{_TOP + 10 + place * 11}" text-anchor="end" fill="{colour}">')
        parts.append(f"{escape(_name(name))}</text>")
    return "".join(parts)


def _line(points: Points, x: Scale, y: Scale, colour: str) -> str:
    path: list[str] = []
    before: float | None = None
    for at, value in points[::_STEP]:
        broken = before is None or at - before > 3 * _STEP
        path.append(f"{'M' if broken else 'L'}{x(at):.0f} {y(value):.0f}")
        before = at
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _faults(phases: Sequence[Phase], top: float) -> str:
    """Below all panels: what each number stands for."""
    return "".join(
        f'<text x="{8 + (number - 1) % 3 * 370}" y="{top + (number - 1) // 3 * 14}" fill="#444">{number} '
        f"{escape(phase.name)}</text>"
        for number, phase in enumerate(phases)
        if phase.name != PEACE
    )


def _name(labels: str) -> str:
    return " ".join(part.partition("=")[2] or part for part in labels.split(", "))


def _short(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.0%}"
    suffix = " s" if unit == "s" else ""
    return (f"{value / 1e6:.0f}M" if value >= 1e6 else f"{value:.3g}") + suffix
