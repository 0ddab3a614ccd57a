"""A group that stands still: without members from before its commits are read until they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from connector.core.record import Partition
from connector.edge.kafka.groups import KafkaGroups

T = TypeVar("T")


class Standstill(Generic[T]):
    """The commits of a group, and whether they are its last ones: a process that is told to stop drains, and commits
    once more before it leaves."""

    def __init__(self, members: Callable[[], int], read: Callable[[], Mapping[Partition, T]]) -> None:
        """Both ask the brokers, and may raise. Members first: one that left before has committed its last."""
        self._members = members
        self._read = read
        self._before = members()
        self.commits = read()

    def unrest(self) -> str | None:
        """Why the commits that were read may not be used: to be asked when everything else is known."""
        present = self._members() or self._before
        if present:
            return f"has {present} members: stop them all first"
        return None if self._read() == self.commits else "has committed meanwhile: give the command again"


def members_of(groups: KafkaGroups, name: str) -> Callable[[], int]:
    """How many members that group has, whenever it is asked. Raises AdminError."""

    def ask() -> int:
        found = groups.group(name)
        return 0 if found is None else found.members

    return ask
