"""A record on its way to the retry or the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from connector.core.destination import ToDeadLetter, ToRetry
from connector.core.envelope import Letter
from connector.core.record import Headers
from connector.engine.partition import Block, Delivery

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 30.0
"""Seconds between tries of a copy that was refused: for ever, as the alternative is to lose the record."""

Target = Literal["retry", "dead_letter"]


class Copy:
    """A delivery's record on its way to `topic`, with the headers of the first step of the `ladder` that is not too
    large; beyond the last one it is the letter that `summarize` makes.

    `began`: when its first write did (seconds).
    """

    __slots__ = (
        "_ladder",
        "_summarize",
        "backoff",
        "began",
        "delivery",
        "destination",
        "headers",
        "is_summary",
        "key",
        "reason",
        "target",
        "topic",
        "value",
    )

    def __init__(
        self,
        delivery: Delivery,
        destination: ToRetry | ToDeadLetter,
        topic: str,
        ladder: Iterator[Headers],
        summarize: Callable[[], Letter] | None,
        began: float,
    ) -> None:
        is_retry = isinstance(destination, ToRetry)
        self.target: Target = "retry" if is_retry else "dead_letter"
        self.reason = Block.RETRY_WRITE if is_retry else Block.DEAD_LETTER_WRITE
        self.delivery = delivery
        self.destination = destination
        self.topic = topic
        self.began = began
        self.backoff = FIRST_BACKOFF
        self.is_summary = False
        self._ladder = ladder
        self._summarize = summarize
        self.key, self.value, self.headers = delivery.record.key, delivery.record.value, next(ladder)

    def shrink(self) -> bool:
        """Take the next step; False when there is none."""
        smaller = next(self._ladder, None)
        if smaller is not None:
            self.headers = smaller
            return True
        if self._summarize is None or self.is_summary:
            return False
        self.key, self.value, self.headers = self._summarize()
        self.is_summary = True
        return True
