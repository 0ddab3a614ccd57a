"""The process itself, reported by what runs it: start and stop, and secrets that change."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from connector.observe.events.reporter import Reporter

_MEND = "put it right: until then what was read before stays in force, and a restart would fail"
_RESTART = "restart this process: what reads this file does so at start only"


class ProcessEvents(Reporter):
    """From the first line to the last."""

    def starting(self, settings: Mapping[str, object], cie: bool) -> None:
        """The process starts with these settings (secrets left out). `cie`: the vendor's test environment."""
        self._metrics.provide("cie", lambda: float(cie))
        self._log.info("starting", settings=dict(settings), cie=cie)
        if cie:
            self._log.warning("test_environment", remedy="set openmarket.base_url to production: CIE reaches nobody")

    def shadow(self, posts: bool) -> None:
        """Nothing is delivered by this process. `posts`: to the test environment all the same."""
        where = "what is posted goes to the test environment only" if posts else "nothing is posted"
        self._log.warning("shadow", why=where, remedy="to deliver, leave delivery.mode out, and name another group")

    def ready(self) -> None:
        """`/readyz` succeeds from here on."""
        self._log.info("ready")

    def stopping(self, reason: str) -> None:
        """Nothing new is taken from here on."""
        self._log.info("stopping", reason=reason)

    def stopped(self, clean: bool) -> None:
        """The process ends. Not `clean`: the drain's budget ran out, and posts under way may be repeated."""
        self.report_left_out(math.inf)
        (self._log.info if clean else self._log.warning)("stopped", clean=clean)

    def source_failed(self, code: str, remedy: str) -> None:
        """Kafka refused for good, or a bug of ours keeps us from going on; the process ends with exit code 1."""
        self._count("source_failures", code)
        self._log.error("source_failed", code=code, remedy=remedy)

    def spans_lost(self, result: str, count: int, reason: str | None = None) -> None:
        """So many spans did not get to the collector; nothing else is lost. `reason` is in the library's words."""
        self._count("spans", result, by=count)
        if self._admit_standing("spans_lost", result):
            self._log.warning("spans_lost", result=result, reason=reason)

    def spans_exported(self, count: int) -> None:
        """The collector took this many spans."""
        self._count("spans", "exported", by=count)

    def secrets_renewed(self, settings: Collection[str]) -> None:
        """The files of these settings changed, and what they hold is in force from here on."""
        self._count("secret_changes", "renewed")
        self._log.info("secrets_renewed", settings=sorted(settings))

    def secrets_unusable(self, settings: Collection[str], why: str) -> None:
        """The files of these settings changed and cannot be used; what was read before stays in force."""
        self._count("secret_changes", "unusable")
        self._log.warning("secrets_unusable", settings=sorted(settings), why=why, remedy=_MEND)

    def restart_needed(self, settings: Collection[str]) -> None:
        """The files of these settings changed, and are read at start only."""
        self._count("secret_changes", "restart_needed")
        self._log.warning("restart_needed", settings=sorted(settings), remedy=_RESTART)
