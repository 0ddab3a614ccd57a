"""Events that were accepted a short time ago, so that what a producer wrote twice is posted once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

from connector.core.ledger import Accepted
from connector.core.record import Partition
from connector.engine.blocks import Blocks
from connector.engine.context import Context
from connector.engine.messages import Recall, Recalled
from connector.engine.partition import Assignment, Block, Delivery

MOST = 200_000
"""Events that are remembered: some 60 MB. Beyond it the oldest are forgotten before their time."""

_PARTS = 8
"""They lie in this many parts at least, each of which is forgotten as a whole."""

_Times = dict[tuple[str, Partition], int]
"""By event, service and end user in one text, and the partition of the producer's record: when it was accepted, in ms
since the epoch."""

_Told = tuple[str, str, bytes, Partition]
"""What the ledger knows an event by: event id, service id, HMAC of the end user, partition of the producer's record."""


class Recent:
    """Remembers for `window_ms` which events were accepted, by the partition of the producer's record. One of the same
    id for somebody else, or for another service, is another one. What was accepted stays so: it is remembered beyond
    rebalances. `hmac_of` an end user, as in the ledger, which is asked what others accepted; None: it is not."""

    def __init__(
        self,
        window_ms: int,
        *,
        hmac_of: Callable[[str], bytes] | None,
        blocks: Blocks,
        context: Context,
        most: int = MOST,
    ) -> None:
        self._window_ms = window_ms
        self._hmac_of = hmac_of
        self._blocks = blocks
        self._now, _, self._outbox, self._events = context
        self._most_of_a_part = most // _PARTS
        self._parts: deque[_Times] = deque([{}])
        self._ends_at = 0
        # What the ledger told. It is forgotten first.
        self._recalled: dict[_Told, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + len(self._recalled)

    def has(self, delivery: Delivery) -> bool:
        """Whether this event was accepted within the time."""
        if delivery.event_id is None:
            return False
        key = _key(delivery)
        for part in reversed(self._parts):
            accepted_ms = part.get(key)
            if accepted_ms is not None and self._now.ms - accepted_ms < self._window_ms:
                return True
        return bool(self._recalled) and self._was_recalled(delivery, delivery.event_id)

    def accepted(self, delivery: Delivery) -> None:
        """The vendor accepted it."""
        if delivery.event_id is None:
            return
        part = self._parts[-1]
        if len(part) >= self._most_of_a_part or self._now.ms >= self._ends_at:
            part = self._next_part()
        part[_key(delivery)] = self._now.ms

    def recall(self, assignment: Assignment) -> None:
        """A partition came: where the ledger knows what others accepted of it, nothing of it is posted before it said
        so. One of a retry topic has records of many origins, and is not asked for."""
        if self._hmac_of is not None and not assignment.delayed and not assignment.leaving:
            assignment.block(Block.LEDGER)
            self._outbox.append(Recall(assignment, self._now.ms - self._window_ms))

    def recalled(self, event: Recalled) -> None:
        """The ledger said it, or could not."""
        assignment = event.recall.assignment
        if event.failed is not None:
            self._events.ledger_unread(assignment.partition, event.failed)
        self._take_recalled(assignment.partition, event.accepted)
        self._blocks.remove(assignment, Block.LEDGER)

    def _was_recalled(self, delivery: Delivery, event_id: str) -> bool:
        """Where the service may not be shown, the ledger does not name it: then nothing is known."""
        if self._hmac_of is None or delivery.shown_service is None:
            return False
        hmac, partition = self._hmac_of(delivery.end_user), delivery.history.origin.partition
        accepted_ms = self._recalled.get((event_id, delivery.shown_service, hmac, partition))
        return accepted_ms is not None and self._now.ms - accepted_ms < self._window_ms

    def _take_recalled(self, partition: Partition, accepted: Iterable[Accepted]) -> None:
        """Only into room that is free, the newest first: what this process accepted is worth more."""
        self._forget_old()
        told = sorted(accepted, reverse=True)
        room = self._most_of_a_part * (_PARTS - 1) - (len(self) - len(self._parts[-1]))
        if len(told) > room:
            self._events.event_ids_forgotten(len(told) - max(room, 0))
        for accepted_ms, event_id, service_id, hmac in reversed(told[: max(room, 0)]):
            self._recalled[event_id, service_id, hmac, partition] = accepted_ms

    def _next_part(self) -> _Times:
        self._ends_at = self._now.ms + self._window_ms // _PARTS
        self._forget_old()
        while (excess := len(self) - self._most_of_a_part * (_PARTS - 1)) > 0:
            if self._recalled:
                first = list(islice(self._recalled, excess))
                for told in first:
                    del self._recalled[told]
                self._events.event_ids_forgotten(len(first))
            else:
                self._events.event_ids_forgotten(len(self._parts.popleft()))
        self._parts.append({})
        return self._parts[-1]

    def _forget_old(self) -> None:
        oldest = self._now.ms - self._window_ms
        while self._parts and (not self._parts[0] or max(self._parts[0].values()) <= oldest):
            self._parts.popleft()
        if not self._parts:
            self._parts.append({})
        self._recalled = {told: accepted_ms for told, accepted_ms in self._recalled.items() if accepted_ms > oldest}


def _key(delivery: Delivery) -> tuple[str, Partition]:
    return f"{delivery.event_id} {delivery.service_id} {delivery.end_user}", delivery.history.origin.partition
