"""Counting: everything is counted once, in bounded memory."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import envelope
from connector.core.envelope import Cause, History, Names, Origin
from connector.core.letters.marks import mark
from connector.core.letters.remedies import remedy_of
from connector.core.letters.report import report
from connector.core.letters.tally import HOUR_MS, NOT_DECODED, OTHER, Tally, schema_text
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Stage

MAIN = Partition("main", 0)
CODES = st.lists(st.sampled_from(["rejected", "expired", "bad_key"]), max_size=30)


def headers(code: str, reason: str = "why", maybe: int = 0, stage: Stage = Stage.INVOKE) -> Headers:
    history = History(Origin(MAIN, 1, 0), maybe_delivered=maybe)
    return next(envelope.dead_letter_headers((("x", b"y"),), history, Cause(stage, code, reason), Names("c"), 0))


def add(
    tally: Tally, offset: int, given_: Headers, value: bytes | None = b"\x00\x00\x00\x00\x07..", time: int = 0
) -> None:
    tally.add(Record(Partition("dlq", 0), offset, time, b"k", value, given_), value, given_, time)


def itself(record: Record) -> Record:
    """What is added here."""
    return record


@given(CODES)
def test_each_letter_is_counted_once(codes: list[str]) -> None:
    tally = Tally(lambda value, headers: "0A", itself)
    for offset, code in enumerate(codes):
        add(tally, offset, headers(code))
    found = report(tally, 0)
    assert found.letters == len(codes)
    assert found.by["class"] == dict(Counter(codes).most_common())
    assert all(sum(counts.values()) == len(codes) for counts in found.by.values())
    assert sum(found.over_time.values()) == len(codes)


@given(st.sampled_from([None, 400]), st.sampled_from([None, "12"]), st.booleans(), st.integers(0, 1), st.integers(0, 2))
def test_a_letter_counts_the_same_however_much_its_topic_took(
    status: int | None, vendor_code: str | None, with_id: bool, maybe: int, step: int
) -> None:
    """What is found by its place is what is found by its name."""
    cause = Cause(Stage.INVOKE, "rejected", "why", status, vendor_code, "id" if with_id else None)
    history = History(Origin(MAIN, 1, 0), maybe_delivered=maybe)
    written = list(envelope.dead_letter_headers((("x", b"y"),), history, cause, Names("c"), 0))
    tally = Tally(lambda value, headers: "0A", itself)
    add(tally, 0, written[step])
    ((kind, count, example),) = tally.kinds()
    assert (kind.code, kind.stage, kind.vendor_code, kind.topic) == ("rejected", "invoke", vendor_code or "", "main")
    assert (kind.is_possible_duplicate, kind.reason) == (maybe > 0, "" if step else "why")
    assert (count, kind.schema) == (1, "id 7")
    assert example is not None


@pytest.mark.parametrize(
    ("head", "schema"),
    [
        (b"\1" + bytes(16), "GUID 00000000-0000-0000-0000-000000000000"),
        (b"\3\0" + bytes(16), "AWS Glue 00000000-0000-0000-0000-000000000000"),
        (b"\3\5" + bytes(16), "AWS Glue 00000000-0000-0000-0000-000000000000"),
        (b"\1" + bytes(15), "none"),
        (b"\1" + bytes(9), "none"),
        (b"\1" + bytes(4), "none"),
        (b"\3\5" + bytes(15), "none"),
        (b"\3\1" + bytes(16), "none"),
        (b"\0\0", "none"),
        (b"\xc3\1" + bytes(7), "none"),
        (b"{", "none"),
        (None, "null value"),
    ],
)
def test_a_letter_is_counted_by_what_names_its_schema(head: bytes | None, schema: str) -> None:
    """What was cut off names none."""
    tally = Tally(lambda value, headers: "0A", itself)
    add(tally, 0, headers("undecodable"), head)
    assert report(tally, 0).by["schema"] == {schema: 1}


def test_a_copy_for_the_retry_topic_is_of_the_topic_that_it_began_in() -> None:
    tally = Tally(lambda value, headers: "0A", itself)
    add(tally, 0, next(envelope.retry_headers((), History(Origin(MAIN, 1, 0)), Cause(Stage.INVOKE, "busy", ""), 0)))
    assert report(tally, 0).by["topic"] == {"main": 1}


def test_marks_are_no_letters() -> None:
    tally = Tally(lambda value, headers: None, itself)
    add(tally, 9, mark({1, 2, 5}, "main", 0).headers)
    assert (tally.letters, tally.redriven) == (0, 3)
    assert report(tally, 0).over_time == {}


def test_letters_of_others_are_counted() -> None:
    tally = Tally(lambda value, headers: None, itself)
    add(
        tally,
        0,
        (("kafka_dlt-original-topic", b"orders"), ("kafka_dlt-exception-fqcn", b"a.B")),
        b"\xc3\x01" + bytes(8),
    )
    add(tally, 1, (), None)
    add(tally, 2, (("invoke.header-count", None),), b"{}")
    found = report(tally, 0)
    assert found.by["class"] == {"none": 2, "B": 1}
    assert found.by["schema"] == {"fingerprint 0000000000000000": 1, "null value": 1, "none": 1}
    assert found.by["service_id"] == {NOT_DECODED: 3}


@pytest.mark.parametrize("of_ours", [True, False])
def test_memory_is_bounded_whatever_the_reasons_are(of_ours: bool) -> None:
    """Beyond the bound reasons are not told apart any more; every letter is still counted."""
    names = iter(f"service-{number}" for number in range(100))
    tally = Tally(lambda value, headers: next(names), itself, most_kinds=5, most_services=3)
    for number in range(100):
        reason = f"reason {number}"
        connect = (("__connect.errors.topic", b"t"), ("__connect.errors.exception.message", reason.encode()))
        add(tally, number, headers("rejected", reason) if of_ours else connect)
    assert len(list(tally.kinds())) <= 6
    assert sum(count for _, count, _ in tally.kinds()) == 100
    assert tally.services[OTHER] == 97


@given(CODES, CODES)
def test_what_another_tally_counted_is_added(codes: list[str], others: list[str]) -> None:
    """As if one had counted all; letters of other programs, marks and services too."""
    connect = (("__connect.errors.topic", b"t"), ("__connect.errors.exception.message", b"broken"))
    tallies = [Tally(lambda value, headers: "0A", itself) for _ in range(3)]
    for tally, given_ in zip(tallies, (codes, others, codes + others), strict=True):
        for offset, code in enumerate(given_):
            add(tally, offset, headers(code))
            add(tally, offset, connect, None)
            add(tally, offset, mark({offset}, "main", 0).headers)
    first, second, whole = tallies
    first.take(second.counted())
    assert report(first, 0)[:5] == report(whole, 0)[:5]
    assert [each[:4] for each in report(first, 0).reasons] == [each[:4] for each in report(whole, 0).reasons]
    assert all(example is not None for kind, _, example in first.kinds() if kind.topic == "main")


def test_memory_is_bounded_by_what_another_tally_counted_too() -> None:
    names = iter(f"service-{number}" for number in range(200))
    first, second = (Tally(lambda value, headers: next(names), itself, most_kinds=5, most_services=3) for _ in range(2))
    for tally, begin in ((first, 0), (second, 50)):
        for number in range(begin, begin + 50):
            reason = f"reason {number}"
            connect = (("__connect.errors.topic", b"t"), ("__connect.errors.exception.message", reason.encode()))
            add(tally, number, headers("rejected", reason))
            add(tally, number, connect)
    first.take(second.counted())
    assert len(list(first.kinds())) <= 2 * 6
    assert sum(count for _, count, _ in first.kinds()) == first.letters == 200


def test_reasons_that_differ_in_numbers_only_are_one() -> None:
    tally = Tally(lambda value, headers: None, itself)
    for number in (12, 7, 3):
        add(tally, number, headers("expired", f"{number} s past its time"))
    (reason,) = report(tally, 0).reasons
    assert (reason.text, reason.letters) == ("N s past its time", 3)
    assert reason.example is not None
    assert reason.example.offset == 12


def test_letters_of_weeks_are_shown_by_day() -> None:
    tally = Tally(lambda value, headers: None, itself)
    for day in (0, 2, 3):
        add(tally, day, headers("expired"), time=day * 24 * HOUR_MS)
    add(tally, 9, headers("expired", maybe=1), time=-1)
    foreign = Record(Partition("dlq", 0), 10, None, b"k", b"..", ())
    tally.add(foreign, foreign.value, foreign.headers, -1)
    found = report(tally, 3 * 24 * HOUR_MS)
    assert found.step_ms == 24 * HOUR_MS
    assert list(found.over_time.values()) == [1, 0, 1, 1]
    assert found.by["age"] == {"up to 7 days": 1, "up to 1 day": 1, "up to 1 hour": 1, "unknown": 2}
    assert found.by["possible_duplicate"] == {"no": 4, "yes": 1}


def test_times_far_apart_leave_the_gaps_out() -> None:
    """A producer's clock of 1970 must not make a million rows."""
    tally = Tally(lambda value, headers: None, itself)
    add(tally, 0, headers("expired"), time=0)
    add(tally, 1, headers("expired"), time=500_000 * HOUR_MS)
    assert len(report(tally, 0).over_time) == 2


