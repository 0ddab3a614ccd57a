"""Prometheus' two text formats, as far as they are needed here.

prometheus-client's own writer can do more and takes its time: asked for OpenMetrics, as Prometheus asks by default, at
1,000 partitions 13 ms of the event loop, and all of it is taken from posts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Form(NamedTuple):
    """A format of the page. In OpenMetrics a counter's name is without `_total` where it is described, quotes are
    escaped there as well, and the page says where it ends. No series `…_created` in either."""

    media_type: str
    version: str
    end: str = ""

    @property
    def content_type(self) -> str:
        """As the header has it."""
        return f"{self.media_type}; version={self.version}; charset=utf-8"

    def head(self, name: str, kind: str, documentation: str) -> str:
        """The two lines before a metric's samples. `name` is without a counter's `_total`."""
        if self is OPEN_METRICS:
            return f"# HELP {name} {_quoted(documentation)}\n# TYPE {name} {kind}"
        name = f"{name}_total" if kind == "counter" else name
        return f"# HELP {name} {_escaped(documentation)}\n# TYPE {name} {kind}"


TEXT = Form("text/plain", "0.0.4")
OPEN_METRICS = Form("application/openmetrics-text", "1.0.0", "# EOF\n")


@lru_cache(16)
def negotiated(accept: str) -> Form:
    """The format that this `Accept` header asks for: OpenMetrics, which alone has exemplars, where it is named
    and the other is not preferred."""
    wanted = {TEXT: 0.0, OPEN_METRICS: 0.0}
    for offer in accept.lower().split(","):
        media_type, *rest = (part.strip() for part in offer.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        for form in wanted:
            if media_type == form.media_type and parameters.get("version", form.version) == form.version:
                wanted[form] = max(wanted[form], _quality(parameters.get("q", "1")))
    return OPEN_METRICS if wanted[OPEN_METRICS] and wanted[OPEN_METRICS] >= wanted[TEXT] else TEXT


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{0,3})?", text) else 0.0


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


def lines(collector: Collector, form: Form = TEXT) -> Iterator[str]:
    """All of a collector of prometheus-client, each sample formatted anew."""
    for family in collector.collect():
        yield form.head(family.name, family.type, family.documentation)
        for sample in family.samples:
            yield start(sample.name, sample.labels) + shown(sample.value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')
