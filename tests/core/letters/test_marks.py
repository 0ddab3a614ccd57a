"""Marks of what was redriven name exactly the offsets that were, whatever else lies in the topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import REDRIVEN
from connector.core.letters.marks import Redriven, mark, runs_of
from connector.core.record import Partition, Record

DLQ = Partition("dlq", 0)
OFFSETS = st.sets(st.integers(0, 300), min_size=1)


def record(offset: int, header: bytes | None) -> Record:
    return Record(DLQ, offset, 0, None, b"{}", ((REDRIVEN, header),))


@given(OFFSETS, OFFSETS, st.integers(0, 300))
def test_marks_name_what_they_were_made_of(first: set[int], second: set[int], base: int) -> None:
    """Two marks together name the offsets of both, from the base on and nothing else."""
    redriven = Redriven()
    redriven.begin(DLQ, base)
    for offsets in (first, second):
        made = mark(offsets, "main", 0)
        assert redriven.see(Record(DLQ, 1_000, 0, None, made.value, made.headers))
    named = {offset for offset in range(400) if redriven.has(Record(DLQ, offset, 0, None, None))}
    assert named == {offset for offset in first | second if offset >= base}
    assert len(redriven) == len(named)


@pytest.mark.parametrize("header", [None, b"", b"-", b"5-3", b"1,,2", b"x", b"0-99999999999", b"7", b"3-7"])
def test_a_mark_that_is_damaged_or_tells_of_what_comes_later_names_nothing(header: bytes | None) -> None:
    """A letter that counts as redriven is never redriven: nobody may say so by accident."""
    assert runs_of(record(7, header)) == []


def test_a_letter_is_no_mark() -> None:
    redriven = Redriven()
    letter = Record(DLQ, 0, 0, None, b"")
    assert not redriven.see(letter)
    assert not redriven.has(letter)
    assert runs_of(letter._replace(headers=(("x", b"1"),))) is None
