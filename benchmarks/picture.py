"""The figures as a picture: a bar for each contender in each scenario, user and system time in two shades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from statistics import median

from benchmarks.builds import HERE
from benchmarks.measure import Measured
from benchmarks.report import machine

_WIDTH, _LEFT, _RIGHT, _TOP = 860, 250, 70, 58
_BAR, _GAP, _BETWEEN = 18, 6, 22
_SHADES = {True: ("#1b6ca8", "#7fb2d6"), False: ("#767676", "#bdbdbd")}
"""Of user and system time: those of the connector, and those of the others."""


def of(runs: Sequence[Measured]) -> str:
    """An SVG document. Bars are the medians of the runs, all on one scale."""
    bars: dict[str, dict[str, tuple[float, float]]] = {}
    for scenario, contender in dict.fromkeys((run.scenario, run.contender) for run in runs):
        mine = [run for run in runs if (run.scenario, run.contender) == (scenario, contender)]
        user = median(run.cpu.user / run.events * 1e6 for run in mine)
        system = median(run.cpu.system / run.events * 1e6 for run in mine)
        bars.setdefault(scenario, {})[contender] = user, system
    scale = (_WIDTH - _LEFT - _RIGHT) / max((sum(bar) for each in bars.values() for bar in each.values()), default=1.0)
    rows = list(_rows(bars, scale))
    height = _TOP + sum(_BAR + _GAP for each in bars.values() for _ in each) + _BETWEEN * len(bars) + 10
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif"'
            ' font-size="12">',
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            '<text x="10" y="22" font-size="15" font-weight="bold">Microseconds of CPU for each delivered event</text>',
            f'<text x="10" y="40" fill="#555" font-size="10">dark: user, light: system; {escape(machine())}</text>',
            *rows,
            "</svg>\n",
        )
    )


def _rows(bars: dict[str, dict[str, tuple[float, float]]], scale: float) -> Iterator[str]:
    y = _TOP
    for scenario, each in bars.items():
        yield f'<text x="10" y="{y + 12}" font-weight="bold">{escape(scenario)}</text>'
        y += _BETWEEN - _GAP
        for contender, (user, system) in each.items():
            dark, light = _SHADES[contender.startswith(HERE.name)]
            middle = y + _BAR - 5
            yield f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(contender)}</text>'
            yield f'<rect x="{_LEFT}" y="{y}" width="{user * scale:.1f}" height="{_BAR}" fill="{dark}"/>'
            at = _LEFT + user * scale
            yield f'<rect x="{at:.1f}" y="{y}" width="{system * scale:.1f}" height="{_BAR}" fill="{light}"/>'
            yield f'<text x="{at + system * scale + 6:.1f}" y="{middle}">{user + system:.1f}</text>'
            y += _BAR + _GAP
        y += _GAP
