"""What the delivery ledger says of one settled record."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from connector.core.envelope import Origin


class Fate(StrEnum):
    """What became of the record."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    DUPLICATE = "duplicate_event"
    WOULD_POST = "would_post"
    WOULD_RETRY = "would_retry"
    WOULD_DEAD_LETTER = "would_dead_letter"

    __hash__ = str.__hash__  # an Enum's own is a function of Python, called for each entry


class Entry(NamedTuple):
    """One record of a topic, settled. Times in ms since the epoch.

    `end_user` is the phone number's digits, "" where it is not known: it leaves the process as an HMAC only. `event_id`
    and `service_id` are those that may be shown. `attempts` counts posts, `code` is the bounded class, `posted_ms` when
    the last post began (None: there was none), and `origin` where the producer's own record lies.
    """

    event_id: str | None
    end_user: str
    service_id: str | None
    fate: Fate
    code: str
    attempts: int
    maybe_delivered: bool
    request_id: str | None
    posted_ms: int | None
    settled_ms: int
    origin: Origin


WOULD = {
    Fate.ACCEPTED: Fate.WOULD_POST,
    Fate.RETRY: Fate.WOULD_RETRY,
    Fate.DEAD_LETTER: Fate.WOULD_DEAD_LETTER,
}
"""What a shadow says of a record that a process which delivers had done this with. A duplicate is one for both."""


NOT_POSTED = "not_posted"
"""In place of the vendor's X-Request-Id where a shadow posted nothing."""


def would(entry: Entry) -> Entry:
    """The entry as a shadow writes it. `attempts` counts the post that there would have been."""
    fate = WOULD.get(entry.fate, entry.fate)
    if entry.request_id != NOT_POSTED:
        return entry._replace(fate=fate)
    return entry._replace(fate=fate, request_id=None, posted_ms=None)


class Told(NamedTuple):
    """An entry as it was read: its `end_user` is "", and `hmac` the 32 bytes that stand for the phone number.
    `group_id` is the consumer group of the connector that wrote it."""

    entry: Entry
    hmac: bytes | None
    group_id: str


class Accepted(NamedTuple):
    """An event that was accepted, as far as the ledger tells, and when (ms since the epoch)."""

    accepted_ms: int
    event_id: str
    service_id: str
    hmac: bytes