@pytest.mark.parametrize(
    ("code", "reason", "word"),
    [
        ("expired", "", "held"),
        ("bad_key", "", "255"),
        ("rejected", "", "openmarket.outcomes"),
        ("bad_frame", "value: bad_frame (1 byte); write Avro · other: x; no", "write Avro"),
        ("DataException", "broken", ""),
    ],
)
def test_there_is_a_remedy_for_what_we_know(code: str, reason: str, word: str) -> None:
    assert word in remedy_of(code, reason)
    assert bool(remedy_of(code, reason)) == bool(word)


def test_the_value_of_a_mark_is_for_people() -> None:
    assert json.loads(mark({1, 2, 5}, "main", 9).value)["redriven"] == "1-2,5"


def test_a_kind_without_an_example_is_taken_too() -> None:
    first, second = Tally(lambda value, headers: None, itself), Tally(lambda value, headers: None, itself)
    add(second, 0, headers("rejected"))
    first.take(second.counted()._replace(examples={}))
    assert sum(first.counted().kinds.values()) == 1


def test_the_schema_of_a_value_is_said_by_its_first_bytes() -> None:
    assert schema_text(None) == "null value"
    assert schema_text(b"{}") == "none"
    assert schema_text(b"\x00\x00\x00\x00\x07...") == "id 7"
