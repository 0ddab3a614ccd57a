"""Numbers: which may be posted, and as what text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.numbers import is_exact, value_text


@given(st.integers(-(2**70), 2**70))
def test_an_integer_is_exact_when_it_has_64_bits_and_a_double_when_it_has_its_neighbours(number: int) -> None:
    """From 2^53 up, number and number + 1 are one double."""
    assert is_exact(number) == (-(2**63) <= number < 2**63)
    assert is_exact(float(number)) == (float(abs(number)) < 2**53)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_a_number_reads_back_from_its_text_which_has_no_exponent(number: float) -> None:
    text = value_text(number)
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
    assert type(number)(text) == number


@pytest.mark.parametrize(
    ("number", "text"), [(49.0, "49"), (1e22, "1" + "0" * 22), (1e-7, "0.0000001"), (0.1, "0.1"), (-2, "-2")]
)
def test_a_double_is_written_as_its_shortest_decimal(number: float, text: str) -> None:
    assert value_text(number) == text


def test_no_double_is_longer_than_a_value_may_be() -> None:
    assert max(len(value_text(number)) for number in (5e-324, -1.7976931348623157e308)) < 4096
