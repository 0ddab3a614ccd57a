"""Looks at a running process for the page that it shows."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from connector import __version__
from connector.config.settings import Settings
from connector.core.outcome import Table
from connector.core.record import Partition
from connector.edge.kafka.source import KafkaSource
from connector.engine.engine import Engine
from connector.engine.holds import Hold
from connector.engine.partition import Assignment
from connector.engine.ports import Clock
from connector.observe.metrics import Metrics
from connector.observe.page.glance import COMMIT, DUE, Answered, Glance, Held, Place, Times, Wait
from connector.observe.page.html import Page, page
from connector.observe.recent import Recent, Since
from connector.runtime.commands import EngineCommands
from connector.runtime.health import Health
from connector.runtime.reach import Reach
from connector.runtime.view import View

_MINUTE = 60.0


class Looked(NamedTuple):
    """What is looked at."""

    engine: Engine
    source: KafkaSource
    reach: Reach
    commands: EngineCommands
    health: Health
    view: View


class Glancer:
    """Looks each second, to know since when things have been so, and puts one look together when somebody asks."""

    def __init__(self, settings: Settings, clock: Clock, table: Table, metrics: Metrics, looked: Looked) -> None:
        self._settings = settings
        self._clock = clock
        self._meanings = {row.code: row.why for row in reversed(table.rows())}
        self._looked = looked
        self._recent = Recent(metrics, clock.monotonic())
        self._since = Since[tuple[Partition, str]]()
        self._host = socket.gethostname()
        self._started_ms = clock.now_ms()
        self._joined_at: float | None = None

    def look(self) -> None:
        """About each second."""
        now = self._clock.monotonic()
        if not self._looked.health.is_joined:
            self._joined_at = None
        elif self._joined_at is None:
            self._joined_at = now
        self._recent.look(now)
        self._see_waits()

    def page(self) -> Page:
        """The page of now."""
        self.look()
        return page(self._glance())

    def _glance(self) -> Glance:
        engine, source, reach, commands, health, view = self._looked
        now, now_ms, recent = self._clock.monotonic(), self._clock.now_ms(), self._recent
        places = tuple(self._places())
        accepted_at = recent.last_accepted()
        quiet_since = max((at for at in (self._joined_at, accepted_at) if at is not None), default=now)
        return Glance(
            host=self._host,
            version=__version__,
            group=self._settings.kafka.group_id,
            base_url=self._settings.openmarket.base_url,
            is_cie=self._settings.openmarket.is_cie,
            is_shadow=self._settings.is_shadow,
            now_ms=now_ms,
            started_ms=self._started_ms,
            is_joined=health.is_joined,
            is_ready=view.is_ready(),
            kafka_since_ms=None if reach.down_since is None else now_ms - round((now - reach.down_since) * 1000),
            missing=tuple(sorted(source.missing)),
            holds=tuple(map(self._held, engine.holds.in_force)),
            paused=tuple(commands.paused()),
            places=places,
            minutes=round(recent.span / _MINUTE),
            accepted_minute=recent.accepted(now, _MINUTE),
            accepted=recent.accepted(now, recent.span),
            quiet=max(0.0, now - quiet_since),
            was_accepted=accepted_at is not None,
            oldest=max((place.oldest or 0.0 for place in places), default=0.0),
            in_hand=engine.in_hand,
            in_flight=engine.in_flight,
            in_flight_limit=engine.limits.limit,
            uncommitted=engine.commits.uncommitted,
            waiting=view.records_waiting(),
            answers=tuple(
                Answered(code, latest, total, self._meanings.get(code, ""))
                for code, (latest, total) in recent.answers().items()
            ),
            post=Times(*recent.bounds("post_seconds", 0.5, 0.99)),
            end_to_end=Times(*recent.bounds("end_to_end_seconds", 0.5, 0.99)),
            runbooks=self._settings.admin.runbooks_url,
        )

    def _held(self, hold: Hold) -> Held:
        tries = hold.tries
        wait = None if tries is None else max(0.0, tries.due - self._clock.monotonic())
        made = None if tries is None else tries.made
        reason = hold.reason
        return Held(hold.kind, reason.code, reason.why, reason.remedy, hold.since_ms, hold.stops_posting, made, wait)

    def _places(self) -> Iterator[Place]:
        view, holds = self._looked.view, self._looked.engine.holds.in_force
        lags = view.lags()
        ages, since = dict(view.ages(lags)), self._see_waits()
        held_ms = min((hold.since_ms for hold in holds if hold.stops_posting), default=0)
        for partition, assignment in self._looked.engine.assignments.items():
            waits = tuple(
                Wait(reason, since.get((partition, reason), held_ms), _due_ms(assignment) if reason == DUE else None)
                for reason in view.waits_for(partition, assignment, lags)
            )
            yield Place(partition, lags.get(partition), len(assignment.open), ages.get(partition), waits)

    def _see_waits(self) -> Mapping[tuple[Partition, str], int]:
        """All but for the holds, which know since when they are."""
        engine = self._looked.engine
        assignments = engine.assignments.items()
        of_all = (COMMIT,) if engine.commits.stop_posting else ()
        return self._since.look(
            self._clock.now_ms(),
            ((p, reason) for p, a in assignments for reason in (*_own(a), *of_all)),
        )


def _own(assignment: Assignment) -> Iterable[str]:
    """Why it waits when no other does."""
    return assignment.blocks or ((DUE,) if assignment.asleep else ())


def _due_ms(assignment: Assignment) -> int | None:
    return None if assignment.head_due is None else assignment.head_due[1]
