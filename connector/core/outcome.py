"""Answer → outcome: one of four fates, with the class, the reason and the remedy, from one table that is data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Fate(StrEnum):
    """What becomes of a record that was posted, or could not be."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    HOLD = "hold"


class Delivered(StrEnum):
    """What is known of the request's arrival when it was not accepted."""

    NO = "no"  # answered with a refusal, so not acted on
    NEVER_SENT = "never_sent"
    MAYBE = "maybe"


class Outcome(NamedTuple):
    """The verdict on one answer. `code` is the bounded class; `why` and `remedy` are the table's own texts.

    `vendor_code` and `status` as answered (None where there was none); `retry_after` raw, for the caller that
    knows the time.
    """

    fate: Fate
    code: str
    why: str
    remedy: str
    delivered: Delivered
    status: int | None = None
    vendor_code: str | None = None
    request_id: str | None = None
    retry_after: str | None = None
