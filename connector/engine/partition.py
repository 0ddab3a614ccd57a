"""One partition while it is ours, with the records of it that were taken: what waits, and what is settled.

The object is the fence: a late answer finds its assignment `gone` and changes nothing, even if it is ours again.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum

from typing_extensions import override

from connector.core.destination import ToDeadLetter
from connector.core.envelope import History
from connector.core.offsets import OffsetTracker
from connector.core.outcome import Outcome
from connector.core.record import Headers, Partition, Record
from connector.core.request import InvokeRequest
from connector.core.settled_map import LogIdentity, Run
from connector.core.signals import Commit
from connector.core.trace import TraceContext


class Block(StrEnum):
    """Why a partition takes nothing new, in the words of `/status` and of `partitions_waiting`."""

    RETRY_WRITE = "retry write"
    DEAD_LETTER_WRITE = "dead_letter write"
    SCHEMA = "schema"
    LEDGER = "ledger"
    """It is asked what was accepted before the partition came here."""
    FAULT = "fault"
    """A bug of ours."""
    MAP = "map"
    """What is settled ahead of its commit nearly fills the commit's metadata."""
    MEMORY = "room"
    """It has so much in hand that there would be no room for the others."""
    PAUSED = "paused"


class Delivery:
    """A record that was taken. Exactly one of `request` and `refused` is set.

    `shown_service` is the service id that was asked for, where it was read and may be shown.

    `waits`: it is first in its lane, and waits for its turn. `posting`: its post was begun (at `began`), and nothing is
    known of it yet. `tries` counts posts in its place that were never sent, or turned away unread; `trials` how often
    it was tried in a hold, or was a reason for one. `was_kept`: by the brake on dead letters, which does so once.
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
        "request",
        "shown_service",
        "size",
        "trace",
        "trials",
        "tries",
        "waits",
        "was_kept",
    )

    def __init__(self, assignment: Assignment, record: Record, history: History, headers: Headers) -> None:
        self.assignment = assignment
        self.record = record
        self.size = record.size
        self.history = history
        self.headers = headers
        self.event_id: str | None = None
        self.end_user = ""
        self.lane: str | None = None
        self.request: InvokeRequest | None = None
        self.refused: ToDeadLetter | None = None
        self.shown_service: str | None = None
        self.expires_ms: int | None = None
        self.created_ms: int | None = None
        self.trace: TraceContext | None = None
        self.outcome: Outcome | None = None
        self.post_seconds = 0.0
        self.began = 0.0
        self.waits = False
        self.posting = False
        self.tries = 0
        self.trials = 0
        self.was_kept = False

    @override
    def __repr__(self) -> str:
        return f"Delivery({self.record.partition}:{self.record.offset})"

    @property
    def service_id(self) -> str:
        """The service to be triggered; "" for a record that was refused."""
        return "" if self.request is None else self.request.service_id

    @property
    def trace_id(self) -> str | None:
        """The trace that the producer's `traceparent` names."""
        return None if self.trace is None else self.trace.parent.split("-")[1]

    @property
    def is_wanted(self) -> bool:
        """Whether it may still be worked on: see `Assignment.wants`."""
        return self.assignment.wants(self.record.offset)

    @property
    def holds_commit_back(self) -> bool:
        """Whether nothing but itself keeps it from being committed."""
        return self.record.offset == self.assignment.tracker.committable


class Assignment:
    """A partition from its commit on, until it is released or lost. `delayed`: of a retry topic.

    `known` is what was settled beyond its commit before it came here. `uncovered` of its records settled here are in
    no acknowledged commit, neither below its offset nor in its map, which reaches up to the offset `mapped_up_to`.
    `mapped`: a map has room for all that is settled ahead; `crowded`: only just. `settled_count` were settled here, and
    `last_begun` is the highest offset that was begun. `parked` was taken before somebody paused it.
    `rests_since_ms`: while it is blocked and nothing of it is in memory, Kafka's time of what would be next, or when it
    began to rest if nothing was known then. `head_due` and `head_history`: offset, due time and history of a retry
    partition's head that was looked at last.
    """

    __slots__ = (
        "asleep",
        "at_work",
        "blocks",
        "committed",
        "crowded",
        "delayed",
        "expected",
        "gone",
        "head_due",
        "head_history",
        "identity",
        "lanes",
        "last_begun",
        "leaving",
        "mapped",
        "mapped_up_to",
        "open",
        "open_bytes",
        "parked",
        "partition",
        "queue",
        "ready",
        "rests_since_ms",
        "rewound",
        "settled_count",
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
        self.mapped_up_to = known[-1].last if known else -1
        self.settled_count = 0
        self.uncovered = 0
        self.crowded = False
        self.expected = committed.offset
        self.queue: deque[Record] = deque()
        self.open: dict[int, Delivery] = {}
        self.open_bytes = 0
        # The second and later records of each lane that has one in hand; None for no such record.
        self.lanes: dict[str, deque[Delivery] | None] = {}
        # Its deliveries that are posted, or whose copies are written.
        self.at_work = 0
        self.parked: deque[Delivery] = deque()
        self.ready = False
        self.blocks: Counter[Block] = Counter()
        self.asleep = False
        self.rewound = False
        self.rests_since_ms: int | None = None
        self.head_due: tuple[int, int] | None = None
        self.head_history: History | None = None
        self.last_begun = -1
        self.leaving = False
        self.gone = False

    @override
    def __repr__(self) -> str:
        return f"Assignment({self.partition}, {self.tracker!r}, queued={len(self.queue)}, at_work={self.at_work})"

    def wants(self, offset: int) -> bool:
        """Whether a record that was taken may still be worked on.

        While the partition is leaving, only one with a later record that was posted and that no map will tell of: left
        where it is, it would keep that one from being committed, and the next owner would post it again.
        """
        return not self.leaving or (not self.gone and offset < self.last_begun and not self.mapped)

    def go(self) -> None:
        """It is ours no more: from here on a late answer changes nothing, and nothing waits here for one."""
        self.leaving = self.gone = True
        for waiting in (self.open, self.lanes, self.parked):
            waiting.clear()

    def block(self, reason: Block) -> None:
        """Take nothing new for this reason, until each of those who gave it takes it back."""
        self.blocks[reason] += 1

    def unblock(self, reason: Block) -> bool:
        """Take a reason back; whether it was the last one of its kind."""
        self.blocks[reason] -= 1
        if self.blocks[reason]:
            return False
        del self.blocks[reason]
        return True

    def begin(self, offset: int) -> None:
        """One of its records is about to be posted, or to be settled without a post."""
        self.at_work += 1
        if offset > self.last_begun:
            self.last_begun = offset

    def see_end(self) -> bool:
        """Whether all that was offered was taken; then what lies up to the next offset expected is no record."""
        if self.queue:
            return False
        self.tracker.pass_over(self.expected)
        return True

    def oldest_ms(self) -> int | None:
        """Kafka's time of the record that holds the commit back, else of the next one waiting, also where it rests."""
        holding = self.open.get(self.tracker.committable)
        record = holding.record if holding is not None else self.queue[0] if self.queue else None
        return self.rests_since_ms if record is None else record.timestamp_ms
