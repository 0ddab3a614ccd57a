"""A group's commits are used only when nobody could have committed since they were read."""

from __future__ import annotations

from collections.abc import Mapping

from connector.cli.offsets.standstill import Standstill
from connector.core.record import Partition
from connector.core.signals import Commit

PLACE = Partition("invocations", 0)


class Group:
    """Its members and its commit, and what happens when somebody has asked for the commit."""

    def __init__(self, members: int = 0) -> None:
        self.members = members
        self.offset = 50

    def count(self) -> int:
        return self.members

    def read(self) -> Mapping[Partition, Commit]:
        return {PLACE: Commit(self.offset, "")}

    def drains(self) -> None:
        """The last member commits what was under way, and leaves."""
        self.offset, self.members = 60, 0


def test_a_group_without_members_stands_still() -> None:
    group = Group()
    held = Standstill(group.count, group.read)
    assert held.commits == {PLACE: Commit(50, "")}
    assert held.unrest() is None


def test_members_that_leave_while_records_are_compared_count() -> None:
    """They committed meanwhile, or did not: what was read may be old."""
    group = Group(members=2)
    held = Standstill(group.count, group.read)
    group.drains()
    assert held.unrest() == "has 2 members: stop them all first"


def test_members_that_come_while_records_are_compared_count() -> None:
    group = Group()
    held = Standstill(group.count, group.read)
    group.members = 1
    assert held.unrest() == "has 1 members: stop them all first"


def test_a_commit_that_changed_is_not_used() -> None:
    """Somebody was there and has gone again, or committed by hand."""
    group = Group()
    held = Standstill(group.count, group.read)
    group.drains()
    assert held.unrest() == "has committed meanwhile: give the command again"


def test_members_are_counted_before_commits_are_read() -> None:
    """The last one may leave between the two questions: then its last commit is read."""
    asked: list[str] = []

    def count() -> int:
        asked.append("members")
        return 0

    def read() -> Mapping[Partition, Commit]:
        asked.append("commits")
        return {}

    assert Standstill(count, read).unrest() is None
    assert asked == ["members", "commits"] * 2
