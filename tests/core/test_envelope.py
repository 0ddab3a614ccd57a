"""Headers of copies: they round-trip, keep the original ones byte for byte, and never raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import (
    CONNECT_PREFIX,
    COUNT,
    HEADERS_DROPPED,
    REASON,
    TRACEPARENT,
    Cause,
    History,
    Names,
    Origin,
    dead_letter_headers,
    fresh,
    opened,
    retry_headers,
    split,
    summary,
    traced,
)
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Stage

numbers = st.integers(0, 2**63 - 1)
names = st.text(st.sampled_from("abcXYZ09._-"), min_size=1, max_size=20)
header_names = st.sampled_from(["invoke.attempts", COUNT, "invoke.origin", "x", "traceparent"]) | st.text(max_size=8)
headers = st.lists(st.tuples(header_names, st.none() | st.binary(max_size=20)), max_size=6).map(tuple)
origins = st.builds(Origin, st.builds(Partition, names, st.integers(0, 10_000)), numbers, st.none() | numbers)
histories = st.builds(
    History,
    origin=origins,
    attempts=st.integers(1, 10_000),
    first_failure_ms=st.integers(1, 2**62),
    maybe_delivered=st.integers(0, 100),
    due_ms=numbers,
    late_ms=st.integers(0, 100),
)
causes = st.builds(
    Cause,
    st.sampled_from(Stage),
    st.just("vendor_temporary"),
    st.text(max_size=50),
    status=st.none() | st.integers(100, 999),
    vendor_code=st.none() | st.text(max_size=8),
    request_id=st.none() | st.text(max_size=50),
)

CAUSE = Cause(Stage.INVOKE, "vendor_temporary", "error while processing, temporary", 500, "1010", "REQ-1")
WRITTEN = 2**63 - 1
HISTORY = History(Origin(Partition("invocations", 3), 41, 1_000), attempts=2, first_failure_ms=2_000, due_ms=9_000)
NAMES = Names("invoke-connector")


def record(headers: Headers, timestamp_ms: int | None = WRITTEN) -> Record:
    return Record(Partition("invocations.retry", 0), 7, timestamp_ms, b"k", b"v", headers)


@given(headers, histories, causes)
def test_what_a_retry_copy_carries_comes_back(original: Headers, history: History, cause: Cause) -> None:
    """Decoding the headers of a retry copy gives the history and the original headers, whatever those are."""
    for written in retry_headers(original, history, cause, now_ms=6_000):
        back, theirs = opened(record(written))
        assert back == history
        assert theirs in (original, ())


@given(headers)
def test_any_headers_can_be_read(damaged: Headers) -> None:
    """Headers of the retry topic are untrusted: reading them never raises, and an attempt is always counted."""
    history, _ = opened(record(damaged))
    assert history.attempts >= 1


def test_without_headers_of_ours_the_record_itself_is_the_origin() -> None:
    """A record that somebody else wrote to the retry topic gets the defaults and keeps its headers."""
    strange = (("invoke.attempts", b"7"),)
    assert opened(record(strange)) == (
        History(Origin(Partition("invocations.retry", 0), 7, WRITTEN), 1, WRITTEN),
        strange,
    )


def test_a_record_of_the_main_topic_has_no_history() -> None:
    """`invoke.*` headers on the main topic are somebody else's."""
    assert fresh(record((("invoke.attempts", b"7"),))).attempts == 0


@pytest.mark.parametrize("count", [b"0", b"9", b"-1", b"x", b"", b"99999999999999999999", None])
def test_a_damaged_count_makes_all_headers_original(count: bytes | None) -> None:
    """When it cannot be told which headers are ours, none is taken for ours."""
    written = (("a", b"1"), (COUNT, count))
    assert opened(record(written))[1] == written


@pytest.mark.parametrize("origin", [b"", b"t/1/2", b"t/x/2/3", b"/1/2/3", b"t/1/-2/3", None])
def test_a_damaged_origin_falls_back_on_the_copy(origin: bytes | None) -> None:
    """A dead letter then names the place of the retry copy."""
    written = (("invoke.origin", origin), (COUNT, b"2"))
    assert opened(record(written))[0].origin == Origin(Partition("invocations.retry", 0), 7, WRITTEN)


def test_a_dead_letter_names_the_original_place_as_kafka_connect_does() -> None:
    """Topic, partition and offset are those of the producer's record, as text."""
    found = dict(next(dead_letter_headers((), HISTORY, CAUSE, NAMES, now_ms=6_000)))
    assert {k.removeprefix(CONNECT_PREFIX): v for k, v in found.items() if k.startswith(CONNECT_PREFIX)} == {
        "topic": b"invocations",
        "partition": b"3",
        "offset": b"41",
        "connector.name": b"invoke-connector",
        "task.id": b"0",
        "stage": b"TASK_PUT",
        "class.name": b"connector.edge.openmarket",
        "exception.class.name": b"invoke.vendor_temporary",
        "exception.message": b"error while processing, temporary",
    }


