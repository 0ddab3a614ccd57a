"""Durations and sizes, read and written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.config.units import format_duration, format_size, parse_duration, parse_size


@given(st.integers(0, 10**9))
def test_a_duration_that_was_written_is_read_back(milliseconds: int) -> None:
    """To the millisecond."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.integers(0, 10**11))
def test_a_size_that_was_written_is_read_back(size: int) -> None:
    """To the byte."""
    assert parse_size(format_size(size)) == size
