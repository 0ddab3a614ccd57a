"""Which country's number it is, by libphonenumber's plans."""

from __future__ import annotations

import pytest

from connector.edge.numbering_plans import NumberingPlans

PLANS = NumberingPlans()


@pytest.mark.parametrize(
    ("digits", "region"),
    [
        ("12025550123", "US"),
        ("4915123456789", "DE"),
        ("6175550123", None),  # American, without its 1: Australia's code, and too short for it
        ("2025550123", "EG"),  # likewise, but long enough for Egypt: there is no knowing
        ("4407911123456", None),  # what is left out when it is read is posted all the same
        ("390612345678", "IT"),  # whose numbers keep their 0
        ("35312345678", "IE"),
        ("999999999999", None),
        ("1", None),
    ],
)
def test_a_number_is_of_a_country_when_it_has_its_country_code(digits: str, region: str | None) -> None:
    assert PLANS.region(digits) == region


def test_a_number_may_be_a_regions_own_without_country_code() -> None:
    assert PLANS.is_national("6175550123", "US")
    assert not PLANS.is_national("6175550123", "FR")
    assert not PLANS.is_national("1", "US")
    assert not PLANS.is_national("x", "US")
