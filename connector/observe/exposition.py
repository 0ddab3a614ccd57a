"""Prometheus' text format, as far as it is needed here.

prometheus-client's own writer can do more and takes its time: asked for OpenMetrics, as Prometheus asks by default, at
1,000 partitions 13 ms of the event loop, and all of it is taken from posts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def head(name: str, kind: str, documentation: str) -> str:
    """The two lines before a metric's samples. `name` as its samples have it."""
    return f"# HELP {name} {_escaped(documentation)}\n# TYPE {name} {kind}"


def start(name: str, labels: Mapping[str, str]) -> str:
    """What a sample's line begins with, up to its number."""
    if not labels:
        return f"{name} "
    pairs = (f'{label}="{_quoted(value)}"' for label, value in labels.items())
    return f"{name}{{{','.join(pairs)}}} "


def shown(value: float) -> str:
    """A sample's number."""
    if -1e15 < value < 1e15:
        return repr(float(value))
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # the library does not say its types


def lines(collector: Collector) -> Iterator[str]:
    """All of a collector of prometheus-client, each sample formatted anew."""
    for family in collector.collect():
        yield head(
            f"{family.name}_total" if family.type == "counter" else family.name, family.type, family.documentation
        )
        for sample in family.samples:
            yield start(sample.name, sample.labels) + shown(sample.value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')
