"""Phone numbers of no country as they are, which one of this topic's countries has without its country code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from connector.core.lint.findings import Finding, Notes, Seen, Severity
from connector.core.refusal import Problem

NO_COUNTRY_CODE = "no_country_code"

_FIELD = "phoneNumber"
_REMEDY = "write the country code first; where the number is right after all, leave it: numbering plans grow"
_MOST_KEPT = 1000
_MOST_TRIED = 8
"""Countries of this topic that are tried, those with the most numbers first."""
_FEWEST = 20


class Plans(Protocol):
    """The numbering plans of the world."""

    def region(self, digits: str) -> str | None:
        """Whose number this is, country code first; None for a number that nobody can have."""

    def is_national(self, digits: str, region: str) -> bool:
        """Whether the region has this number, without its country code."""


class PhoneNumbers:
    """The end users of a topic. Remembers 1,000 doubtful numbers at most, in memory only."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._regions: Counter[str] = Counter()
        self._doubtful: dict[tuple[str, str, str], tuple[int, Seen]] = {}
        self._nobodys = 0

    def add(self, digits: str, seen: Seen) -> None:
        """The number of an event, as it would be posted."""
        region = self._plans.region(digits)
        if region is not None:
            self._regions[region] += 1
            return
        self._nobodys += 1
        kind = digits, seen.producer, seen.schema
        if kind in self._doubtful:
            count, first = self._doubtful[kind]
            self._doubtful[kind] = count + 1, first
        elif len(self._doubtful) < _MOST_KEPT:
            self._doubtful[kind] = 1, seen

    def findings(self) -> Iterator[Finding]:
        """What looks wrong. A number that is nobody's is not enough, unless most of them are."""
        regions = [region for region, _ in self._regions.most_common(_MOST_TRIED)]
        numbers = self._nobodys + self._regions.total()
        most_are = numbers >= _FEWEST and self._nobodys > numbers / 2
        notes = Notes()
        for (digits, *_), (count, seen) in self._doubtful.items():
            region = next((each for each in regions if self._plans.is_national(digits, each)), None)
            if region is not None:
                text = f"no country's number as it is, and one of {region} without its country code"
            elif most_are:
                text = f"no country's number, like {self._nobodys:,} of {numbers:,}"
            else:
                continue
            notes.add(Severity.SUSPECT, Problem(NO_COUNTRY_CODE, _FIELD, text, _REMEDY), seen, times=count)
        yield from notes.findings()
