"""Event ids that were accepted a short time ago, so that what a producer wrote twice is posted once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from connector.core.record import Partition
from connector.engine.blocks import Blocks
from connector.engine.context import Context
from connector.engine.messages import Recall, Recalled
from connector.engine.partition import Assignment, Block, Delivery

MOST = 200_000
"""Ids that are remembered: some 50 MB. Beyond it the oldest are forgotten before their time."""

_PARTS = 8
"""The ids lie in so many parts at least, each of which is forgotten as a whole."""

_Accepted = dict[tuple[str, Partition], int]
"""By event id and the partition of the producer's record: when it was accepted, in ms since the epoch."""


class Recent:
    """Remembers for `window_ms` which event ids were accepted, by the partition of the producer's record. What was
    accepted stays so: it is remembered beyond rebalances. `recalls`: the ledger is asked what others accepted."""

    def __init__(self, window_ms: int, *, recalls: bool, blocks: Blocks, context: Context, most: int = MOST) -> None:
        self._window_ms = window_ms
        self._recalls = recalls
        self._blocks = blocks
        self._now, _, self._outbox, self._events = context
        self._most_of_a_part = most // _PARTS
        self._parts: deque[_Accepted] = deque([{}])
        self._ends_at = 0

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def has(self, delivery: Delivery) -> bool:
        """Whether an event of this id was accepted within the time."""
        if delivery.event_id is None:
            return False
        key = delivery.event_id, delivery.history.origin.partition
        for part in reversed(self._parts):
            accepted_ms = part.get(key)
            if accepted_ms is not None and self._now.ms - accepted_ms < self._window_ms:
                return True
        return False

    def accepted(self, delivery: Delivery) -> None:
        """The vendor accepted it."""
        if delivery.event_id is not None:
            self._take(delivery.event_id, delivery.history.origin.partition, self._now.ms)

    def recall(self, assignment: Assignment) -> None:
        """A partition came: where the ledger knows what others accepted of it, nothing of it is posted before it said
        so. One of a retry topic has records of many origins, and is not asked for."""
        if self._recalls and not assignment.delayed and not assignment.leaving:
            assignment.block(Block.LEDGER)
            self._outbox.append(Recall(assignment, self._now.ms - self._window_ms))

    def recalled(self, event: Recalled) -> None:
        """The ledger said it, or could not."""
        assignment = event.recall.assignment
        if event.failed is not None:
            self._events.ledger_unread(assignment.partition, event.failed)
        self._take_all(assignment.partition, event.accepted)
        self._blocks.remove(assignment, Block.LEDGER)

    def _take_all(self, partition: Partition, accepted: Iterable[tuple[str, int]]) -> None:
        for event_id, accepted_ms in accepted:
            self._take(event_id, partition, accepted_ms)

    def _take(self, event_id: str, partition: Partition, accepted_ms: int) -> None:
        part = self._parts[-1]
        if len(part) >= self._most_of_a_part or self._now.ms >= self._ends_at:
            part = self._next_part()
        part[event_id, partition] = accepted_ms

    def _next_part(self) -> _Accepted:
        self._ends_at = self._now.ms + self._window_ms // _PARTS
        oldest = self._now.ms - self._window_ms
        while self._parts and (not self._parts[0] or max(self._parts[0].values()) <= oldest):
            self._parts.popleft()
        while len(self) > self._most_of_a_part * (_PARTS - 1):
            self._events.event_ids_forgotten(len(self._parts.popleft()))
        self._parts.append({})
        return self._parts[-1]
