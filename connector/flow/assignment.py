"""One partition while it is ours: what waits, what is on the road, and what is settled.

The object is the fence: a late answer finds its assignment `gone` and changes nothing, whoever owns the partition now.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque

from typing_extensions import override

from connector.core.destination import ToDeadLetter
from connector.core.envelope import History
from connector.core.offsets import OffsetTracker
from connector.core.outcome import Outcome
from connector.core.record import Headers, Partition, Record
from connector.core.request import InvokeRequest
from connector.core.settled_map import LogIdentity, Run
from connector.core.signals import Commit


class Delivery:
    """One record on its way through the process. Exactly one of `request` and `refused` is set.

    `refused_service` is the service id of one whose request was refused, where it may be shown.

    `posting`: its post was begun (at `began`), and nothing is known of it yet. `tries` counts posts in its place that
    were never sent, or turned away unread; `trials` how often it was tried in a hold, or was a reason for one.
    `was_kept`: by the brake on dead letters, which does so once.
    """

    __slots__ = (
        "assignment",
        "began",
        "created_ms",
        "end_user",
        "event_id",
        "expires_ms",
        "headers",
        "history",
        "lane",
        "outcome",
        "post_seconds",
        "posting",
        "record",
        "refused",
        "refused_service",
        "request",
        "traceparent",
        "trials",
        "tries",
        "was_kept",
    )

    def __init__(self, assignment: Assignment, record: Record, history: History, headers: Headers) -> None:
        self.assignment = assignment
        self.record = record
        self.history = history
        self.headers = headers
        self.event_id: str | None = None
        self.end_user = ""
        self.lane: str | None = None
        self.request: InvokeRequest | None = None
        self.refused: ToDeadLetter | None = None
        self.refused_service: str | None = None
        self.expires_ms: int | None = None
        self.created_ms: int | None = None
        self.traceparent: str | None = None
        self.outcome: Outcome | None = None
        self.post_seconds = 0.0
        self.began = 0.0
        self.posting = False
        self.tries = 0
        self.trials = 0
        self.was_kept = False

    @property
    def service_id(self) -> str:
        """The service to be triggered; "" for a record that was refused."""
        return "" if self.request is None else self.request.service_id

    @property
    def trace_id(self) -> str | None:
        """The trace that the producer's `traceparent` names."""
        return None if self.traceparent is None else self.traceparent.split("-")[1]


class Assignment:
    """A partition from its commit on, until it is released or lost. `delayed`: of a retry topic.

    `known` is what was settled beyond its commit before it came here. `uncovered` of its records settled here are in
    no acknowledged commit, neither below its offset nor in its map, which reaches up to the offset `reach`. `mapped`:
    a map has room for all that is settled ahead. `brims`: it has too many records in hand to take more. `paused`:
    somebody said so; what was taken before waits in `paused_deliveries`. `rests_since_ms`: while it is stuck and
    nothing of it is in memory, Kafka's time of what would be next, or when it began to rest if nothing was known then.
    `head_due` and `head_history`: offset, due time and history of a retry partition's head that was looked at last.
    """

    __slots__ = (
        "answered",
        "asleep",
        "brims",
        "committed",
        "crowded",
        "delayed",
        "expected",
        "head_due",
        "head_history",
        "identity",
        "idle",
        "lanes",
        "leaving",
        "mapped",
        "open",
        "open_bytes",
        "over",
        "partition",
        "paused",
        "paused_deliveries",
        "posting",
        "queue",
        "reach",
        "reached",
        "ready",
        "rests_since_ms",
        "rewound",
        "stuck",
        "tracker",
        "uncovered",
    )

    def __init__(
        self,
        partition: Partition,
        committed: Commit,
        *,
        delayed: bool,
        identity: LogIdentity | None = None,
        known: tuple[Run, ...] = (),
    ) -> None:
        self.partition = partition
        self.delayed = delayed
        self.identity = identity
        self.mapped = identity is not None
        self.tracker = OffsetTracker(committed.offset, known)
        self.committed = committed
        self.reach = known[-1].last if known else -1
        self.answered = 0
        self.uncovered = 0
        self.crowded = False
        self.brims = False
        self.expected = committed.offset
        self.queue: deque[Record] = deque()
        self.open: dict[int, Record] = {}
        self.open_bytes = 0
        self.lanes: dict[str, deque[Delivery]] = {}
        self.posting = 0
        self.paused = False
        self.paused_deliveries: deque[Delivery] = deque()
        self.ready = False
        self.stuck: Counter[str] = Counter()
        self.asleep = False
        self.rewound = False
        self.rests_since_ms: int | None = None
        self.head_due: tuple[int, int] | None = None
        self.head_history: History | None = None
        self.reached = -1
        self.leaving = asyncio.Event()
        self.over = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    @override
    def __repr__(self) -> str:
        return f"Assignment({self.partition}, {self.tracker!r}, queued={len(self.queue)}, posting={self.posting})"

    @property
    def gone(self) -> bool:
        """Whether it is ours no more: from here on a late answer changes nothing."""
        return self.over.is_set()

    def wants(self, offset: int) -> bool:
        """Whether a record that was taken may still be worked on.

        While the partition is leaving, only one with a later record that was posted and that no map will tell of: left
        where it is, it would keep that one from being committed, and whoever comes next would post it again.
        """
        return not self.gone and (not self.leaving.is_set() or (offset < self.reached and not self.mapped))

    async def unwanted_within(self, seconds: float, offset: int) -> bool:
        """Wait before a record is tried again; True when it is not to be tried any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (self.over if self.leaving.is_set() else self.leaving).wait()
        return not self.wants(offset)

    def stick(self, reason: str) -> None:
        """Take nothing new for this reason, until each of those who said it takes it back."""
        self.stuck[reason] += 1

    def unstick(self, reason: str) -> bool:
        """Take a reason back; whether it was the last one of its kind."""
        self.stuck[reason] -= 1
        if self.stuck[reason]:
            return False
        del self.stuck[reason]
        return True

    def begin(self, offset: int) -> None:
        """A worker takes one of this partition's records in hand."""
        if not self.posting:
            self.idle.clear()
        self.posting += 1
        if offset > self.reached:
            self.reached = offset

    def end(self) -> None:
        """The worker is done with it, whatever came of it."""
        self.posting -= 1
        if not self.posting:
            self.idle.set()

    async def leaves_within(self, seconds: float) -> bool:
        """Wait so long, or until the partition has to go; whether it has to."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.leaving.wait()
        return self.leaving.is_set()

    def oldest_ms(self) -> int | None:
        """Kafka's time of the record that holds the commit back, else of the next one waiting, also where it rests."""
        record = self.open.get(self.tracker.committable) or (self.queue[0] if self.queue else None)
        return self.rests_since_ms if record is None else record.timestamp_ms
