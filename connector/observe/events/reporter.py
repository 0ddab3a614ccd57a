"""What all reporters have in common: a logger, the metrics, and lines that are left out when there are too many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from connector.core.record import Record
from connector.observe.metrics import Metrics
from connector.observe.sampling import Sampler

STANDING_SECONDS = 60.0
"""Between two lines about what goes on and on."""

_LINES_A_SECOND = 10  # of one event and code: enough to see what happens, too few to fill a disk


class Logger(Protocol):
    """The part of a structlog logger that is used here."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


class Reporter:
    """Call each method from one thread only: the numbers take no lock."""

    def __init__(self, metrics: Metrics, logger: Logger, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._log = logger
        self._monotonic = monotonic
        self._sampler = Sampler(_LINES_A_SECOND)
        self._standing = Sampler(1, STANDING_SECONDS)

    def report_left_out(self, now: float) -> None:
        """Say how many lines were left out in the time that is over. `now`: monotonic seconds, `inf` at the end."""
        for (event, code), count in (*self._sampler.over(now), *self._standing.over(now)):
            self._count("log_lines_left_out", by=count)
            self._log.warning("lines_left_out", of=event, code=code, count=count)

    def _count(self, name: str, *labels: str, by: float = 1) -> None:
        self._metrics.counter(name).at(*labels).value += by

    def _admit(self, event: str, code: str) -> bool:
        now = self._monotonic()
        self.report_left_out(now)
        return self._sampler.admit((event, code), now)

    def _admit_standing(self, event: str, code: str) -> bool:
        """Once a minute: what passes by itself may take hours, and says nothing new meanwhile."""
        now = self._monotonic()
        self.report_left_out(now)
        return self._standing.admit((event, code), now)


def place(record: Record) -> dict[str, object]:
    """The fields that name a record."""
    return {"topic": record.partition.topic, "partition": record.partition.number, "offset": record.offset}
