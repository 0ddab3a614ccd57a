"""librdkafka's messages → records of ours."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from confluent_kafka import Message

from connector.core.envelope import UNREADABLE_HEADERS
from connector.core.made import made
from connector.core.record import Headers, Partition, Record
from connector.core.settled_map import NO_EPOCH

headers_of = operator.methodcaller("headers")
"""`message.headers()` gives a broken list for a name that is not UTF-8 and leaves the exception behind, to strike
anywhere later. Called like this, the interpreter looks for it at once and raises SystemError."""

_interned: dict[tuple[str | None, int | None], Partition] = {}


def records_of(messages: Sequence[Message]) -> tuple[list[Record], int, list[Message]]:
    """Return what those without an error hold, the bytes of these together, and the messages that are errors."""
    records: list[Record] = []
    errors: list[Message] = []
    size = 0
    for message in messages:
        if message.error() is None:
            record = record_of(message)
            size += record.size
            records.append(record)
        else:
            errors.append(message)
    return records, size, errors


def record_of(message: Message) -> Record:
    """Return what a message without an error holds."""
    place = (message.topic(), message.partition())
    partition = _interned.get(place)
    if partition is None:
        partition = _interned[place] = Partition(str(place[0]), int(place[1] or 0))
    kind, timestamp = message.timestamp()
    epoch = message.leader_epoch()
    return made(
        Record,
        (
            partition,
            message.offset() or 0,
            timestamp if kind else None,
            message.key(),
            message.value(),
            _headers(message),
            NO_EPOCH if epoch is None else epoch,
        ),
    )


def _headers(message: Message) -> Headers:
    try:
        headers = headers_of(message)
    except (ValueError, SystemError):  # a name that is not UTF-8: the record goes on without its headers, and says so
        return ((UNREADABLE_HEADERS, None),)
    return tuple(headers) if headers else ()
