"""Phone numbers as people write them in a country, to country code and number.

What a trunk prefix is, and whether it falls away, differs by country and changes with numbering plans: an Italian 0
stays, a Russian 8 goes, an Argentine mobile gets a 9. So a maintained library knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from connector.core.mapping.errors import UnmappableError
from connector.core.redact import shape

_NOT_DIGITS = re.compile("[^0-9]+")
_REMEMBERED = 20_000  # reading one takes as long as all else about its event; the same people come again

_COMPUTED = re.compile(
    r"""
    ^\s*+[-\u2212]\s*+\d++(?:[.,]\d*+)?\s*+$  # a minus
    | ^\s*+\+?\d++[.,]0{1,2}\s*+$  # decimals of a whole text, such as a country code: 49.0
    | (?<!\d)(?:\d{5,}+[.,]0++|\d{9,}+[.,]\d)\D*+$  # decimals behind anything, not the 01.00 that people write
    | ^\s*+[1-9]\d{0,2}(?:[ \u00a0'.,]\d{3}){2,}+[.,]0{1,2}\s*+$  # decimals behind groups of thousands
    | \d[eE][+-]?\d  # an exponent
    """,
    re.VERBOSE,
)
"""What a spreadsheet or a column of doubles makes of a phone number. It takes time in proportion to the text."""

_LETTER = re.compile(r"\d\D*?[^\W\d_]")
"""A letter behind a digit: the library drops one, such as an O for a 0, and makes digits of three."""

International = Callable[[object, object], str]


def international(region_from: str | None = None) -> International:
    """What makes digits with the country code, without a plus, of a number and its region such as DE.

    Without a region it takes only numbers that begin with a plus. It raises UnmappableError, which names
    `region_from`, the path of the region, where that is at fault. The library is imported
    here: it takes a tenth of a second, which settings without such a rule are spared.
    """
    import phonenumbers

    possible = phonenumbers.ValidationResult.IS_POSSIBLE

    def number_of(text: str, region: str | None) -> Any:
        number = phonenumbers.parse(text, region)
        code = "" if region is None else str(phonenumbers.country_code_for_region(region))
        digits = _NOT_DIGITS.sub("", text)
        if not digits.startswith(code) or text.lstrip().startswith("+"):
            return number
        # Digits that begin with the region's own code: with it, or a national number that happens to begin so?
        with_code = phonenumbers.parse(f"+{digits}", None)
        if with_code != number and phonenumbers.is_valid_number(with_code):
            raise UnmappableError(f"string of {len(text)} characters that can be two numbers of this region", _PLUS)
        return number

    @lru_cache(_REMEMBERED)
    def read(text: str, region: str | None) -> str:
        if _LETTER.search(text):
            raise UnmappableError(_shape(text), _REMEDY)
        try:
            number = number_of(text, region)
        except phonenumbers.NumberParseException:
            if region_from is not None and region is None:
                raise UnmappableError(f"{region_from}: null or empty", _NO_REGION) from None
            if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
                raise UnmappableError(f"{region_from}: {shape(region)} that is no region", _NO_REGION) from None
            raise UnmappableError(_shape(text), _REMEDY) from None
        if number.extension or phonenumbers.is_possible_number_with_reason(number) != possible:
            raise UnmappableError(_shape(text), _REMEDY)
        return f"{number.country_code}{phonenumbers.national_significant_number(number)}"

    return lambda value, region: read(as_dialled(value), None if region is None else str(region).upper())


def as_dialled(value: object) -> str:
    """A text or number as text. Raises UnmappableError for `491705550147.0` and the like: the last digit of it is none
    of the phone number, and with it is another person's. Of a join each part is looked at, too: 49.0 and 1705550147."""
    text = str(value)
    if _COMPUTED.search(text):
        raise UnmappableError(f"{shape(text)} that is a number to compute with", "write the phone number as a text")
    return text


def check_region(region: str) -> None:
    """Raise ValueError for what is no region."""
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(
            "is no region: it must be ISO 3166's two letters, such as GB (in quotes: NO is false); "
            "for a path to them: {region_from: PATH}"
        )


def _shape(text: str) -> str:
    return f"string of {len(text)} characters that is no number of this region"


_NO_REGION = "write ISO 3166's two letters, such as GB, or the number with + and country code"
_PLUS = "write it with + before its country code; or use digits in the mapping, where all have their country code"
_REMEDY = "write it with + and country code, or as it is dialled within its region"
