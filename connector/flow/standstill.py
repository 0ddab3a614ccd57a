"""Why a partition takes nothing new for a while, and what lets it go on: the others are not kept by it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from connector.core.signals import SchemaNeeded
from connector.flow.assignment import Assignment
from connector.flow.ports import Decoder
from connector.flow.sleep import Sleepers
from connector.observe.events import Events

_SCHEMA = "schema"
_FAULT = "fault"
_MAP = "map"
_ROOM = "room"

_FIRST_BACKOFF = 0.5
"""Seconds between the first two tries of a schema look-up, doubled up to what the decoder says; its partition waits
meanwhile, since a registry that is down says nothing about the record."""

_SOON = 5.0
_KEPT_MEANWHILE = 200
"""A partition that is asked for again within so many seconds keeps up to so many records in memory: the decoder is told
that they were there, and need not wait as long again for each of them."""


class Standstill:
    """Stops partitions, and lets them go on. `look_again` is told of one that may go on, `in_background` runs what
    takes time."""

    def __init__(
        self,
        decoder: Decoder,
        sleepers: Sleepers,
        events: Events,
        *,
        look_again: Callable[[Assignment], None],
        in_background: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._decoder = decoder
        self._sleepers = sleepers
        self._events = events
        self._look_again = look_again
        self._in_background = in_background

    def stick(self, assignment: Assignment, reason: str) -> None:
        """Take nothing new of it until it is unstuck from this reason and from all others."""
        assignment.stick(reason)
        self._sleepers.rest(assignment)

    def unstick(self, assignment: Assignment, reason: str) -> None:
        """This reason is over."""
        assignment.unstick(reason)
        self._sleepers.go_on(assignment)

    def fetch(self, assignment: Assignment, needed: SchemaNeeded) -> None:
        """A schema is missing: ask for it until it comes."""
        assignment.stick(_SCHEMA)
        self._in_background(self._fetch_until_known(assignment, needed))

    def stop(self, assignment: Assignment, error: Exception) -> None:
        """Nothing more of this partition is taken until it is assigned anew: what is open stays uncommitted."""
        self.stick(assignment, _FAULT)
        self._events.partition_stopped(assignment.partition, error)

    def map_is_crowded(self, assignment: Assignment) -> None:
        """What is settled ahead of its commit nearly fills the commit's metadata."""
        self.stick(assignment, _MAP)

    def map_has_room(self, assignment: Assignment) -> None:
        """It does no more."""
        if _MAP in assignment.stuck:
            self.unstick(assignment, _MAP)
        self._look_again(assignment)

    def brims(self, assignment: Assignment) -> None:
        """So much of it waits for slow or busy end users that there would be no room for other partitions."""
        assignment.brims = True
        self.stick(assignment, _ROOM)

    def brims_no_more(self, assignment: Assignment) -> None:
        """There is room again."""
        assignment.brims = False
        self.unstick(assignment, _ROOM)
        self._look_again(assignment)

    async def _fetch_until_known(self, assignment: Assignment, needed: SchemaNeeded) -> None:
        backoff = _FIRST_BACKOFF
        try:
            while not assignment.leaving.is_set():
                newest = assignment.queue[-1].offset if assignment.queue else needed.offset
                missing = await self._decoder.fetch(needed, newest)
                if missing is None:
                    break
                self._events.schema_unavailable(needed, missing)
                if missing.again > _SOON or len(assignment.queue) > _KEPT_MEANWHILE:
                    self._sleepers.rest(assignment)
                if await assignment.leaves_within(backoff):
                    return
                backoff = min(backoff * 2, missing.again)
        except Exception as error:  # a bug of ours must stop one partition, and say so
            self.stop(assignment, error)
            return
        self.unstick(assignment, _SCHEMA)
        self._look_again(assignment)
