"""What waits in a retry topic, and what it becomes when somebody expedites or drops it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import envelope
from connector.core.envelope import Cause, History, Names, Origin, opened, retry_headers
from connector.core.letters.letter import OURS, SPRING, DeadLetter, letter_of
from connector.core.letters.retry import (
    DUE_ALREADY,
    NOT_OURS,
    OPERATOR_DROPPED,
    Standing,
    dropped_headers,
    expedited_headers,
    rewritten_headers,
    stays,
)
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Stage
from connector.core.settled_map import Run

MAIN, RETRY = Partition("main", 3), Partition("retry", 0)
BUSY = Cause(Stage.INVOKE, "vendor_temporary", "busy", 500, "1010", "req-1")
NUMBERS = st.integers(0, 2**40)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["traceparent", "invoke.due", "x"]), st.none() | st.binary(max_size=9)), max_size=4
)
HISTORIES = st.builds(
    History,
    st.builds(Origin, st.just(MAIN), NUMBERS, st.none() | NUMBERS),
    st.integers(1, 90),
    NUMBERS,
    st.integers(0, 3),
    NUMBERS,
)


def copy(headers: Headers, offset: int = 0, epoch: int = 4) -> Record:
    return Record(RETRY, offset, 2**41, b"key", b"value", headers, epoch)


@given(HISTORIES, HEADERS, NUMBERS)
def test_an_expedited_copy_differs_in_nothing_but_its_due_time_and_when_it_was_rewritten(
    history: History, original: list[tuple[str, bytes | None]], due_ms: int
) -> None:
    """Also where the producer uses our names: its own headers stay as they are."""
    before = next(retry_headers(tuple(original), history, BUSY, 2**40))
    after = expedited_headers(before, due_ms)
    assert opened(copy(after)) == (opened(copy(before))[0]._replace(due_ms=due_ms), tuple(original))
    assert [name for name, _ in after[:-2]] == [name for name, _ in before[:-1]]
    assert after[-2] == (envelope.REWRITTEN, str(due_ms).encode())


@given(HISTORIES, HEADERS)
def test_a_rewritten_copy_differs_from_the_old_one_and_from_those_of_other_runs(
    history: History, original: list[tuple[str, bytes | None]]
) -> None:
    """`offsets translate` would take one for the other. Whoever posts it, and whoever lists it, sees no difference."""
    before = next(retry_headers(tuple(original), history, BUSY, 2**40))
    once = rewritten_headers(before, 2**41)
    again = rewritten_headers(once, 2**42)
    assert len({before, once, again}) == 3
    assert again == rewritten_headers(before, 2**42)
    for after in (once, again):
        assert opened(copy(after)) == opened(copy(before))
        assert letter_of(copy(after))._replace(record=copy(before)) == letter_of(copy(before))


@given(HEADERS)
def test_another_programs_record_is_rewritten_as_it_is(headers: list[tuple[str, bytes | None]]) -> None:
    assert rewritten_headers(tuple(headers), 2**41) == tuple(headers)


@given(HISTORIES, HEADERS)
def test_a_dropped_copy_keeps_its_original_headers_its_history_and_what_the_vendor_said(
    history: History, original: list[tuple[str, bytes | None]]
) -> None:
    before = copy(next(retry_headers(tuple(original), history, BUSY, 2**40)))
    after = letter_of(before._replace(headers=dropped_headers(before, Names("group"), 2**42)))
    assert (after.code, after.stage, after.original) == (OPERATOR_DROPPED, Stage.ROUTE, tuple(original))
    assert (after.status, after.vendor_code, after.request_id) == (500, "1010", "req-1")
    assert (after.attempts, after.maybe_delivered) == (history.attempts, history.maybe_delivered)
    assert (after.last_failure_ms, after.due_ms) == (2**42, None)
    assert after.origin == history.origin._replace(timestamp_ms=None)
    assert after.reason == "an operator took it out of the retry topic, where it was for vendor_temporary"


@pytest.mark.parametrize(
    ("letter", "expedite", "why"),
    [
        (DeadLetter(copy(()), OURS, (), "busy", due_ms=11), True, None),
        (DeadLetter(copy(()), OURS, (), "busy", due_ms=10), True, DUE_ALREADY),
        (DeadLetter(copy(()), OURS, (), "busy", due_ms=10), False, None),
        (DeadLetter(copy(()), OURS, (), "busy"), False, NOT_OURS),
        (DeadLetter(copy(()), SPRING, (), "busy", due_ms=11), True, NOT_OURS),
    ],
)
def test_what_stays_as_it_is(letter: DeadLetter, expedite: bool, why: str | None) -> None:
    assert stays(letter, 10, expedite=expedite) == why


@given(st.sets(st.integers(0, 60), max_size=20), st.integers(0, 30), st.integers(0, 60))
def test_what_waits_is_what_is_behind_the_commit_and_in_no_run_of_its_epoch(
    settled: set[int], base: int, end: int
) -> None:
    """As a naive model has it: a run for each offset, of epoch 4; records of epoch 5 are others."""
    standing = Standing(base, end, [Run(offset, offset, 4) for offset in sorted(settled) if offset >= base])
    waits = {offset for offset in range(70) if standing.waits(copy((), offset))}
    assert waits == set(range(base, end)) - settled
    assert all(standing.waits(copy((), offset, epoch=5)) for offset in range(base, end))


def test_a_damaged_class_says_nothing_more_than_ours_would() -> None:
    headers = next(retry_headers((), History(Origin(MAIN, 1, 1)), BUSY._replace(code="12025550123"), 1))
    dropped = dict(dropped_headers(copy(headers), Names("group"), 2))
    assert b"12025550123" not in (dropped[envelope.REASON] or b"")
