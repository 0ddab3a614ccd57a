"""A frame for people: as many lines as there is room for, what needs somebody first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connector.cli.top.frame import Frame, Partition, Process

_LEAST = 3
"""Rows that a table gets however small the terminal is."""

_AROUND = 13
"""Lines that are no rows: four of the head, and of each table an empty line, its own head, and how many more."""

RECORDS = ("taken", "accepted", "retried", "dead_lettered", "skipped", "released")


def screen(frame: Frame, height: int) -> RenderableType:
    """The frame in this many lines, or a few more on a terminal that is too small."""
    room = max(height - _AROUND, 3 * _LEAST)
    answers = min(len(frame.answers), max(_LEAST, room // 4))
    processes = min(len(frame.processes), max(_LEAST, room // 3))
    partitions = max(_LEAST, room - answers - processes)
    return Group(
        *_head(frame),
        Text(),
        _processes(frame.processes, processes),
        Text(),
        _answers(frame, answers),
        Text(),
        _partitions(frame, partitions),
    )


def _head(frame: Frame) -> Iterable[Text]:
    here = [each for each in frame.processes if each.problem is None]
    away = len(frame.processes) - len(here)
    ready = sum(each.ready for each in here)
    yield Text(
        f"processes: {len(frame.processes)}, {ready} ready" + (f", {away} away" if away else ""),
        style="bold red" if away else "bold",
    )
    yield Text(" · ".join(f"{name.replace('_', ' ')} {_rate(frame.rates.get(name))}" for name in RECORDS))
    posts = frame.post_seconds
    yield Text(
        f"in flight {sum(each.in_flight for each in here):,} of {sum(each.in_flight_limit for each in here):,.0f}"
        f" · lag {sum(each.lag for each in here):,} · uncommitted {sum(each.uncommitted for each in here):,}"
        f" · oldest {_age(max((each.oldest_seconds for each in here), default=0.0))}"
        + ("" if posts is None else f" · a post {posts[0] * 1000:,.0f} ms, 99 % under {posts[1] * 1000:,.0f} ms")
    )
    held = sorted({f"{kind} hold" for each in here for kind in each.holds})
    paused = sorted({f"{target} paused" for each in here for target in each.paused})
    yield Text("; ".join([*held, *paused]) or "no hold, nothing paused", style="red" if held or paused else "")


def _processes(processes: Sequence[Process], most: int) -> Table:
    table = _table("process", "", ">accepted", ">in flight", ">in hand", ">lag", ">oldest", ">partitions", "holds")
    first = sorted(processes, key=lambda each: (each.problem is None, not each.holds, each.ready, -each.lag, each.url))
    for each in first[:most]:
        if each.problem is not None:
            table.add_row(Text(each.url), Text("away", style="red"), *([Text()] * 6), Text(each.problem))
            continue
        _row(
            table,
            each.url,
            f"{'shadow, ' if each.is_shadow else ''}{'ready' if each.ready else 'not ready'}",
            _rate(each.rates.get("accepted")),
            f"{each.in_flight:,}/{each.in_flight_limit:,.0f}",
            f"{each.in_hand:,}",
            f"{each.lag:,}",
            _age(each.oldest_seconds),
            f"{each.partitions:,}",
            ", ".join([*each.holds, *(f"{target} paused" for target in each.paused)]),
        )
    _more(table, len(first) - most)
    return table


def _answers(frame: Frame, most: int) -> Table:
    table = _table("answers", ">a second", ">in all")
    first = sorted(frame.answers.items(), key=lambda item: (-(item[1].rate or 0.0), -item[1].total))
    for code, answers in first[:most]:
        _row(table, code, _rate(answers.rate), f"{answers.total:,}")
    _more(table, len(first) - most)
    return table


def _partitions(frame: Frame, most: int) -> Table:
    table = _table("partition", "process", ">settled", ">lag", ">oldest", ">in hand", ">queued", "waits for")
    for each in frame.partitions[:most]:
        _row(table, *_cells(each))
    _more(table, frame.partitions_in_all - min(most, len(frame.partitions)))
    return table


def _cells(each: Partition) -> Iterable[str]:
    return (
        each.name,
        each.process.removeprefix("http://"),
        _rate(each.rate),
        "?" if each.lag is None else f"{each.lag:,}",
        _age(each.oldest_seconds),
        f"{each.in_hand:,}",
        f"{each.queued:,}",
        ", ".join(each.waits_for),
    )


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name.removeprefix(">"), justify="right" if name[:1] == ">" else "left", no_wrap=True)
    return table


def _row(table: Table, *cells: str) -> None:
    """Texts of others: no markup is meant in them."""
    table.add_row(*(Text(each if each.isprintable() else repr(each)) for each in cells))


def _more(table: Table, count: int) -> None:
    if count > 0:
        table.add_row(Text(f"and {count:,} more", style="dim"))


def _rate(rate: float | None) -> str:
    if rate is None:
        return "-"
    return f"{rate:,.0f}/s" if rate >= 100 or not rate else f"{rate:,.1f}/s"


def _age(seconds: float | None) -> str:
    if not seconds:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