def test_a_dead_letter_carries_what_happened() -> None:
    """Our own headers name class, stage, status, vendor code, request id, attempts and both failures."""
    found = dict(next(dead_letter_headers((), HISTORY._replace(maybe_delivered=1), CAUSE, NAMES, now_ms=6_000)))
    assert {k: v for k, v in found.items() if not k.startswith(CONNECT_PREFIX)} == {
        "invoke.class": b"vendor_temporary",
        "invoke.stage": b"invoke",
        "invoke.reason": b"error while processing, temporary",
        "invoke.http-status": b"500",
        "invoke.vendor-code": b"1010",
        "invoke.request-id": b"REQ-1",
        "invoke.attempts": b"2",
        "invoke.first-failure": b"2000",
        "invoke.last-failure": b"6000",
        "invoke.possible-duplicate": b"1",
        COUNT: b"20",
    }


def test_a_first_failure_is_now_when_there_was_none() -> None:
    """A record refused at its first sight failed first, and last, now."""
    found = dict(next(dead_letter_headers((), History(HISTORY.origin), CAUSE, NAMES, now_ms=6_000)))
    assert (found["invoke.first-failure"], found["invoke.last-failure"]) == (b"6000", b"6000")


def test_too_large_a_copy_loses_our_texts_first_and_then_the_original_headers() -> None:
    """Each step of the ladder is smaller, and says what it left out."""
    full, without_texts, without_originals = dead_letter_headers((("x", b"1"),), HISTORY, CAUSE, NAMES, now_ms=0)
    assert REASON in dict(full)
    assert HEADERS_DROPPED not in dict(full)
    assert REASON not in dict(without_texts)
    assert dict(without_texts)["x"] == b"1"
    assert dict(without_texts)[HEADERS_DROPPED] == b"texts"
    assert "x" not in dict(without_originals)
    assert dict(without_originals)[HEADERS_DROPPED] == b"texts, original"


def test_what_is_left_of_the_original_headers_is_the_small_ones_in_their_order() -> None:
    """They name the value's schema. A name of which one header is large is left out whole: its last one counts."""
    original = (("twice", b"1"), ("id", b"7"), ("twice", b"x" * 2000), ("type", None), ("large", b"x" * 2000))
    *_, some, none = retry_headers(original, HISTORY, CAUSE, now_ms=0)
    assert split(some)[1] == (("id", b"7"), ("type", None))
    assert split(none)[1] == ()
    assert dict(some)[HEADERS_DROPPED] == dict(none)[HEADERS_DROPPED] == b"texts, original"


def test_a_copy_without_original_headers_has_two_steps() -> None:
    """There is nothing of the producer's to leave out."""
    assert len(list(retry_headers((), HISTORY, CAUSE, now_ms=0))) == 2


@given(headers, histories)
def test_headers_do_not_pile_up(original: Headers, history: History) -> None:
    """A record that is retried again and again carries our headers once."""
    once = next(retry_headers(original, history, CAUSE, now_ms=0))
    again, theirs = opened(record(once))
    assert next(retry_headers(theirs, again, CAUSE, now_ms=0)) == once


SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(headers, histories)
def test_a_copy_that_names_its_span_says_all_else_as_it_was(original: Headers, history: History) -> None:
    """Original headers, what it has been through, and the count that tells ours from theirs."""
    plain = next(retry_headers(original, history, CAUSE, now_ms=0))
    with_span = traced(plain, SPAN)
    assert opened(record(with_span)) == opened(record(plain))
    ours, theirs = split(with_span)
    assert theirs == original
    assert ours.pop(TRACEPARENT) == SPAN.encode()
    assert ours.keys() == split(plain)[0].keys()


@given(headers, histories)
def test_a_copy_that_had_to_be_made_smaller_stays_so(original: Headers, history: History) -> None:
    """A span must not be what makes it too large again."""
    _, *smaller = retry_headers(original, history, CAUSE, now_ms=0)
    letter = summary(record(original), history, CAUSE, NAMES, 0)
    assert [traced(each, SPAN) for each in (*smaller, letter.headers)] == [*smaller, letter.headers]


def test_a_record_that_is_no_copy_names_no_span() -> None:
    assert traced((("a", b"b"),), SPAN) == (("a", b"b"),)


def test_a_reason_that_is_cut_stays_text() -> None:
    """Whoever reads the header decodes UTF-8: no character is cut in two."""
    for reason in ("·" * 1000, "x" + "·" * 1000):
        written = dict(next(retry_headers((), HISTORY, CAUSE._replace(reason=reason), now_ms=0)))[REASON]
        assert written is not None
        assert reason.startswith(written.decode())
        assert 1023 <= len(written) <= 1024


def test_a_first_failure_after_the_copy_was_written_is_damaged() -> None:
    """It would make the retry window endless; the copy's own time counts then."""
    written = (("invoke.first-failure", b"9000000"), (COUNT, b"2"))
    assert opened(record(written, timestamp_ms=7_000))[0].first_failure_ms == 7_000


def test_without_any_time_the_first_failure_is_not_known() -> None:
    """Then it counts from the next failure."""
    assert opened(record((), timestamp_ms=None))[0].first_failure_ms is None


def test_a_damaged_lateness_is_no_more_than_the_time_that_passed() -> None:
    """Else it would make the retry window endless."""
    late = HISTORY._replace(late_ms=10**12)
    written = next(retry_headers((), late, CAUSE, now_ms=6_000))
    assert opened(record(written, timestamp_ms=5_000))[0].late_ms == 3_000
    assert opened(record(written, timestamp_ms=None))[0].late_ms == 0
