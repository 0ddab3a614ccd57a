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
from typing import Any

from fastavro import parse_schema, schemaless_reader
from fastavro.types import Schema

from connector.core.envelope import Origin
from connector.core.ledger import Entry, Fate, Told
from connector.core.record import Partition
from connector.edge.avro.canonical import fingerprint
from connector.edge.avro.schemas import LEDGER_ENTRY

_MARKER = b"\xc3\x01"
_NULL, _SOME = b"\x00", b"\x02"
_BLOCK = 64
_REMEMBERED = 4096
_LOW_BITS = 14
_LOW = (1 << _LOW_BITS) - 1
_LOW_BYTES = [bytes((0x80 | low & 0x7F, 0x80 | low >> 7)) for low in range(_LOW + 1)]
"""The first two bytes of numbers that have more."""


class Entries:
    """Writes entries. `key` is the HMAC's, and may be changed at any time, by another thread too."""

    def __init__(self, key: str) -> None:
        self._begun = _begun(key)
        self._head = _schema()[1]
        self._beginnings: dict[tuple[str, int, Fate, str, str | None, int, bool], bytes] = {}
        self._endings: dict[int, bytes] = {}

    def renew_key(self, key: str) -> None:
        """Use another key from now on."""
        self._begun = _begun(key)

    def encode(self, entry: Entry) -> bytes:
        """One entry, with the HMAC in place of the phone number."""
        (topic, partition), offset, timestamp_ms = entry.origin
        same = topic, partition, entry.fate, entry.code, entry.service_id, entry.attempts, entry.maybe_delivered
        number = self._number
        return b"".join(
            (
                self._beginnings.get(same) or self._begin(same),
                number(offset),
                _NULL if timestamp_ms is None else _SOME + number(timestamp_ms),
                _NULL if entry.event_id is None else _SOME + _text(entry.event_id),
                _SOME + self._hmac(entry.end_user) if entry.end_user else _NULL,
                _NULL if entry.request_id is None else _SOME + _text(entry.request_id),
                _NULL if entry.posted_ms is None else _SOME + number(entry.posted_ms),
                number(entry.settled_ms),
            )
        )

    def _hmac(self, end_user: str) -> bytes:
        """As `hmac_of`, from hashes that have read the key already: that takes half as long."""
        begun_inner, begun_outer = self._begun
        inner, outer = begun_inner.copy(), begun_outer.copy()
        inner.update(end_user.encode())
        outer.update(inner.digest())
        return outer.digest()

    def beginning(self, origin: Partition, fate: Fate) -> bytes:
        """What all entries of this fate begin with that are of records of one partition."""
        return b"".join((self._head, _text(origin.topic), _number(origin.number), _text(fate.value)))

    def _begin(self, same: tuple[str, int, Fate, str, str | None, int, bool]) -> bytes:
        """What many entries have in common."""
        topic, partition, fate, code, service_id, attempts, maybe_delivered = same
        if len(self._beginnings) >= _REMEMBERED:
            self._beginnings.clear()
        beginning = self._beginnings[same] = b"".join(
            (
                self.beginning(Partition(topic, partition), fate),
                _text(code),
                _NULL if service_id is None else _SOME + _text(service_id),
                _number(attempts),
                bytes((maybe_delivered,)),
            )
        )
        return beginning

    def _number(self, number: int) -> bytes:
        """As `_number`, quickly for numbers that begin like others: times, offsets."""
        doubled = number << 1
        if doubled <= _LOW:
            return _number(number)
        high = doubled >> _LOW_BITS
        ending = self._endings.get(high)
        if ending is None:
            if len(self._endings) >= _REMEMBERED:
                self._endings.clear()
            ending = self._endings[high] = _varint(high)
        return _LOW_BYTES[doubled & _LOW] + ending


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
    return Told(entry, fields["endUser"])


def hmac_of(key: str, end_user: str) -> bytes:
    """The 32 bytes that stand for a phone number's digits: HMAC-SHA256."""
    return hmac.digest(key.encode(), end_user.encode(), "sha256")


def _begun(key: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The inner and the outer hash of HMAC (RFC 2104), after the key."""
    secret = key.encode()
    block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return sha256(bytes(each ^ 0x36 for each in block)), sha256(bytes(each ^ 0x5C for each in block))


def _text(text: str) -> bytes:
    content = text.encode("utf-8", "replace")
    return _number(len(content)) + content


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
