"""The vendor as a queue: N servers side by side, a bounded queue before them. Time is an argument."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappush, heapreplace, nlargest

from connector.simulator.scenario import Capacity


class Queue:
    """First come, first served. Times are seconds since the scenario was set and never go back."""

    def __init__(self, capacity: Capacity) -> None:
        """Start with every server free."""
        self._steps = sorted((step.after, step.count) for step in capacity.servers)
        self._longest = capacity.queue
        self._free_at: list[float] = []
        self._starts: deque[float] = deque()

    def offer(self, now: float, service_seconds: float) -> float | None:
        """Take a request: the seconds until it is done, waiting included. None: the queue is full."""
        self._resize(now)
        while self._starts and self._starts[0] <= now:
            self._starts.popleft()
        start = max(now, self._free_at[0])
        if start > now:
            if len(self._starts) >= self._longest:
                return None
            self._starts.append(start)
        heapreplace(self._free_at, start + service_seconds)
        return start + service_seconds - now

    def _resize(self, now: float) -> None:
        # Before the first step the first step's servers work: a vendor without any is an outage, which is a rule.
        count = next((count for after, count in reversed(self._steps) if after <= now), self._steps[0][1])
        while len(self._free_at) < count:
            heappush(self._free_at, now)
        if len(self._free_at) > count:
            self._free_at = nlargest(count, self._free_at)
            heapify(self._free_at)
