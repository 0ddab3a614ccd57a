"""The delivery ledger, reported by what writes it."""

from __future__ import annotations

from connector.core.record import Partition
from connector.observe.events.reporter import Reporter


class LedgerEvents(Reporter):
    """What gets into the ledger, and what does not."""

    _is_failing = False

    def ledger_written(self, count: int) -> None:
        """So many entries were acknowledged."""
        self._count("ledger_written", by=count)
        if self._is_failing:
            self._is_failing = False
            self._log.info("ledger_recovered")

    def ledger_unread(self, partition: Partition, code: str) -> None:
        """What was accepted of a partition before it came here is not known: repeats of it will be posted."""
        self._count("ledger_unread", code)
        self._log.warning("ledger_unread", topic=partition.topic, partition=partition.number, code=code)

    def ledger_failed(self, code: str, topic: str, remedy: str, count: int, *, left_out: bool) -> None:
        """So many entries were not acknowledged. `left_out`: they never will be; else their records wait for them."""
        self._is_failing = True
        self._count("ledger_left_out" if left_out else "ledger_refused", code, by=count)
        if self._admit_standing("ledger_failed", code):
            level = self._log.warning if left_out else self._log.error
            level("ledger_failed", topic=topic, code=code, required=not left_out, remedy=remedy)
