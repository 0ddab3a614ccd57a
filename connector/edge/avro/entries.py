"""Entries of the delivery ledger as Avro, in single-object encoding: no registry has to know their schema.

Written by hand, since one is written for every record: fastavro takes three times as long. The tests compare with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cache
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader
from fastavro.types import Schema
from typing_extensions import override

from connector.core.envelope import Origin
from connector.core.ledger import WOULD, Entry, Fate, Told, would
from connector.core.record import Partition
from connector.edge.avro.canonical import fingerprint
from connector.edge.avro.schemas import LEDGER_ENTRY

_MARKER = b"\xc3\x01"
_NULL, _SOME = b"\x00", b"\x02"
_BLOCK = 64
_REMEMBERED = 1024
_FIRST: Final = [bytes((0x80 | each << 1,)) for each in range(64)]
"""The first byte of a number that has more, by its lowest six bits."""
_SOME_LENGTH: Final = [_SOME + bytes((each << 1,)) for each in range(64)]
"""What comes before a text that is not null, by its length in bytes: of those whose length takes one."""


class Entries:
    """Writes entries of a consumer group. `key` is the HMAC's; it may be changed at any time, by another thread too."""

    def __init__(self, key: str, group_id: str) -> None:
        self._begun = _begun(key)
        self._head = _schema()[1] + _text(group_id)
        self._beginnings: dict[tuple[Partition, Fate, str, str | None, int, bool], bytes] = {}
        self._rests: dict[int, bytes] = {}

    def renew_key(self, key: str) -> None:
        """Use another key from now on."""
        self._begun = _begun(key)

    def encode(self, entry: Entry) -> bytes:
        """One entry, with the HMAC in place of the phone number."""
        event_id, end_user, service_id, fate, code, attempts, maybe_delivered, request_id, posted, settled, origin = (
            entry
        )
        partition, offset, timestamp = origin
        same = partition, fate, code, service_id, attempts, maybe_delivered
        beginning = self._beginnings.get(same)
        if beginning is None:
            beginning = self._begin(same)
        number = self._number
        return b"".join(
            (
                beginning,
                number(offset),
                _NULL if timestamp is None else _SOME + number(timestamp),
                _NULL if event_id is None else _some_text(event_id),
                _SOME + self.hmac_of(end_user) if end_user else _NULL,
                _NULL if request_id is None else _some_text(request_id),
                _NULL if posted is None else _SOME + number(posted),
                number(settled),
            )
        )

    def hmac_of(self, end_user: str) -> bytes:
        """As `hmac_of` under the key of now, from hashes that have read it already: that takes half as long."""
        begun_inner, begun_outer = self._begun
        inner, outer = begun_inner.copy(), begun_outer.copy()
        inner.update(end_user.encode())
        outer.update(inner.digest())
        return outer.digest()

    def beginning(self, origin: Partition, fate: Fate) -> bytes:
        """What all entries of this group and fate begin with that are of records of one partition."""
        return b"".join((self._head, _text(origin.topic), _number(origin.number), _text(fate.value)))

    def _begin(self, same: tuple[Partition, Fate, str, str | None, int, bool]) -> bytes:
        """What many entries have in common."""
        partition, fate, code, service_id, attempts, maybe_delivered = same
        if len(self._beginnings) >= _REMEMBERED:
            self._beginnings.clear()
        beginning = self._beginnings[same] = b"".join(
            (
                self.beginning(partition, fate),
                _text(code),
                _NULL if service_id is None else _SOME + _text(service_id),
                _number(attempts),
                bytes((maybe_delivered,)),
            )
        )
        return beginning

    def _number(self, number: int) -> bytes:
        """As `_number`, quickly for numbers that differ from others in their lowest bits: times, offsets."""
        if number < len(_FIRST):
            return _number(number)
        higher = number >> 6
        rest = self._rests.get(higher)
        if rest is None:
            if len(self._rests) >= _REMEMBERED:
                self._rests.clear()
            rest = self._rests[higher] = _varint(higher)
        return _FIRST[number & 0x3F] + rest


class ShadowEntries(Entries):
    """Writes what a shadow says of records that it did not deliver."""

    @override
    def encode(self, entry: Entry) -> bytes:
        """As `Entries`, of what would have become of the record."""
        return super().encode(would(entry))

    @override
    def beginning(self, origin: Partition, fate: Fate) -> bytes:
        """As `Entries`; `fate` as a process that delivers has it."""
        return super().beginning(origin, WOULD.get(fate, fate))


def decoded(value: bytes | None) -> Told | None:
    """An entry, from its record's value; None for bytes that are none."""
    schema, head = _schema()
    if value is None or not value.startswith(head):
        return None
    try:
        fields: Any = schemaless_reader(BytesIO(value[len(head) :]), schema, None)
        fate = Fate(fields["outcome"])
    except (EOFError, IndexError, ValueError):
        return None
    partition = Partition(fields["originTopic"], fields["originPartition"])
    entry = Entry(
        fields["eventId"],
        "",
        fields["serviceId"],
        fate,
        fields["class"],
        fields["attempts"],
        fields["possibleDuplicate"],
        fields["requestId"],
        fields["postedAt"],
        fields["settledAt"],
        Origin(partition, fields["originOffset"], fields["originTimestamp"]),
    )
    return Told(entry, fields["endUser"], fields["groupId"])


def hmac_of(key: str, end_user: str) -> bytes:
    """The 32 bytes that stand for a phone number's digits: HMAC-SHA256."""
    return hmac.digest(key.encode(), end_user.encode(), "sha256")


def _begun(key: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The inner and the outer hash of HMAC (RFC 2104), after the key."""
    secret = key.encode()
    block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return sha256(bytes(each ^ 0x36 for each in block)), sha256(bytes(each ^ 0x5C for each in block))


def _text(text: str) -> bytes:
    content = _utf8(text)
    return _number(len(content)) + content


def _some_text(text: str) -> bytes:
    """One that may be null."""
    content = _utf8(text)
    if len(content) < len(_SOME_LENGTH):
        return _SOME_LENGTH[len(content)] + content
    return _SOME + _number(len(content)) + content


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def _number(number: int) -> bytes:
    """Avro's int and long: zigzag, then seven bits a byte."""
    return _varint(number << 1 if number >= 0 else ~(number << 1))


def _varint(number: int) -> bytes:
    if number <= 0x7F:
        return bytes((number,))
    found = bytearray()
    while number > 0x7F:
        found.append(0x80 | number & 0x7F)
        number >>= 7
    found.append(number)
    return bytes(found)


@cache
def _schema() -> tuple[Schema, bytes]:
    """The schema, with times as plain numbers, and the bytes that every entry begins with."""
    text = files("connector").joinpath("schemas", LEDGER_ENTRY).read_text(encoding="utf-8")
    return parse_schema(json.loads(text, object_hook=_plain)), _MARKER + fingerprint(text)


def _plain(given: dict[str, Any]) -> object:
    return given["type"] if "logicalType" in given else given
