"""Laws of counting in bounded memory."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connector.core.lint.counting import OTHER, Counts, Frequent

_STREAM = st.lists(st.sampled_from("abcdefgh"), max_size=200)


@given(stream=_STREAM, most=st.integers(1, 10))
def test_a_frequent_one_is_counted_too_low_by_the_error_at_most(stream: list[str], most: int) -> None:
    """And never too high; the error is a share of the stream, and none while all fit."""
    frequent: Frequent[str, int] = Frequent(most)
    for place, key in enumerate(stream):
        frequent.add(key, place)
    true = Counter(stream)
    found = {each.key: each.times for each in frequent}
    assert all(true[key] - frequent.error <= found.get(key, 0) <= true[key] for key in true)
    assert len(found) <= most
    assert frequent.total == len(stream)
    assert frequent.error <= frequent.total / (most + 1)
    if len(true) <= most:
        assert found == true
        assert all(stream.index(each.key) == each.where for each in frequent)


@given(stream=_STREAM)
def test_whatever_has_more_than_half_is_the_first(stream: list[str]) -> None:
    frequent: Frequent[str, None] = Frequent(1)
    for key in stream:
        frequent.add(key, None)
    for key, count in Counter(stream).items():
        if count > len(stream) / 2:
            assert frequent.first is not None
            assert frequent.first.key == key


@given(stream=_STREAM, most=st.integers(1, 10))
def test_counts_lose_nothing_and_know_the_first_names(stream: list[str], most: int) -> None:
    counts = Counts(most)
    for text in stream:
        counts.add(text)
    found = counts.most_common()
    assert sum(found.values()) == len(stream)
    assert len(set(found) - {OTHER}) <= most
    assert all(Counter(stream)[text] == count for text, count in found.items() if text != OTHER)


def test_texts_beyond_the_most_are_counted_together() -> None:
    counts = Counts(2)
    for text in "abcbd":
        counts.add(text)
    assert counts.most_common() == {"b": 2, OTHER: 2, "a": 1}
