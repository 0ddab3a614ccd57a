"""Phone numbers as people write them in a country, to country code and number.

What a trunk prefix is, and whether it falls away, differs by country and changes with numbering plans: an Italian 0
stays, a Russian 8 goes, an Argentine mobile gets a 9. So a maintained library knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from connector.core.mapping.errors import UnmappableError

_REMEMBERED = 20_000  # reading one takes as long as all else about its event; the same people come again

International = Callable[[object, object], str]


def international() -> International:
    """What makes digits with the country code, without a plus, of a number and its region such as DE.

    Without a region it takes only numbers that begin with a plus. It raises UnmappableError. The library is imported
    here: it takes a tenth of a second, which whoever has no such rule is spared.
    """
    import phonenumbers

    @lru_cache(_REMEMBERED)
    def read(text: str, region: str | None) -> str:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            raise UnmappableError(_shape(text), _REMEDY) from None
        if number.extension or not phonenumbers.is_possible_number(number):
            raise UnmappableError(_shape(text), _REMEDY)
        return f"{number.country_code}{phonenumbers.national_significant_number(number)}"

    return lambda value, region: read(str(value), None if region is None else str(region).upper())


def check_region(region: str) -> None:
    """Raise ValueError for what is no region."""
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be a region of two letters, such as DE or US (in quotes: YAML takes NO for false)")


def _shape(text: str) -> str:
    return f"string of {len(text)} characters that is no number of this region"


_REMEDY = "write it with + and country code, or as it is dialled within its region"
