"""Which partitions have something to hand out: those of each side take turns."""

from __future__ import annotations

from collections import deque

from connector.engine.partition import Assignment


class Turns:
    """The partitions of the main topic, and those of the retry topics (`delayed`), that may have a record to take."""

    def __init__(self) -> None:
        self.fresh: deque[Assignment] = deque()
        self.delayed: deque[Assignment] = deque()

    def add(self, assignment: Assignment) -> None:
        """The partition may have something to hand out (again)."""
        if assignment.queue and not assignment.ready:
            assignment.ready = True
            (self.delayed if assignment.delayed else self.fresh).append(assignment)
