"""Where a mirror goes on: never past a record that is not settled, and exactly there where the mirror is whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.mirrored import Found, Mark, Unfound, Walk, digest_of, earliest_ms, marks_of
from connector.core.record import Partition, Record
from connector.core.settled_map import Run

HERE, THERE = Partition("invocations", 0), Partition("mirror", 0)


def record(number: int, offset: int | None = None, partition: Partition = HERE) -> Record:
    """One that no other number has."""
    return Record(partition, number if offset is None else offset, 1000 + number, b"key", b"%d" % number)


def mirrored(numbers: Iterable[int], first: int = 0, step: int = 1) -> list[Record]:
    """A mirror of these records, at offsets of its own."""
    return [record(number, first + step * place, THERE) for place, number in enumerate(numbers)]


def walked(marks: Sequence[Mark], mirror: Iterable[Record]) -> Found | Unfound:
    walk = Walk(marks, lambda _record: False)
    for each in mirror:
        if walk.see(each):
            break
    return walk.result()


def skipped(found: Found, mirror: Iterable[Record]) -> list[int]:
    """The numbers of the records that are not posted after this commit."""
    return [
        int(each.value or b"")
        for each in mirror
        if each.offset < found.offset
        or any(run.first <= each.offset <= run.last and run.epoch == each.leader_epoch for run in found.runs)
    ]


@st.composite
def sources(draw: st.DrawFn) -> tuple[int, set[int], list[Mark]]:
    """How many records there are, which are settled, and their marks; all that is before the commit is settled."""
    count = draw(st.integers(1, 40))
    commit = draw(st.integers(0, count))
    settled = set(range(commit)) | {each for each in draw(st.sets(st.integers(0, count))) if commit < each < count}
    marks = [Mark(n, 1000 + n, digest_of(record(n)), n in settled) for n in range(count)]
    return count, settled, marks[draw(st.integers(0, max(commit - 1, 0))) :]


@given(sources(), st.integers(0, 1000), st.integers(1, 3))
def test_of_a_whole_mirror_exactly_what_is_settled_is_skipped(
    source: tuple[int, set[int], list[Mark]], first: int, step: int
) -> None:
    count, settled, marks = source
    mirror = [each._replace(leader_epoch=4) for each in mirrored(range(count), first, step)]
    found = walked(marks, mirror)
    assert isinstance(found, Found)
    assert set(skipped(found, mirror)) == settled
    assert sum(found.counts) == sum(each.offset >= found.offset for each in mirror if int(each.value or b"") in settled)
    assert found.behind == 0


@given(sources(), st.data())
def test_whatever_a_mirror_leaves_out_or_writes_twice_nothing_is_lost(
    source: tuple[int, set[int], list[Mark]], data: st.DataObject
) -> None:
    """Compaction and retention take records, a crash of the mirror repeats some: what is skipped was settled."""
    count, settled, marks = source
    whole = list(range(count))
    at = data.draw(st.integers(0, count))
    back = data.draw(st.integers(0, at))
    again = [*whole[:at], *whole[back:]]
    kept = [each for each in again if data.draw(st.integers(0, 5))]
    mirror = [each._replace(leader_epoch=0) for each in mirrored(kept, 7)]
    found = walked(marks, mirror)
    if isinstance(found, Found):
        assert set(skipped(found, mirror)) <= settled


def test_a_record_that_the_source_does_not_have_between_its_own_is_told() -> None:
    marks = list(marks_of(map(record, range(10)), 5, (), 100))
    mirror = mirrored([0, 1, 2, 77, 3, 4, 5])
    assert walked(marks, mirror) == Unfound("foreign", 3)


def test_what_was_written_at_the_mirror_after_the_last_one_is_posted() -> None:
    marks = list(marks_of(map(record, range(10)), 10, (), 100))
    found = walked(marks[:9], mirrored([*range(9), 77, 78]))
    assert found == Found(9, (), (), 9, 0)


def test_a_mirror_that_has_not_come_so_far_is_behind() -> None:
    marks = list(marks_of(map(record, range(10)), 8, (), 100))
    assert walked(marks, mirrored(range(6))) == Found(6, (), (), 6, 2)


def test_a_topic_without_any_of_the_records_is_no_mirror() -> None:
    marks = list(marks_of(map(record, range(10)), 5, (), 100))
    assert walked(marks, mirrored(range(50, 60))) == Unfound("unlike")


def test_a_mirror_that_has_older_records_and_not_those_before_the_commit_is_none() -> None:
    """What lies there instead may be anything, and would be passed over."""
    marks = list(marks_of(map(record, range(5, 10)), 7, (), 100))
    assert walked(marks, mirrored([3, 4, 7, 8, 9])) == Unfound("unlike")


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.data())
def test_of_records_that_are_the_same_in_every_byte_none_is_lost(numbers: list[int], data: st.DataObject) -> None:
    """Some were aborted: they count as settled, and a mirror has them or not. It may write some twice."""
    count = len(numbers)
    commit = data.draw(st.integers(0, count))
    ahead = data.draw(st.sets(st.integers(0, count)))
    settled = {place for place in range(count) if place < commit or place in ahead}
    marks = [Mark(n, 1000, digest_of(record(number)), n in settled) for n, number in enumerate(numbers)]
    at = data.draw(st.integers(0, count))
    again = [*range(at), *range(data.draw(st.integers(0, at)), count)]
    kept = [place for place in again if place not in settled or data.draw(st.booleans())]
    mirror = [record(numbers[place], offset, THERE) for offset, place in enumerate(kept)]
    found = walked(marks, [each._replace(leader_epoch=0) for each in mirror])
    if isinstance(found, Found):
        passed = {kept[offset] for offset in range(found.offset)}
        passed |= {kept[offset] for run in found.runs for offset in range(run.first, run.last + 1)}
        assert passed <= settled


def test_what_an_aborted_transaction_left_and_its_repetition_are_not_taken_for_each_other() -> None:
    """The source has X and Y twice, aborted and then committed. The mirror has only the second ones, not settled."""
    twice = [0, 1, 2, 1, 2]
    marks = [Mark(n, 1000, digest_of(record(number)), n < 3) for n, number in enumerate(twice)]
    assert walked(marks, mirrored([0, 1, 2])) == Unfound("alike", 1)


def test_twins_of_which_all_are_settled_or_none_are_no_reason_to_refuse() -> None:
    marks = [Mark(n, 1000, digest_of(record(number)), n < 2) for n, number in enumerate([1, 1, 2, 2])]
    assert walked(marks, mirrored([1, 1, 2, 2])) == Found(2, (), (), 4, 0)


def test_a_twin_that_the_mirrors_own_reader_settled_is_settled_whichever_it_is() -> None:
    marks = [Mark(n, 1000, digest_of(record(number)), n < 1) for n, number in enumerate([1, 1, 2])]
    walk = Walk(marks, lambda each: each.offset < 2)
    for each in mirrored([1, 1, 2]):
        walk.see(each)
    assert walk.result() == Found(2, (), (), 3, 0)


def test_what_the_mirror_settled_itself_is_not_posted_again() -> None:
    marks = list(marks_of(map(record, range(10)), 4, (), 100))
    walk = Walk(marks, lambda each: each.offset < 6)
    for each in mirrored(range(10)):
        walk.see(each)
    assert walk.result() == Found(6, (), (), 10, 0)


def test_marks_end_some_records_behind_the_last_settled_one() -> None:
    marks = list(marks_of((each._replace(leader_epoch=2) for each in map(record, range(100))), 3, [Run(5, 6, 2)], 4))
    assert [mark.offset for mark in marks if mark.settled] == [0, 1, 2, 5, 6]
    assert marks[-1].offset == 10


def test_a_record_of_another_epoch_than_the_maps_is_not_settled() -> None:
    marks = list(marks_of((each._replace(leader_epoch=3) for each in map(record, range(9))), 3, [Run(5, 6, 2)], 4))
    assert [mark.offset for mark in marks if mark.settled] == [0, 1, 2]


@pytest.mark.parametrize(
    "other",
    [
        record(1)._replace(timestamp_ms=None),
        record(1)._replace(key=None),
        record(1)._replace(key=b""),
        record(1)._replace(value=None),
        record(1)._replace(headers=(("a", None),)),
        record(1)._replace(headers=(("a", b""),)),
        record(1)._replace(headers=(("a", b"1"),)),
        record(1)._replace(key=b"key1", value=b""),
    ],
)
def test_every_part_of_a_record_tells_it_apart(other: Record) -> None:
    assert digest_of(other) != digest_of(record(1))


def test_neither_place_nor_epoch_is_part_of_what_a_record_is() -> None:
    """The digest is golden: a file that one release exported is compared by another."""
    assert digest_of(record(1)) == digest_of(record(1, 99, THERE)._replace(leader_epoch=7))
    assert digest_of(record(1)._replace(headers=(("h", b"v"), ("n", None)))).hex() == GOLDEN


def test_the_earliest_time_is_known_only_when_every_time_is() -> None:
    marks = [Mark(0, 5, b"", True), Mark(1, 3, b"", True)]
    assert earliest_ms(marks) == 3
    assert earliest_ms([*marks, Mark(2, None, b"", True)]) is None
    assert earliest_ms([]) is None


GOLDEN = "fdd9983e2ca9ba4a0bf6772ae27ac017"


def test_what_others_wrote_behind_the_source_is_told_by_its_first_record() -> None:
    """It is posted; only where a record of the source comes after it, nobody knows what it is."""
    marks = list(marks_of(map(record, range(10)), 5, (), 100))
    assert walked(marks, mirrored([0, 1, 77, 78, 2, 3, 4, 5])) == Unfound("foreign", 2)
