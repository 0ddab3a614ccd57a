"""Filters: all that are given have to fit."""

from __future__ import annotations

import re

import pytest

from connector.core.letters.chosen import Filters
from connector.core.letters.letter import OURS, DeadLetter
from connector.core.record import Partition, Record

RECORD = Record(Partition("dlq", 0), 0, 5_000, b"+12025550112", b"..ev-1..12025550112..")
LETTER = DeadLetter(RECORD, OURS, (), "rejected", reason="not a gate", vendor_code="12", maybe_delivered=1)
FIELDS = {"eventId": "ev-1", "serviceId": "0a1b", "phoneNumber": "12025550112"}


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (Filters(), True),
        (Filters(classes=frozenset({"rejected", "expired"})), True),
        (Filters(classes=frozenset({"expired"})), False),
        (Filters(vendor_codes=frozenset({"12"})), True),
        (Filters(vendor_codes=frozenset({"13"})), False),
        (Filters(since_ms=5_000), True),
        (Filters(since_ms=5_001), False),
        (Filters(until_ms=5_000), False),
        (Filters(until_ms=5_001), True),
        (Filters(only_possible_duplicates=True), True),
        (Filters(message=re.compile("gate$")), True),
        (Filters(message=re.compile("^gate")), False),
    ],
)
def test_what_the_headers_say_is_filtered(filters: Filters, fits: bool) -> None:
    assert filters.take(LETTER) is fits
    assert not filters.need_event


def test_a_letter_without_a_time_fits_no_time() -> None:
    letter = LETTER._replace(record=RECORD._replace(timestamp_ms=None))
    assert not Filters(since_ms=0).take(letter)
    assert not Filters(until_ms=9**9).take(letter)


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (Filters(service_ids=frozenset({"0A1B"})), True),
        (Filters(service_ids=frozenset({"0C"})), False),
        (Filters(event_id="ev-1"), True),
        (Filters(event_id="ev-"), False),
        (Filters(phone="+12025550112"), True),
        (Filters(phone="2025550112"), False),
    ],
)
def test_what_the_event_says_is_filtered(filters: Filters, fits: bool) -> None:
    assert filters.need_event
    assert filters.take_event(RECORD, FIELDS) is fits


def test_bytes_that_lack_the_id_need_no_decoding() -> None:
    assert not Filters(event_id="ev-2").may_take_event(RECORD)
    assert not Filters(phone="12025550199").may_take_event(RECORD)
    assert not Filters(phone="12025550112").may_take_event(RECORD._replace(key=None, value=None))
    assert Filters(phone="12025550112").may_take_event(RECORD._replace(value=None))


def test_of_an_event_that_cannot_be_decoded_bytes_and_key_decide() -> None:
    assert Filters(event_id="ev-1").take_event(RECORD, None)
    assert not Filters(service_ids=frozenset({"0A1B"})).take_event(RECORD, None)
