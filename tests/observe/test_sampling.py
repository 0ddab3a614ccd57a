"""Floods of log lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.observe.sampling import Sampler

ONE, OTHER = ("retried", "rate_limited"), ("dead_lettered", "expired")


def test_what_goes_beyond_the_bound_in_a_second_is_left_out_and_counted() -> None:
    sampler = Sampler(2)
    assert [sampler.admit(ONE, 10.0 + n / 10) for n in range(5)] == [True, True, False, False, False]
    assert list(sampler.over(10.9)) == []
    assert list(sampler.over(11.0)) == [(ONE, 3)]
    assert sampler.admit(ONE, 11.0)


def test_keys_do_not_count_against_each_other() -> None:
    sampler = Sampler(1)
    assert [sampler.admit(key, 0.0) for key in (ONE, OTHER, ONE, OTHER)] == [True, True, False, False]


def test_a_key_that_stayed_within_the_bound_is_not_reported() -> None:
    sampler = Sampler(2)
    sampler.admit(ONE, 0.0)
    assert list(sampler.over(5.0)) == []


@given(st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.floats(0, 0.5)), max_size=200))
def test_every_line_is_either_admitted_or_reported_as_left_out(lines: list[tuple[tuple[str, str], float]]) -> None:
    sampler, now, admitted, left_out = Sampler(3), 0.0, 0, 0
    for key, later in lines:
        now += later
        left_out += sum(count for _, count in sampler.over(now))
        admitted += sampler.admit(key, now)
    left_out += sum(count for _, count in sampler.over(now + 2))
    assert admitted + left_out == len(lines)
