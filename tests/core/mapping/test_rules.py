"""What a mapping says by itself, before any schema: the values in it, and where it has one for every event."""

from __future__ import annotations

from connector.core.mapping.paths import path_of
from connector.core.mapping.rules import Constant, First, From, Join, Source, constants, stands_in
from connector.core.mapping.steps import lookup, lower

GATE = Source(From(path_of("gate")))
FIXED = Source(Constant("0A1B"))
OR_FIXED = Source(From(path_of("service")), default=Constant("0C2D"))


def test_what_can_come_out_as_it_stands_in_the_mapping_is_found_wherever_it_stands() -> None:
    table = lookup({"gold": "0E3F", "blue": "0A4B"})
    assert list(constants(FIXED)) == ["0A1B"]
    assert list(constants(Source(First((GATE, FIXED, OR_FIXED))))) == ["0A1B", "0C2D"]
    assert list(constants(Source(From(path_of("tier")), (table,)))) == ["0E3F", "0A4B"]
    assert list(constants(OR_FIXED)) == ["0C2D"]


def test_what_a_function_changes_does_not_come_out_as_it_stands() -> None:
    assert not list(constants(FIXED._replace(then=(lower(),))))
    assert not list(constants(Source(First((FIXED,)), (lower(),))))
    assert not list(constants(GATE))


def test_a_source_stands_in_where_an_event_says_nothing_if_it_has_a_constant_or_a_default() -> None:
    assert stands_in(FIXED)
    assert stands_in(OR_FIXED)
    assert not stands_in(GATE)
    assert not stands_in(GATE._replace(default=Constant(None)))


def test_of_several_parts_one_is_enough_for_the_first_and_a_join_needs_all() -> None:
    assert stands_in(Source(First((GATE, FIXED))))
    assert not stands_in(Source(First((GATE,))))
    assert stands_in(Source(Join((FIXED, OR_FIXED))))
    assert not stands_in(Source(Join((FIXED, GATE))))
