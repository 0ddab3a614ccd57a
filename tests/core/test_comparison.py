"""Laws of comparing what becomes of the same records."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connector.core.comparison import Comparison, Fate, Kind, digests, side_by_side, values_of
from connector.core.request import InvokeRequest

_VALUES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([b"1", b"2"]), min_size=1)
_FATES = st.one_of(_VALUES.map(Fate), st.sampled_from(["bad_key", "expired"]).map(lambda code: Fate(None, code)))
_PLACES = st.tuples(st.integers(0, 3), st.integers(0, 20))


@given(pairs=st.lists(st.tuples(_FATES, _FATES), max_size=50))
def test_records_differ_in_the_fields_that_a_naive_look_finds(pairs: list[tuple[Fate, Fate]]) -> None:
    """And in nothing where both are refused for the same; each is counted as the same, or as differing."""
    comparison = Comparison()
    naive: Counter[Kind] = Counter()
    for offset, (one, other) in enumerate(pairs):
        comparison.add((0, offset), one, other)
        if one.values is not None and other.values is not None:
            fields = {*one.values.items()} ^ {*other.values.items()}
            naive.update(Kind(name) for name in {name for name, _ in fields})
        elif one != other:
            naive[Kind(None, one.refused or "", other.refused or "")] += 1
    assert {each.kind: each.records for each in comparison.differences()} == naive
    assert comparison.same == sum(one == other for one, other in pairs)
    assert comparison.records == len(pairs) == comparison.same + comparison.differing
    assert all(1 <= len(each.places) <= 3 for each in comparison.differences())


@given(one=_VALUES, other=_VALUES, key=st.binary(min_size=1, max_size=64))
def test_digests_are_the_same_where_values_are(one: dict[str, bytes], other: dict[str, bytes], key: bytes) -> None:
    """Where they are not, they differ but for one pair in 65,536, of which a law can say nothing."""
    first, second = digests(one, key), digests(other, key)
    assert {*first} == {*one}
    assert all(first[name] == second[name] for name in one if one[name] == other.get(name))
    assert all(len(digest) == 2 for digest in first.values())


def test_other_keys_make_other_digests() -> None:
    """So that two files cannot be laid side by side."""
    values = {str(number): b"%d" % number for number in range(100)}
    one, other = digests(values, b"a"), digests(values, b"b")
    assert sum(one[name] == other[name] for name in values) < 10


@given(ones=st.sets(_PLACES), others=st.sets(_PLACES))
def test_what_has_the_same_place_is_paired(ones: set[tuple[int, int]], others: set[tuple[int, int]]) -> None:
    """Each place comes once, in order, with whoever has it."""
    one, other = Fate(None, "one"), Fate(None, "other")
    found = list(side_by_side(((each, one) for each in sorted(ones)), ((each, other) for each in sorted(others))))
    assert [place for place, *_ in found] == sorted(ones | others)
    assert all((mine is not None) == (place in ones) for place, mine, _ in found)
    assert all((theirs is not None) == (place in others) for place, _, theirs in found)


def test_kinds_are_bounded() -> None:
    comparison = Comparison(most=3)
    for number in range(10):
        comparison.add((0, number), Fate({f"field{number}": b"1"}), Fate({}))
    assert len(comparison.differences()) == 4
    assert sum(each.records for each in comparison.differences()) == 10


def test_the_values_of_a_request_have_the_names_of_its_fields() -> None:
    """A name that may hold a phone number is told by its place."""
    body = b'{"endUser":{"phoneNumber":"12025550123"},"variables":{"session":{"seat":"12A","k12025550123":1}}}'
    assert values_of(InvokeRequest("0A1B", body, ()), "ev-1", None) == {
        "eventId": b'"ev-1"',
        "serviceId": b'"0A1B"',
        "expires": b"null",
        "endUser.phoneNumber": b'"12025550123"',
        "variables.session.seat": b'"12A"',
        "variables.session.[2]": b"1",
    }


def test_a_record_that_is_gone_is_none_that_differs() -> None:
    comparison = Comparison()
    comparison.missing()
    assert (comparison.gone, comparison.records, comparison.differing) == (1, 0, 0)
