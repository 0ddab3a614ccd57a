"""The numbering plans of the world, as Google's libphonenumber has them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

_REMEMBERED = 65_536
_CODE_LENGTHS = (1, 2, 3)


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
    """Without `phonenumbers.parse`, which takes as long again, and leaves out what is posted: the 0 in +44 07…."""
    for length in _CODE_LENGTHS:
        code, rest = int(digits[:length] or 0), digits[length:]
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE and rest:
            zeros = len(rest) - len(rest.lstrip("0"))
            number = PhoneNumber(code, int(rest), italian_leading_zero=zeros > 0, number_of_leading_zeros=zeros or None)
            return phonenumbers.region_code_for_number(number)
    return None
