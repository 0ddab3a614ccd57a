"""The functions: what each makes of a value, and what it cannot take."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.mapping import phones, steps
from connector.core.mapping.errors import NO_ENTRY, UnmappableError
from connector.core.mapping.paths import path_of
from connector.core.mapping.steps import Step
from connector.core.mapping.types import Kind

NOON_MS = 1_795_953_600_000


def done(step: Step, value: object, other: object = None) -> Any:
    return step.run(value, other)


@pytest.mark.parametrize("step", [steps.digits(), steps.phone("DE", None)])
@pytest.mark.parametrize(
    "damaged",
    [
        *("491705550147.0", "+491705550147.00", " 1705550147.0 ", "01705550147.0", "491705550147.0000"),
        *("49 1705550147.0", "0170 5550147.0", "+49 1705550147.0", "+49-1705550147.0", "(1705550147.0)\u202c"),
        *(
            "1705550147,0",
            "+49 1705550147,00",
            "1705550147.5",
            "1 705 550 147.00",
            "1.705.550.147,00",
            "1,705,550,147.0",
        ),
        *("1,705550147E9", "+49 1.705550147E9", "\u22121705550147", "49.0", "+49.00"),
        *("-491705550147", "-1705550147.5", -491705550147, "4.91705550147E11", "4.91706e+11", "491705550147e0"),
    ],
)
def test_what_was_computed_with_is_no_phone_number(step: Step, damaged: object) -> None:
    """A spreadsheet, or a column of doubles: with a digit more, or fewer, it is somebody else's."""
    with pytest.raises(UnmappableError) as wrong:
        done(step, damaged)
    assert wrong.value.shape.endswith("that is a number to compute with")
    assert "491705" not in wrong.value.shape + wrong.value.remedy


@pytest.mark.parametrize("step", [steps.number(), steps.time("millis", None, None)])
def test_what_is_a_number_to_python_alone_is_none(step: Step) -> None:
    with pytest.raises(UnmappableError, match="number"):
        done(step, "1_795_968_000_000")


@pytest.mark.parametrize("spelt", ["+49.170.5550147", "0049 170-555 01 47", "+49 170 555 01.47", "+49-170-5550147"])
def test_what_people_write_is_one(spelt: str) -> None:
    assert done(steps.phone("DE", None), spelt) == "491705550147"


@pytest.mark.parametrize("step", [steps.digits(), steps.phone("DE", None)])
@pytest.mark.parametrize("spelt", ["+49 170 555 01.00", "+49.170.555.01.00", "+49 170 555.0100"])
def test_what_people_write_may_end_with_zeros_behind_a_dot(step: Step, spelt: str) -> None:
    assert done(step, spelt) == "491705550100"


