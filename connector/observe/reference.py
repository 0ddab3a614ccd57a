"""docs/metrics.md, made from the table: `python -m connector.observe.reference > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from connector.observe.definition import PREFIX, SHADOWS_PREFIX, Definition
from connector.observe.labels import Label
from connector.observe.questions import QUESTIONS
from connector.observe.table import TABLE

_HEAD = f"""\
# Metrics

Served on `/metrics` by the admin listener (`admin.host`, `admin.port`), under the prefix `{PREFIX}`. This page is made
from the table in `connector/observe/table.py`; a test fails when the two differ.

A [shadow](shadow.md) (`delivery.mode: shadow`) has the same metrics under `{SHADOWS_PREFIX}`, so that no alert and no
dashboard takes for deliveries what it counts.

Every series whose labels are known beforehand starts at 0. Labels are bounded: no offsets, no phone numbers, and no
ids but those of the services that the settings list; a class that no table knows is counted as `other`. Beside these
the listener serves the `process_…` metrics of prometheus-client: memory, CPU time, open files, start time. A page costs
4.4 ms of the event loop at 1,000 partitions (`python -m benchmarks.metrics_page`, 2026-11-30), and is
compressed on a thread.

Prometheus' text format, or OpenMetrics for who asks for it (`Accept`), as Prometheus does: the same series and no
others, none named `…_created`. OpenMetrics also has exemplars, a span beside each bucket of `post_seconds` and
`end_to_end_seconds`, where [tracing](tracing.md) is on.

At rest the books of a process balance:

```
records_taken = records_accepted + records_retried + records_dead_lettered
              + records_duplicate + records_not_ours + records_skipped + records_released + records_in_hand
```

| metric | answers | kind | labels | tells |
|---|---|---|---|---|
"""


def reference() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(map(_row, TABLE)) + "\n" + _edges(row for row in TABLE if row.edges)


def _row(row: Definition) -> str:
    labels = "; ".join(map(_label, row.labels)) or "none"
    return f"| `{row.exported_name}` | {QUESTIONS[row.name]} | {row.kind.value} | {labels} | {row.help} |\n"


def _label(label: Label) -> str:
    values = label.bound or ", ".join(f"`{value}`" for value in label.values or ())
    return f"`{label.name}`: {values}"


def _edges(rows: Iterable[Definition]) -> str:
    lines = [f"- `{row.exported_name}`: {', '.join(f'`{edge}`' for edge in row.edges)}\n" for row in rows]
    return "Values of the label `le` of the histograms' buckets, in seconds, beside `+Inf`:\n\n" + "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
