"""What spans cost, in memory and by turns: `python -m benchmarks.tracing [ROUNDS]`."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from typing_extensions import override

from benchmarks.in_memory import MIXES, measure
from connector.core.record import Headers
from connector.edge.otel.export import Exports
from connector.edge.otel.spans import Spans
from connector.runtime.traced import Traced
from connector.runtime.untraced import Untraced

EVENTS = 15_000
_LATER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"
NO_TRACE: Headers = ()
NOT_SAMPLED: Headers = (("traceparent", f"{_LATER}0".encode()),)
SAMPLED: Headers = (("traceparent", f"{_LATER}1".encode()),)


class Encoder(SpanExporter):
    """Does everything but send: what the network costs is the collector's business."""

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS

    @override
    def shutdown(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Print the median of each, and what became of the spans."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    became: Counter[str] = Counter()

    def report(result: str, count: int, _reason: str | None) -> None:
        became[result] += count

    def traced() -> Untraced:
        exports = Exports(report, Encoder())
        spans = Spans(exports.tracer, "http://127.0.0.1:1", "bench", lambda: report("fault", 1, None))
        return Traced(spans, 10_000, exports.close)

    ways: Mapping[str, tuple[Headers, Callable[[], Untraced]]] = {
        "off": (NO_TRACE, Untraced),
        "off, with traceparent": (SAMPLED, Untraced),
        "on, not sampled": (NOT_SAMPLED, traced),
        "on, sampled": (SAMPLED, traced),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, (headers, tracing) in ways.items():
                found[name].append(measure(MIXES["defaults"], EVENTS, Path(folder), headers, tracing).cpu_us)
    for name, used in found.items():
        sys.stdout.write(f"{name:24} {median(used):6.1f} µs of CPU an event\n")
    sys.stdout.write(f"spans: {dict(became)}\n")


if __name__ == "__main__":
    main()
