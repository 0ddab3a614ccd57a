"""JSON, strict and bounded where its readers are not."""

from __future__ import annotations

import pytest

from connector.core.json_text import DuplicateNameError, NotJsonError, read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 1010 + b"]" * 1010, "nested more than 32 deep"),
        (b"[" * 33 + b"]" * 33, "nested more than 32 deep"),
        (b"0." + b"1" * 500, "more digits than a double has"),
        (b"NaN", "it is no JSON"),
        (b"-Infinity", "it is no JSON"),
    ],
)
def test_what_is_none_or_none_that_was_meant_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(NotJsonError, match=words):
        read(text)


def test_the_first_name_that_comes_again_is_named() -> None:
    with pytest.raises(DuplicateNameError) as raised:
        read(b'{"a": 1, "b": 2, "c": 3, "b": 4, "a": 5}')
    assert raised.value.name == "b"


@pytest.mark.parametrize(("text", "plain", "mapped"), [(b"0.25", 0.25, 0.25), (b"7.0", 7.0, 7), (b"1e3", 1000.0, 1000)])
def test_a_fraction_stays_one_and_is_a_whole_number_for_a_mapping_where_it_is_one(
    text: bytes, plain: float, mapped: float
) -> None:
    """A producer in JavaScript has no other numbers."""
    for found, due in ((read(text), plain), (read(text, for_mapping=True), mapped)):
        assert found == due
        assert type(found) is type(due)
