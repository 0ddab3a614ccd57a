"""Which letters a command is about: the filters that its options make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from connector.core.letters.letter import DeadLetter
from connector.core.record import Record


class Filters(NamedTuple):
    """What a letter must be; an empty field asks for nothing. Times are ms since the epoch, `until_ms` excluded."""

    classes: frozenset[str] = frozenset()
    vendor_codes: frozenset[str] = frozenset()
    service_ids: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    event_id: str | None = None
    phone: str | None = None
    message: re.Pattern[str] | None = None
    only_possible_duplicates: bool = False

    @property
    def need_event(self) -> bool:
        """Whether the value has to be decoded to tell."""
        return bool(self.service_ids) or self.event_id is not None or self.phone is not None

    def take(self, letter: DeadLetter) -> bool:
        """Whether everything but the event itself fits."""
        time_ms = letter.time_ms
        return (
            (not self.classes or letter.code in self.classes)
            and (not self.vendor_codes or letter.vendor_code in self.vendor_codes)
            and (self.since_ms is None or (time_ms is not None and time_ms >= self.since_ms))
            and (self.until_ms is None or (time_ms is not None and time_ms < self.until_ms))
            and (not self.only_possible_duplicates or letter.maybe_delivered > 0)
            and (self.message is None or self.message.search(letter.reason or "") is not None)
        )

    def may_take_event(self, record: Record) -> bool:
        """False where the record's bytes show that its event cannot fit: Avro has texts as they are."""
        value = record.value or b""
        return (self.event_id is None or self.event_id.encode() in value) and (
            self.phone is None or digits(self.phone).encode() in value or _is(self.phone, (record.key or b""))
        )

    def take_event(self, record: Record, fields: Mapping[str, object] | None) -> bool:
        """Whether the event fits. Without `fields`, when it cannot be decoded, its bytes and its key decide, and no
        service id fits."""
        if fields is None:
            return not self.service_ids and self.may_take_event(record)
        return (
            (not self.service_ids or str(fields.get("serviceId")).upper() in self.service_ids)
            and (self.event_id is None or fields.get("eventId") == self.event_id)
            and (self.phone is None or digits(str(fields.get("phoneNumber"))) == digits(self.phone))
        )


def digits(phone: str) -> str:
    """A phone number as the events have it, whether or not a plus sign is in front."""
    return phone.strip().removeprefix("+")


def _is(phone: str, key: bytes) -> bool:
    return digits(key.decode("utf-8", "replace")) == digits(phone)
