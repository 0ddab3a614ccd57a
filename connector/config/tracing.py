"""The section `tracing`."""

from __future__ import annotations

from connector.config.section import Section


class Tracing(Section):
    """Spans of what becomes of a record, for OpenTelemetry ([tracing.md](tracing.md)). Where they go, how many are
    kept and who is allowed in is told by OpenTelemetry's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT`,
    `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` and so on."""

    enabled: bool = False
    """Whether spans are made. Needs the extra `otel`, which the image has. An event that its producer sampled has its
    spans in the producer's trace, and the latency histograms name some of them as exemplars. A shadow
    (`delivery.mode`) makes none. Off by default: a span costs more than all else that is done for an event."""
