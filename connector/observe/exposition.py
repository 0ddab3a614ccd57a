"""The page that Prometheus reads, in its text format. It is made on the event loop: its time is taken from posts.

prometheus-client's own writer takes three times as long, since it can do more: at 1,000 partitions 13 ms of the loop
when asked for OpenMetrics, as Prometheus asks by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def page(registry: Collector) -> bytes:
    """Everything that is registered, as of now."""
    lines: list[str] = []
    for family in registry.collect():
        _write(family, lines)
    lines.append("")
    return "\n".join(lines).encode()


def _write(family: Metric, lines: list[str]) -> None:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    lines.append(f"# HELP {name} {_escaped(family.documentation)}")
    lines.append(f"# TYPE {name} {family.type}")
    for sample in family.samples:
        value = sample.value
        shown = repr(float(value)) if -1e15 < value < 1e15 else _rare(value)
        lines.append(f"{sample.name}{_labels(sample.labels)} {shown}")


def _rare(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # the library does not say its types


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(_pairs(labels.items())) + "}"


def _pairs(labels: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, value in labels:
        plain = value if value.isalnum() else _escaped(value).replace('"', '\\"')
        yield f'{name}="{plain}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
