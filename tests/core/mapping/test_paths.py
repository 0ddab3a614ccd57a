"""Paths into an event and into the record around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.paths import Path, getter, path_of
from connector.core.mapping.types import Part, Where
from connector.core.record import Partition, Record

RECORD = Record(
    Partition("bookings", 3),
    41,
    1_795_968_000_000,
    b"491705550147",
    b"",
    (("ce_id", b"first"), ("ce_id", b"c-1"), ("ce.type", b"booked"), ("raw", b"\xff"), ("none", None)),
)

names = st.text(st.characters(exclude_characters='.[]"$', exclude_categories=["Z", "C"]), min_size=1, max_size=5)
keys = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1, max_size=5)


def got(text: str, fields: dict[str, object]) -> object:
    return getter(path_of(text)).get(fields, RECORD)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("phone", ("phone",)),
        ("booking.passenger.phone", ("booking", "passenger", "phone")),
        ("passengers[0].phone", ("passengers", 0, "phone")),
        ('attributes["com.example.kind"]', ("attributes", "com.example.kind")),
        ('a[1]["b c"].d', ("a", 1, "b c", "d")),
        ("contacts[kind=MOBILE].number", ("contacts", Where("kind", "MOBILE"), "number")),
        ('contacts[use="at home"]', ("contacts", Where("use", "at home"))),
        ("a[b=0][c=d=e]", ("a", Where("b", "0"), Where("c", "d=e"))),
    ],
)
def test_a_path_is_read(text: str, parts: tuple[Part, ...]) -> None:
    assert path_of(text) == Path(text, parts)
    assert str(path_of(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "[0]",
        "[0].a",
        "a[",
        "a[x]",
        "a b",
        'a.["b"]',
        'a""',
        "a." * 600,
        "$",
        "$keys",
        "[a=b]",
        "a[b=]",
        "a[=b]",
        "a[b=c d]",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a path|is nothing of a record"):
        path_of(text)


@given(st.lists(names | st.integers(0, 9999) | keys.map(lambda key: (key,)), min_size=1, max_size=8))
def test_what_is_written_is_what_is_read(given: list[str | int | tuple[str]]) -> None:
    """Names are joined by dots, places and keys stand in brackets."""
    given = ["root", *given]
    text = "root"
    for part in given[1:]:
        text += f"[{part}]" if isinstance(part, int) else f'["{part[0]}"]' if isinstance(part, tuple) else f".{part}"
    if len(text) <= 512:
        assert path_of(text).parts == tuple(part[0] if isinstance(part, tuple) else part for part in given)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", {"b": {"c": {"d": [1, {"e": 2}]}}}),
        ("a.b", {"c": {"d": [1, {"e": 2}]}}),
        ("a.b.c", {"d": [1, {"e": 2}]}),
        ("a.b.c.d", [1, {"e": 2}]),
        ("a.b.c.d[0]", 1),
        ("a.b.c.d[1].e", 2),
        ("a.b.c.d[2]", None),
        ("a.b.c.d[0].e", None),
        ("a.b.c.d.e", None),
        ("a.x", None),
        ("x.b", None),
        ("x.b.c", None),
        ("a.x.c", None),
        ("a.b.x.d", None),
        ("x", None),
    ],
)
def test_a_value_is_got_or_null(text: str, value: object) -> None:
    """Whatever is missing on the way, or cannot be looked into."""
    assert got(text, {"a": {"b": {"c": {"d": [1, {"e": 2}]}}}}) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$key", "491705550147"),
        ("$timestamp", 1_795_968_000_000),
        ("$topic", "bookings"),
        ("$partition", 3),
        ("$offset", 41),
        ("$header.ce_id", "c-1"),
        ("$header.ce.type", "booked"),
        ("$header.none", None),
        ("$header.absent", None),
    ],
)
def test_the_record_around_it_is_read(text: str, value: object) -> None:
    """Of headers of one name the last counts."""
    assert got(text, {}) == value


def test_a_record_without_a_key_has_none() -> None:
    assert getter(path_of("$key")).get({}, RECORD._replace(key=None)) is None


def test_a_header_that_is_no_text_cannot_be_taken() -> None:
    with pytest.raises(UnmappableError, match="1 bytes"):
        got("$header.raw", {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c[k=b].v", 2),
        ("c[k=a].v", 1),
        ("c[k=b]", {"k": "b", "v": 2}),
        ("c[k=d].v", None),
        ("c[k=7].v", None),
        ("c[z=b].v", None),
        ("c[k=b].v.w", None),
        ("m[k=b].v", None),
        ("x[k=b].v", None),
    ],
)
def test_an_item_is_found_by_a_field_of_it(text: str, value: object) -> None:
    """The first one; null where there is none, or nothing to search."""
    items = ["b", None, {}, {"k": 7, "v": 0}, {"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "b", "v": 3}]
    assert got(text, {"c": items, "m": {"k": "b", "v": 9}}) == value
