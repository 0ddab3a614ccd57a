"""What waits for its turn on one side: of the main topic, or of the retry topics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from connector.engine.partition import Assignment, Delivery


class Side:
    """`runnable` records are first in their lanes, those `kept_back` too: their service has its part of the posts under
    way. `turns` are the partitions that have more."""

    __slots__ = ("kept_back", "runnable", "turns")

    def __init__(self, turns: deque[Assignment]) -> None:
        self.turns = turns
        self.runnable: deque[Delivery] = deque()
        self.kept_back: dict[str, deque[Delivery]] = {}

    def __iter__(self) -> Iterator[Delivery]:
        return chain(self.runnable, *self.kept_back.values())

    def remove(self, delivery: Delivery) -> None:
        """Take it out, wherever it waits."""
        next(waiting for waiting in (self.runnable, *self.kept_back.values()) if delivery in waiting).remove(delivery)
        delivery.waits = False

    def forget_gone(self) -> None:
        """Drop what is of partitions that left."""
        self.runnable = _still_ours(self.runnable)
        self.kept_back = {service_id: _still_ours(waiting) for service_id, waiting in self.kept_back.items()}


def _still_ours(deliveries: Iterable[Delivery]) -> deque[Delivery]:
    return deque(delivery for delivery in deliveries if not delivery.assignment.gone)
