"""The numbering plans of the world, as Google's libphonenumber has them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

_REMEMBERED = 65_536


class NumberingPlans:
    """Says which country a number belongs to. Loads a country's plan when its first number comes."""

    def __init__(self) -> None:
        self.region = lru_cache(_REMEMBERED)(_region)
        """Whose number these digits are, country code first; None for a number that nobody can have."""

    def is_national(self, digits: str, region: str) -> bool:
        """Whether the region has this number, without its country code."""
        try:
            number = phonenumbers.parse(digits, region)
        except NumberParseException:
            return False
        return phonenumbers.is_valid_number_for_region(number, region)


def _region(digits: str) -> str | None:
    international = f"+{digits}"
    try:
        number = phonenumbers.parse(international)
    except NumberParseException:
        return None
    if phonenumbers.format_number(number, PhoneNumberFormat.E164) != international:
        return None  # it is read after something was left out, such as the 0 in +44 07…, which is not what is posted
    return phonenumbers.region_code_for_number(number)