@pytest.mark.parametrize(
    ("step", "value", "result"),
    [
        (steps.digits(), "+49 (170)-555 01.47", "491705550147"),
        (steps.digits(), " +49\u00a0170\u20115550147\u202c", "491705550147"),
        (steps.digits(), "+49\uff11\uff170 5550147", "491705550147"),
        (steps.digits(), 491705550147, "491705550147"),
        (steps.lower(), "ABc", "abc"),
        (steps.upper(), "abC", "ABC"),
        (steps.trim(), "  a b\n", "a b"),
        (steps.truncate(3), "abcd", "abc"),
        (steps.truncate(3), "ab", "ab"),
        (steps.null_if(frozenset({"", "-"})), "-", None),
        (steps.null_if(frozenset({"", "-"})), "", None),
        (steps.null_if(frozenset({"", "-"})), " ", " "),
        (steps.text(), "a", "a"),
        (steps.text(), 17, "17"),
        (steps.text(), 49.0, "49"),
        (steps.text(), True, "true"),
        (steps.text(), "é".encode(), "é"),
        (steps.number(), "17", 17),
        (steps.number(), 17, 17),
        (steps.lookup({"LH": "Lufthansa", "1": 2, "true": False}), "LH", "Lufthansa"),
        (steps.lookup({"LH": "Lufthansa", "1": 2, "true": False}), 1, 2),
        (steps.lookup({"LH": "Lufthansa", "1": 2, "true": False}), True, False),
        (steps.lookup({"LH": "Lufthansa"}), "BA", None),
        (steps.plus("plus 1s", 1000), NOON_MS, NOON_MS + 1000),
        (steps.time("iso", "Europe/Berlin", None), "2026-11-29T13:00:00", NOON_MS),
        (steps.time("seconds", None, None), NOON_MS // 1000, NOON_MS),
        (steps.format_time("%H:%M", "Asia/Tokyo", None), NOON_MS, "21:00"),
        (steps.format_time("%H:%M", None, None), NOON_MS, "12:00"),
    ],
)
def test_what_a_function_makes_of_a_value(step: Step, value: object, result: object) -> None:
    found = done(step, value)
    assert (type(found), found) == (type(result), result)


@pytest.mark.parametrize(
    ("step", "value"),
    [
        (steps.text(), b"\xff"),
        (steps.text(), float("nan")),
        (steps.text(), 9007199254740993.0),
        (steps.digits(), "+1 212-555-0147 ext. 5"),
        (steps.digits(), "+49 (0)170 5550147"),
        (steps.digits(), "+49 170 5550147, +49 170 5550148"),
        (steps.digits(), "491705550147.0e0"),
        (steps.format_time("%H:%M", "America/New_York", None), -62_135_596_800_000),
        (steps.format_time("%H:%M", "Europe/Berlin", None), 253_402_300_799_000),
        (steps.number(), "1.5"),
        (steps.number(), "9" * 5000),
        (steps.time("iso", None, None), "soon"),
    ],
)
def test_what_a_function_cannot_take(step: Step, value: object) -> None:
    """The reason shows the value's shape, never the value."""
    with pytest.raises(UnmappableError) as raised:
        done(step, value)
    assert str(value) not in raised.value.shape + raised.value.remedy


def test_a_lookup_without_a_default_refuses_what_it_does_not_have() -> None:
    step = steps.strict(steps.lookup({"LH": "Lufthansa"}))
    assert done(step, "LH") == "Lufthansa"
    with pytest.raises(UnmappableError) as raised:
        done(step, "BA")
    assert raised.value.code == NO_ENTRY


def test_a_lookup_gives_the_kinds_of_its_table() -> None:
    assert steps.lookup({"a": 1, "b": "c", "d": 0.5, "e": True}).gives == {
        Kind.INTEGER,
        Kind.TEXT,
        Kind.DOUBLE,
        Kind.BOOLEAN,
    }


@pytest.mark.parametrize(("zone", "text"), [("Asia/Tokyo", "21:00"), (None, "13:00")])
def test_a_zone_may_come_from_the_event(zone: str | None, text: str) -> None:
    """That of the mapping counts where the event names none."""
    step = steps.format_time("%H:%M", "Europe/Berlin", path_of("airport.zone"))
    assert done(step, NOON_MS, zone) == text
    assert step.says == "format_time %H:%M Europe/Berlin airport.zone"


@given(st.text(max_size=30))
def test_digits_are_those_that_are_there_or_the_text_is_refused(text: str) -> None:
    try:
        found = done(steps.digits(), text)
    except UnmappableError:
        return
    assert found == "".join(
        str(unicodedata.decimal(each)) for each in text if unicodedata.decimal(each, None) is not None
    )


LETTERED = ["+49 17O5550147", "017055501l7", "+49 170 555014O", "0170 5550 abc", "0170 555 EUR"]
"""The library leaves letters out, or makes digits of them: it would be somebody else's number."""


class TestPhone:
    """Spellings of one number become one, so that its events share a lane."""

    @pytest.mark.parametrize(
        "text",
        ["0170 5550147", "+49 170 5550147", "0049 170-5550147", "(0170) 555 0147", "+49 (0)170 5550147", 1705550147],
    )
    def test_every_spelling_is_the_same_number(self, text: object) -> None:
        assert done(steps.phone("DE", None), text) == "491705550147"

    @pytest.mark.parametrize(
        ("region", "text", "number"),
        [
            ("US", "(212) 555-0147", "12125550147"),
            ("IT", "06 1234 5678", "390612345678"),  # an Italian 0 stays
            ("RU", "8 912 345-67-89", "79123456789"),  # a Russian 8 goes
            ("GB", "020 7946 0018", "442079460018"),
            ("AU", "(02) 9876 5432", "61298765432"),
            ("FR", "33612345678", "33612345678"),  # its code stands there already
            ("AT", "4313456789", "4313456789"),
            ("US", "12125550147", "12125550147"),
        ],
    )
    def test_each_region_has_its_own_way(self, region: str, text: str, number: str) -> None:
        assert done(steps.phone(region, None), text) == number

    def test_digits_that_can_be_two_numbers_are_refused(self) -> None:
        """49 170 5550147 with its country code, or 04917 05550147 without its 0: one of them is a stranger."""
        with pytest.raises(UnmappableError, match="two numbers"):
            done(steps.phone("DE", None), "491705550147")

    def test_the_region_may_come_from_the_event(self) -> None:
        step = steps.phone("US", path_of("country"))
        assert done(step, "0170 5550147", "de") == "491705550147"
        assert done(step, "(212) 555-0147") == "12125550147"
        assert (step.says, steps.phone(None, None).says) == ("phone country", "phone")

    @pytest.mark.parametrize(
        "text", ["", "call me", "0170 5550147 ext. 5", "0170 5550147 #5", "017", "1" * 40, *LETTERED]
    )
    def test_what_is_no_number_cannot_be_taken(self, text: str) -> None:
        with pytest.raises(UnmappableError, match="no number of this region"):
            done(steps.phone("DE", None), text)

    def test_without_a_region_only_a_plus_tells_the_country(self) -> None:
        assert done(steps.phone(None, None), "+49 170 5550147") == "491705550147"
        with pytest.raises(UnmappableError):
            done(steps.phone(None, None), "0170 5550147")

    def test_a_region_that_is_none_is_refused(self) -> None:
        phones.check_region("DE")
        with pytest.raises(ValueError, match="two letters"):
            phones.check_region("Germany")

    @given(st.text(max_size=25), st.sampled_from(["DE", "US", None, "XX"]))
    def test_a_number_or_a_refusal_and_nothing_else(self, text: str, region: str | None) -> None:
        try:
            found = done(steps.phone(region, None), text)
        except UnmappableError:
            return
        assert found.isascii()
        assert found.isdigit()
