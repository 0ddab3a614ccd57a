"""Queries from the table of metrics: a name or a label that is not in it is an error when the dashboards are made."""

from __future__ import annotations

from collections.abc import Iterable

from connector.observe.definition import PREFIX, Definition, Kind
from connector.observe.table import TABLE

SCOPE = 'cluster=~"$cluster",namespace=~"$namespace",job=~"$release"'
"""What the variables choose. `.*` also matches a label that is not there, as where there is one cluster only."""

PROCESS = ("pod", "instance")
"""Labels that tell processes apart: `pod` on Kubernetes, `instance` everywhere."""

WHO = "{{pod}} {{instance}}"

RATE = "$__rate_interval"

_BY_NAME = {row.name: row for row in TABLE}


def now(name: str, *where: str, suffix: str = "") -> str:
    """The series of a metric of the table; `where` are further conditions, such as `code!="accepted"`."""
    row = _BY_NAME[name]
    _check(row, (condition.split("=")[0].rstrip("!") for condition in where))
    return f"{PREFIX}{name}{suffix or ('_total' if row.kind is Kind.COUNTER else '')}{{{','.join([SCOPE, *where])}}}"


def of_process(name: str) -> str:
    """The series of a metric that prometheus-client has of every process."""
    return f"process_{name}{{{SCOPE}}}"


def total(name: str, *by: str, where: Iterable[str] = (), how: str = "sum") -> str:
    """A gauge, summed (or `how` else) over processes, by labels."""
    return f"{how}{_by(name, by)} ({now(name, *where)})"


def rate(name: str, *by: str, where: Iterable[str] = ()) -> str:
    """A counter's rise a second, summed over processes, by labels."""
    return f"sum{_by(name, by)} (rate({now(name, *where)}[{RATE}]))"


def rise(name: str, *by: str, where: Iterable[str] = ()) -> str:
    """A counter's rise in the time that is shown, summed over processes, by labels."""
    return f"sum{_by(name, by)} (increase({now(name, *where)}[$__range]))"


def within(name: str, share: float) -> str:
    """The time within which this share of a histogram's observations lay."""
    buckets = now(name, suffix="_bucket")
    return f"histogram_quantile({share:g}, sum by (le) (rate({buckets}[{RATE}])))"


def share_below(name: str, edge: float) -> str:
    """The share of a histogram's observations at or below an edge of its buckets.

    Prometheus 2 keeps the edge 30 as it is written, `30.0`; others may have it as `30`.
    """
    assert edge in _BY_NAME[name].edges
    buckets = now(name, suffix="_bucket").removesuffix("}") + f',le=~"{edge:g}(\\\\.0)?"}}'
    return f"sum (rate({buckets}[{RATE}])) / sum (rate({now(name, suffix='_count')}[{RATE}]))"


def _by(name: str, labels: Iterable[str]) -> str:
    labels = tuple(labels)
    _check(_BY_NAME[name], labels)
    return f" by ({', '.join(labels)})" if labels else ""


def _check(row: Definition, labels: Iterable[str]) -> None:
    known = {label.name for label in row.labels} | {*PROCESS, "le"}
    if unknown := set(labels) - known:
        raise ValueError(f"{row.name} has no label {', '.join(sorted(unknown))}")
