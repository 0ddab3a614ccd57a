"""The filters that the commands about letters share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import typer

from connector.config.units import parse_duration
from connector.core.letters.chosen import Filters

Classes = Annotated[list[str], typer.Option("--class", metavar="CLASS", help="Of this class; may be repeated.")]
VendorCodes = Annotated[
    list[str], typer.Option("--vendor-code", metavar="CODE", help="With this code of the vendor; may be repeated.")
]
ServiceIds = Annotated[list[str], typer.Option("--service-id", metavar="ID", help="For this service; may be repeated.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Written from then on: 2h ago as `2h`, or 2026-11-30T09:00 (UTC).")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Written before then.")]
EventId = Annotated[str | None, typer.Option(metavar="ID", help="Of exactly this event.")]
Phone = Annotated[str | None, typer.Option(metavar="NUMBER", help="Of exactly this phone number.")]
Message = Annotated[str | None, typer.Option(metavar="REGEX", help="With a reason that this matches somewhere.")]
OnlyPossibleDuplicates = Annotated[
    bool, typer.Option("--possible-duplicates", help="Only those that may have been delivered.")
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show phone numbers and values.")]
Topic = Annotated[
    str | None, typer.Option(metavar="NAME", help="Another dead-letter topic than kafka.topics.dead_letter.")
]

RetryTopic = Annotated[str | None, typer.Option("--topic", metavar="NAME", help="Another one than kafka.topics.retry.")]


class Given(NamedTuple):
    """The options as they were given."""

    classes: list[str]
    vendor_codes: list[str]
    service_ids: list[str]
    since: str | None
    until: str | None
    event_id: str | None
    phone: str | None
    message: str | None
    possible_duplicates: bool

    def filters(self, now_ms: int) -> Filters:
        """Raises typer.BadParameter for a time or a regular expression that is none."""
        return Filters(
            frozenset(self.classes),
            frozenset(self.vendor_codes),
            frozenset(each.upper() for each in self.service_ids),
            time_ms(self.since, now_ms),
            time_ms(self.until, now_ms),
            self.event_id,
            self.phone,
            _pattern(self.message),
            self.possible_duplicates,
        )


def time_ms(text: str | None, now_ms: int) -> int | None:
    """A duration before now, or a time of ISO 8601, UTC unless it says otherwise, in ms since the epoch."""
    if text is None:
        return None
    try:
        return now_ms - round(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is neither an age such as 2h nor a time such as 2026-11-30T09:00") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise typer.BadParameter(f"--message is no regular expression: {error}") from None
