"""Fetch what the tests run beside them, before any test waits for it: `python -m tests.support.prefetch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from tests.support import apache_kafka, prometheus, registry
from tests.support.jars import UnavailableError, class_path

SERVERS: Mapping[str, Callable[[], object]] = {
    "Apache Kafka for the tests (45 MB, fetched once)": lambda: class_path(apache_kafka.COORDINATES),
    "The schema registry for the tests (142 MB, fetched once)": registry.fetch,
    "Prometheus for the tests (19 MB, fetched once)": lambda: prometheus.program("promtool"),
}


def main() -> int:
    """Return 1 in CI when something cannot be had; elsewhere its tests are skipped and say so."""
    for name, fetch in SERVERS.items():
        print(f"{name} ...", flush=True)  # noqa: T201 - a command's progress
        try:
            fetch()
        except UnavailableError as why:
            print(why, file=sys.stderr)  # noqa: T201 - as above
            return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
