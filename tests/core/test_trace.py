"""The trace context of a record."""

from __future__ import annotations

import pytest

from connector.core.trace import SpanIds, span_ids, traceparent_of

GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_well_formed_traceparent_is_found_among_other_headers() -> None:
    """It goes on to the request as it is."""
    assert traceparent_of((("a", b"b"), ("traceparent", GOOD))) == GOOD.decode()


@pytest.mark.parametrize(
    "damaged",
    [None, b"", GOOD[:-1], GOOD.upper(), b"ff" + GOOD[2:], b"00-" + b"0" * 32 + GOOD[35:], GOOD + b"\r\nX: y"],
)
def test_a_damaged_traceparent_is_left_out(damaged: bytes | None) -> None:
    """What is not well-formed never reaches a request's headers."""
    assert traceparent_of((("traceparent", damaged),)) is None


def test_a_header_of_another_name_is_read_the_same_way() -> None:
    assert traceparent_of((("traceparent", GOOD), ("ours", GOOD[:-1] + b"0")), "ours") == GOOD.decode()[:-1] + "0"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("02", False)])
def test_the_first_flag_says_whether_the_trace_is_kept(flags: str, sampled: bool) -> None:
    ids = span_ids(f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}")
    assert ids == SpanIds("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled)
