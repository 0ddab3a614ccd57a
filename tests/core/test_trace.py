"""The trace context of a record."""

from __future__ import annotations

import pytest

from connector.core.trace import traceparent_of

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
