"""Which part of the deployment's rate is ours, so that those of all processes never add up to more than the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from connector.core.pace import Part, share_of
from connector.core.record import Partition
from connector.engine.timers import Now, Timers

_EVERYBODY_KNOWS = 30.0
"""Seconds after which every process has been told that a topic has more partitions: each asks every ten."""

_PATIENCE = 10.0
"""Seconds without a count after which none is expected: librdkafka's mock cluster never tells it."""


class _View(NamedTuple):
    """How many partitions each topic had, and until when somebody may still believe it."""

    counts: Mapping[str, int]
    until: float


class Shares:
    """`stale`: time has passed, or a topic was counted, so that the share may be another one."""

    def __init__(self, delayed: Collection[str], now: Now, timers: Timers) -> None:
        """`delayed` are the retry topics."""
        self._delayed = delayed
        self._now = now
        self._timers = timers
        self._counts: Mapping[str, int] = {}
        self._earlier: list[_View] = []
        self._unknown_since: dict[str, float] = {}
        self.stale = False

    def counted(self, partitions: Mapping[str, int]) -> None:
        """These topics have this many partitions each.

        What a process has of new ones counts only when the others have heard of them too: until then theirs are parts
        of the old number.
        """
        if any(self._counts.get(topic, count) != count for topic, count in partitions.items()):
            self._earlier.append(_View(self._counts, self._now.seconds + _EVERYBODY_KNOWS))
            self._timers.after(_EVERYBODY_KNOWS, self._grow_stale)
        self._counts = {**self._counts, **partitions}
        self._grow_stale()

    def of(self, ours: Iterable[Partition]) -> float:
        """The share of who has these partitions: the smallest that anybody may believe."""
        ours, now, self.stale = list(ours), self._now.seconds, False
        counts = {**self._guesses(ours, now), **self._counts}
        self._earlier = [view for view in self._earlier if view.until > now]
        return min(self._under(view, ours) for view in (counts, *({**counts, **v.counts} for v in self._earlier)))

    def _under(self, counts: Mapping[str, int], ours: Iterable[Partition]) -> float:
        mine = Counter(each.topic in self._delayed for each in ours if each.number < counts.get(each.topic, 0))
        all_of = Counter[bool]()
        for topic, count in counts.items():
            all_of[topic in self._delayed] += count
        return share_of(Part(mine[False], all_of[False]), Part(mine[True], all_of[True]))

    def _guesses(self, ours: Iterable[Partition], now: float) -> Mapping[str, int]:
        """Where Kafka has told nothing of a topic for long enough, what is ours counts as all there is."""
        guesses: dict[str, int] = {}
        for topic, number in ours:
            if topic not in self._counts:
                if topic not in self._unknown_since:
                    self._unknown_since[topic] = now
                    self._timers.after(_PATIENCE, self._grow_stale)
                told_nothing = now >= self._unknown_since[topic] + _PATIENCE
                guesses[topic] = max(guesses.get(topic, 0), number + 1) if told_nothing else 0
        return guesses

    def _grow_stale(self) -> None:
        self.stale = True
