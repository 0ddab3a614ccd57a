"""Why a partition cannot be translated: in words that say what helps. Without brokers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from connector.cli.offsets.sources import LiveSource, Reach
from connector.cli.offsets.translation import Left, Refused, Target, Translated, translated
from connector.core.mirrored import Mark, digest_of
from connector.core.record import Partition, Record
from connector.core.signals import Commit
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.identity import Logs
from connector.edge.kafka.stretches import Stretches

HERE, THERE = Partition("invocations", 0), Partition("mirror", 0)


def record(number: int) -> Record:
    return Record(THERE, number, 1000 + number, b"key", b"%d" % number)


class Source(LiveSource):
    """Of these records all before the commit are settled."""

    def __init__(self, numbers: Sequence[int], commit: int) -> None:
        self._marks = [Mark(n, 1000 + n, digest_of(record(n)), n < commit) for n in numbers]
        self.readable = [HERE]

    def marks(self, partition: Partition, reach: Reach) -> list[Mark]:
        return self._marks


class Log(Stretches):
    """The target's records."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def first_since(self, partition: Partition, since_ms: int) -> int | None:
        return next((each.offset for each in self._records if (each.timestamp_ms or 0) >= since_ms), None)

    def read(self, partition: Partition, first: int, end: int) -> Iterator[Record]:
        return (each for each in self._records if first <= each.offset < end)


class Mirror(Target):
    """A target that has these records, at the same offsets."""

    def __init__(
        self,
        numbers: Sequence[int],
        start: int,
        *,
        left: bool = False,
        now: Commit | str | None = None,
        unknown: str = "",
    ) -> None:
        end = numbers[-1] + 1 if numbers else start
        self.left = frozenset([THERE] if left else ())
        self.absent = set()
        self.unknown = {THERE: unknown} if unknown else {}
        self.bounds = {} if unknown or left else {THERE: Bounds(start, end, end)}
        self.committed = {} if now is None else {THERE: now}
        self.logs = Logs()
        self.reader = Log([record(number) for number in numbers])


def told(source: Source, target: Mirror) -> Translated | Left | Refused:
    return translated(source, HERE, target, THERE)


@pytest.mark.parametrize("numbers", [range(0), range(20, 25)])
def test_what_retention_took_at_the_target_is_told(numbers: range) -> None:
    """No mirror catches up with that: also where the log there is empty by now."""
    result = told(Source(range(10), 10), Mirror(numbers, start=20))
    assert isinstance(result, Refused)
    assert "are gone at the target, whose log begins at 20" in result.why


@pytest.mark.parametrize("start", [0, 5])
def test_a_target_with_older_records_only_is_behind(start: int) -> None:
    result = told(Source(range(50, 60), 55), Mirror(range(start, 10), start))
    assert isinstance(result, Refused)
    assert "let the mirror catch up" in result.why


def test_a_target_that_is_empty_and_has_never_been_otherwise_is_behind() -> None:
    result = told(Source(range(10), 10), Mirror((), start=0))
    assert isinstance(result, Refused)
    assert "let the mirror catch up" in result.why


def test_other_records_of_the_same_time_are_no_mirror() -> None:
    target = Mirror(range(10), start=0)
    target.reader = Log([record(n)._replace(key=b"other") for n in range(10)])
    result = told(Source(range(10), 5), target)
    assert isinstance(result, Refused)
    assert "the records do not match" in result.why


def test_a_partition_that_cannot_be_read_at_the_target_is_refused_by_itself() -> None:
    """And can be left: it does not end the command."""
    result = told(Source(range(10), 5), Mirror((), 0, unknown="leader_not_available"))
    assert result == Refused("it cannot be read at the target now (leader_not_available)")


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (None, "kafka.start says where the connector begins"),
        (Commit(7, ""), "its commit at the target, 7, stays, and if a mirror made it kafka.translated says"),
        ("timed_out", "its commit at the target stays"),
    ],
)
def test_a_partition_that_is_left_gets_no_commit_and_what_that_means_is_told(
    now: Commit | str | None, says: str
) -> None:
    result = told(Source(range(10), 5), Mirror((), 0, left=True, now=now))
    assert isinstance(result, Left)
    assert says in result.why
