"""What a metric is, and what all names begin with."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from connector.observe.labels import Label

PREFIX = "invoke_connector_"
SHADOWS_PREFIX = "invoke_connector_shadow_"
"""Of a process in `delivery.mode: shadow`: what counts deliveries, in anybody's rules and dashboards, must not count
what was never posted."""


class Kind(StrEnum):
    """How Prometheus treats a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Definition(NamedTuple):
    """One metric. `name` carries neither the prefix nor a counter's `_total`; `edges` are seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def exported_name(self) -> str:
        """The name as Prometheus shows it, of a process that delivers."""
        return self.named(PREFIX)

    def named(self, prefix: str) -> str:
        """The name as Prometheus shows it, under this prefix."""
        return f"{prefix}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"
