"""Fetch what the tests run beside them, before any test waits for it: `python -m tests.support.prefetch`."""

from __future__ import annotations

import os
import sys

from connector.cli import apache_kafka
from connector.cli.jars import UnavailableError, class_path

SERVERS = {"Apache Kafka for the tests (45 MB, fetched once)": apache_kafka.COORDINATES}


def main() -> int:
    """Return 1 in CI when something cannot be had; elsewhere its tests are skipped and say so."""
    for name, coordinates in SERVERS.items():
        print(f"{name} ...", flush=True)  # noqa: T201 - a command's progress
        try:
            class_path(coordinates)
        except UnavailableError as why:
            print(why, file=sys.stderr)  # noqa: T201 - as above
            return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
