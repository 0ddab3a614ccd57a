"""`connector run` looks at its topics as `connector check` does: beside the work, after the start and now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.edge.daemon import in_daemon_thread
from connector.edge.kafka.admin import AdminError, KafkaAdmin, Topic
from connector.edge.kafka.errors import NOT_REACHED
from connector.observe.events import KafkaEvents
from connector.runtime.checks.finding import Finding, Verdict
from connector.runtime.checks.live import topics

_log = logging.getLogger(__name__)

_FIRST, _EVERY, _AGAIN = 2.0, 600.0, 10.0
"""Seconds from the start, for the work to begin first; between two looks, as topics are changed by hand; and after one
that was not answered."""


class _UnansweredError(Exception):
    """The brokers are not reached: nothing is known of the topics."""


class TopicWatch:
    """Says what is wrong with the topics that this process reads and writes, once for each finding, and once when it is
    put right. `findings` are those of the last look. Never keeps anything from going on."""

    def __init__(self, settings: Settings, events: KafkaEvents, is_reached: Callable[[], bool]) -> None:
        self._settings = settings
        self._events = events
        self._is_reached = is_reached
        self._admin: KafkaAdmin | None = None
        self.findings: dict[str, Finding] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await asyncio.sleep(_FIRST)
        while True:
            is_answered = False
            try:
                is_answered = self._is_reached() and await self._look()
            except Exception:  # whatever it is, the topics are worth another look and never the process
                _log.exception("topic_watch_fault")
            await asyncio.sleep(_EVERY if is_answered else _AGAIN)

    def counts(self) -> dict[tuple[str, ...], float]:
        """How many findings there are, by verdict."""
        verdicts = [finding.verdict for finding in self.findings.values()]
        return {(verdict.value,): float(verdicts.count(verdict)) for verdict in (Verdict.WARNING, Verdict.FAILED)}

    async def _look(self) -> bool:
        try:
            found = await in_daemon_thread(self._ask)
        except _UnansweredError:
            return False
        before = self.findings
        self.findings = {finding.name: finding for finding in found if finding.verdict is not Verdict.OK}
        for name, finding in self.findings.items():
            if before.get(name) != finding:
                self._events.topic_unfit(name, finding.verdict.value, finding.why, finding.remedy)
        for name in before.keys() - self.findings.keys():
            self._events.topic_fit(name)
        return True

    def _ask(self) -> list[Finding]:
        admin = self._admin = self._admin or KafkaAdmin(kafka_properties(self._settings.kafka))

        def topic(name: str) -> Topic | None:
            try:
                return admin.topic(name)
            except AdminError as error:
                if error.code in NOT_REACHED:
                    raise _UnansweredError from None
                raise

        return list(topics(topic, self._settings))
