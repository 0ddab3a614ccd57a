"""A letter is read by its headers, whoever wrote it, and never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import envelope
from connector.core.envelope import Cause, History, Names, Origin
from connector.core.letters.letter import (
    CONNECT,
    HEADERS_DROPPED,
    OURS,
    SHARE_GROUP,
    SPRING,
    SUMMARY,
    UNKNOWN,
    letter_of,
    redriven_headers,
    redrives_of,
    text_of,
)
from connector.core.record import Headers, Partition, Record
from connector.core.refusal import Stage

DLQ = Partition("main.dlq", 0)
MAIN = Partition("main", 3)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(value for name, value in vars(envelope).items() if name.isupper() and isinstance(value, str)),
                "__connect.errors.topic",
                "kafka_dlt-original-topic",
                "kafka_dlt-original-offset",
                "__dlq.errors.topic",
                "traceparent",
            ]
        ),
        st.none() | st.binary(max_size=12) | st.integers(0, 99).map(lambda number: str(number).encode()),
    ),
    max_size=8,
).map(tuple)


def record(headers: Headers, value: bytes | None = b"v") -> Record:
    return Record(DLQ, 7, 1_000, b"k", value, headers)


def of_ours(original: Headers = (), **changes: object) -> Record:
    history = History(Origin(MAIN, 42, 1), attempts=4, first_failure_ms=500, maybe_delivered=1)
    cause = Cause(Stage.INVOKE, "rejected", "why", 400, "12099", "req-1")
    return record(next(envelope.dead_letter_headers(original, history, cause, Names("c"), now_ms=900)))


@given(HEADERS)
def test_any_headers_make_a_letter(headers: Headers) -> None:
    """Whatever is damaged is left out."""
    letter = letter_of(record(headers))
    assert letter.written_by in {OURS, CONNECT, SPRING, SHARE_GROUP, UNKNOWN}
    assert letter.code
    assert len(letter.original) <= len(headers)


def test_a_letter_of_ours_says_all_that_was_written() -> None:
    letter = letter_of(of_ours((("traceparent", b"00"),)))
    assert letter.written_by == OURS
    assert (letter.code, letter.stage, letter.reason) == ("rejected", "invoke", "why")
    assert (letter.status, letter.vendor_code, letter.request_id) == (400, "12099", "req-1")
    assert (letter.attempts, letter.first_failure_ms, letter.time_ms, letter.maybe_delivered) == (4, 500, 900, 1)
    assert letter.origin == Origin(MAIN, 42, None)
    assert letter.original == (("traceparent", b"00"),)
    assert letter.lacking is None


def test_a_retry_copy_names_its_origin_and_when_it_is_due() -> None:
    history = History(Origin(MAIN, 42, 1), attempts=1, due_ms=5_000)
    headers = next(envelope.retry_headers((), history, Cause(Stage.INVOKE, "busy", ""), now_ms=900))
    letter = letter_of(record(headers))
    assert (letter.origin, letter.due_ms) == (Origin(MAIN, 42, 1), 5_000)


def test_a_letter_knows_the_record_that_failed() -> None:
    """Where a mapping looks around the event it must find what it found then; of a dead letter no time but that of the
    first failure is known."""
    original = (("h", b"1"),)
    assert letter_of(of_ours(original)).first == Record(MAIN, 42, 500, b"k", b"v", original)
    cause = Cause(Stage.INVOKE, "vendor_error", "why")
    copy = record(
        next(envelope.retry_headers(original, History(Origin(MAIN, 42, 11), due_ms=5_000), cause, now_ms=900))
    )
    assert letter_of(copy).first == Record(MAIN, 42, 11, b"k", b"v", original)
    assert letter_of(record(original)).first == record(original)


def test_a_letter_whose_headers_were_dropped_cannot_be_restored() -> None:
    history = History(Origin(MAIN, 42, 1))
    *_, smallest = envelope.dead_letter_headers((("a", b"b"),), history, Cause(Stage.INVOKE, "x", ""), Names("c"), 9)
    assert letter_of(record(smallest)).lacking == HEADERS_DROPPED


def test_a_letter_whose_headers_could_not_be_read_cannot_be_restored() -> None:
    assert letter_of(of_ours(((envelope.UNREADABLE_HEADERS, None),))).lacking == HEADERS_DROPPED


def test_a_summary_cannot_be_restored() -> None:
    original = record((), b"x" * 10)
    letter = envelope.summary(original, History(Origin(MAIN, 42, 1)), Cause(Stage.INVOKE, "x", ""), Names("c"), 9)
    assert letter_of(record(letter.headers, letter.value)).lacking == SUMMARY


def test_a_letter_of_kafka_connect_is_read() -> None:
    headers = (
        ("mine", b"1"),
        ("__connect.errors.topic", b"main"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
        ("__connect.errors.exception.message", b"broken"),
    )
    letter = letter_of(record(headers))
    assert (letter.written_by, letter.code, letter.stage) == (CONNECT, "DataException", "VALUE_CONVERTER")
    assert (letter.reason, letter.origin, letter.original) == ("broken", Origin(MAIN, 42, None), (("mine", b"1"),))


def test_a_letter_of_spring_is_read() -> None:
    headers = (
        ("kafka_dlt-original-topic", b"main"),
        ("kafka_dlt-original-partition", (3).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", (42).to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", (77).to_bytes(8, "big")),
        ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
        ("kafka_dlt-exception-message", b"no"),
    )
    letter = letter_of(record(headers))
    assert (letter.written_by, letter.code) == (SPRING, "IllegalStateException")
    assert (letter.reason, letter.origin) == ("no", Origin(MAIN, 42, 77))


def test_a_letter_of_a_share_group_is_read() -> None:
    headers = (
        ("__dlq.errors.topic", b"main"),
        ("__dlq.errors.partition", b"3"),
        ("__dlq.errors.offset", b"42"),
        ("__dlq.errors.group", b"share"),
        ("__dlq.errors.delivery.count", b"5"),
        ("__dlq.errors.message", b"Offset rejected by client."),
    )
    letter = letter_of(record(headers))
    assert (letter.written_by, letter.attempts, letter.origin) == (SHARE_GROUP, 5, Origin(MAIN, 42, None))
    assert letter.time_ms == 1_000


@pytest.mark.parametrize("damaged", [b"x", b"\xff\xff\xff"])
def test_a_damaged_place_of_spring_is_none(damaged: bytes) -> None:
    headers = (("kafka_dlt-original-topic", b"main"), ("kafka_dlt-original-offset", damaged))
    assert letter_of(record(headers)).origin is None


@given(HEADERS)
def test_each_redrive_counts_one_more_and_keeps_the_others(headers: Headers) -> None:
    """The loop guard needs a count that no producer's header of the same name can lower."""

    def others(all_: Headers) -> list[tuple[str, bytes | None]]:
        return [header for header in all_ if header[0] != envelope.REDRIVES]

    again = redriven_headers(headers)
    assert redrives_of(again) == redrives_of(headers) + 1
    assert others(again) == others(headers)


def test_a_redriven_record_names_the_span_that_wrote_its_last_letter() -> None:
    """And none that wrote an earlier one."""
    first, last = (f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b{n}-01" for n in "12")
    again = redriven_headers(redriven_headers((("a", b"b"),), first), last)
    assert again == (("a", b"b"), (envelope.TRACEPARENT, last.encode()), (envelope.REDRIVES, b"2"))


def test_a_header_cannot_steer_the_terminal() -> None:
    assert text_of(b"\x1b[2Jgone") == "\N{REPLACEMENT CHARACTER}[2Jgone"
    assert text_of(None) is None
