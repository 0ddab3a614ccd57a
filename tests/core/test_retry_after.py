"""`Retry-After`: seconds and dates; nonsense is as if it were not there."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.retry_after import seconds_of

NOW_MS = 1_800_000_000_000
LONGEST = 900.0


@given(st.integers(0, 10**15))
def test_seconds_are_cut_to_the_longest(seconds: int) -> None:
    """A day's pause for one answer is a mistake of whoever sent it."""
    assert seconds_of(str(seconds), NOW_MS, LONGEST) == min(seconds, LONGEST)


@given(st.integers(-10_000, 10_000))
def test_a_date_is_as_far_as_it_lies_ahead(ahead: int) -> None:
    """0 when it is over."""
    date = formatdate(NOW_MS / 1000 + ahead, usegmt=True)
    assert seconds_of(date, NOW_MS, LONGEST) == min(max(ahead, 0), LONGEST)


def test_a_date_without_a_zone_is_in_gmt() -> None:
    """As `-0000` and its absence are read."""
    assert seconds_of(formatdate(NOW_MS / 1000 + 60), NOW_MS, LONGEST) == 60


HUGE = "9" * 20


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "-5", "1.5", "soon", "1e9", "9" * 70, "٣", "Fri, 99 Foo 2027 99:99:99 GMT"),
        *(f"1 Jan {HUGE} 00:00:00 GMT", f"1 Jan 2027 {HUGE}:00:00 GMT", f"{HUGE} Jan 2027 00:00:00 GMT"),
    ],
)
def test_nonsense_asks_for_nothing(text: str | None) -> None:
    """Neither a pause nor an error."""
    assert seconds_of(text, NOW_MS, LONGEST) is None


@given(st.text(max_size=80))
def test_whatever_a_gateway_sends_is_seconds_or_nothing(text: str) -> None:
    """Never an exception, never beyond the longest."""
    seconds = seconds_of(text, NOW_MS, LONGEST)
    assert seconds is None or 0 <= seconds <= LONGEST
