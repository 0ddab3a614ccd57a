"""What stays and what goes, and how far a partition is done with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import Origin
from connector.core.letters.letter import HEADERS_DROPPED, OURS, SPRING, SUMMARY, DeadLetter
from connector.core.letters.redrive import (
    NOT_OURS,
    POSSIBLE_DUPLICATE,
    TOO_OFTEN,
    UNLIKELY,
    WHY_STAYS,
    Originals,
    Positions,
    RedriveRules,
    stays,
)
from connector.core.record import Partition, Record

DLQ = Partition("dlq", 0)
LETTER = DeadLetter(Record(DLQ, 0, 0, None, b""), OURS, (), "retries_exhausted", stage="invoke")
LETTERS = st.builds(
    LETTER._replace,
    written_by=st.sampled_from([OURS, SPRING]),
    code=st.sampled_from(["retries_exhausted", "rejected", "maybe_delivered", "expired"]),
    maybe_delivered=st.integers(0, 1),
    redrives=st.integers(0, 4),
    lacking=st.sampled_from([None, SUMMARY, HEADERS_DROPPED]),
)
RULES = st.builds(
    RedriveRules,
    include=st.frozensets(st.sampled_from(sorted(UNLIKELY | {HEADERS_DROPPED}))),
    possible_duplicates=st.booleans(),
    max_redrives=st.integers(1, 5),
)


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (LETTER, None),
        (LETTER._replace(written_by=SPRING), NOT_OURS),
        (LETTER._replace(lacking=SUMMARY), SUMMARY),
        (LETTER._replace(lacking=HEADERS_DROPPED), HEADERS_DROPPED),
        (LETTER._replace(redrives=3), TOO_OFTEN),
        (LETTER._replace(maybe_delivered=1), POSSIBLE_DUPLICATE),
        (LETTER._replace(code="maybe_delivered"), POSSIBLE_DUPLICATE),
        (LETTER._replace(code="rejected"), "rejected"),
        (LETTER._replace(code="body_too_large"), "body_too_large"),
        (LETTER._replace(code="body_too_large", stage="request"), None),
        (LETTER._replace(code="operator_dropped", stage="route"), "operator_dropped"),
    ],
)
def test_what_stays_says_why(letter: DeadLetter, why: str | None) -> None:
    assert stays(letter, RedriveRules()) == why


def test_letters_of_one_record_are_known_by_its_place_and_its_bytes() -> None:
    """Not those of another record at the same place, of a topic that was created anew; and none of others."""
    originals = Originals()
    letter = LETTER._replace(origin=Origin(Partition("main", 0), 7, None))
    elsewhere = letter._replace(origin=Origin(Partition("main", 1), 7, None))
    anew = letter._replace(record=letter.record._replace(value=b"another"))
    again = letter._replace(record=letter.record._replace(offset=9), code="rejected")
    told = [originals.has_another(each) for each in (letter, elsewhere, anew, LETTER, LETTER, again)]
    assert told == [False, False, False, False, False, True]


@given(LETTERS, RULES)
def test_nothing_that_may_have_been_delivered_goes_unless_somebody_says_so(
    letter: DeadLetter, rules: RedriveRules
) -> None:
    """And no summary, nothing of others, and nothing beyond the loop guard goes whatever somebody says."""
    why = stays(letter, rules)
    assert why is None or why in WHY_STAYS
    if why is None:
        assert rules.possible_duplicates or not (letter.maybe_delivered or letter.code == "maybe_delivered")
        assert letter.redrives < rules.max_redrives
        assert letter.written_by == OURS
        assert letter.lacking != SUMMARY


@given(LETTERS, RULES)
def test_more_permission_never_takes_less_along(letter: DeadLetter, rules: RedriveRules) -> None:
    everything = RedriveRules(UNLIKELY | {HEADERS_DROPPED}, possible_duplicates=True, max_redrives=rules.max_redrives)
    if stays(letter, rules) is None:
        assert stays(letter, everything) is None


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 5), st.integers(0, 30))
def test_a_position_never_passes_what_stays(done: list[bool], start: int, committed: int) -> None:
    """It is behind the longest run of offsets that need nothing more, and never before the one of earlier."""
    positions = Positions({DLQ: start}, {DLQ: committed})
    for offset, is_done in enumerate(done, start):
        if is_done:
            positions.done(DLQ, offset)
        else:
            positions.stays(DLQ)
    run = next((place for place, each in enumerate(done) if not each), len(done))
    assert positions.moved() == ({DLQ: start + run} if start + run > committed else {})
    assert positions.moved() == {}
