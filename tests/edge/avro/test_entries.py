"""Entries of the ledger: Avro as fastavro reads it, and no phone number in them."""

from __future__ import annotations

import hmac
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import Origin
from connector.core.ledger import WOULD, Entry, Fate, Told
from connector.core.record import Partition
from connector.edge.avro.canonical import fingerprint
from connector.edge.avro.entries import Entries, ShadowEntries, decoded, hmac_of
from connector.edge.avro.schemas import shipped_folder

KEY, GROUP = "0123456789abcdef", "invoke"
TEXT = (Path(__file__).parents[3] / "schemas" / "ledger-entry.avsc").read_text()
LONG = st.integers(-(2**63), 2**63 - 1)
ENTRIES = st.builds(
    Entry,
    st.none() | st.text(max_size=200),
    st.text("0123456789", max_size=16),
    st.none() | st.text(max_size=40),
    st.sampled_from(Fate),
    st.text(max_size=40),
    st.integers(0, 2**31 - 1),
    st.booleans(),
    st.none() | st.text(max_size=100),
    st.none() | LONG,
    LONG,
    st.builds(
        Origin,
        st.builds(Partition, st.text(max_size=249), st.integers(0, 2**31 - 1)),
        st.integers(0, 2**63 - 1),
        st.none() | LONG,
    ),
)


def by_fastavro(value: bytes) -> dict[str, Any]:
    schema = fastavro.parse_schema(json.loads(TEXT.replace(', "logicalType": "timestamp-millis"', "")))
    rest = BytesIO(value)
    assert rest.read(10) == b"\xc3\x01" + fingerprint(TEXT)
    fields = fastavro.schemaless_reader(rest, schema, None)
    assert isinstance(fields, dict)
    assert not rest.read()
    return fields


@given(st.lists(ENTRIES, max_size=3))
def test_what_is_written_is_what_fastavro_reads(entries: list[Entry]) -> None:
    """Whatever the values, and with what was remembered of the entries before."""
    writer = Entries(KEY, GROUP)
    for entry in entries:
        value = writer.encode(entry)
        fields = by_fastavro(value)
        end_user = hmac.new(KEY.encode(), entry.end_user.encode(), "sha256").digest() if entry.end_user else None
        assert fields == {
            "groupId": GROUP,
            "originTopic": entry.origin.partition.topic,
            "originPartition": entry.origin.partition.number,
            "outcome": entry.fate.value,
            "class": entry.code,
            "serviceId": entry.service_id,
            "attempts": entry.attempts,
            "possibleDuplicate": entry.maybe_delivered,
            "originOffset": entry.origin.offset,
            "originTimestamp": entry.origin.timestamp_ms,
            "eventId": entry.event_id,
            "endUser": end_user,
            "requestId": entry.request_id,
            "postedAt": entry.posted_ms,
            "settledAt": entry.settled_ms,
        }
        assert decoded(value) == Told(entry._replace(end_user=""), end_user, GROUP)


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01", b"\xc3\x01" + fingerprint(TEXT), b"{}"])
def test_what_is_no_entry_is_none(value: bytes | None) -> None:
    assert decoded(value) is None


@pytest.mark.parametrize("length", [16, 64, 65, 200])
def test_a_key_of_any_length_makes_the_hmac_of_the_standard(length: int) -> None:
    entry = Entry("a", "12025550100", None, Fate.ACCEPTED, "c", 1, False, None, 1, 2, Origin(Partition("t", 0), 0, 1))
    told = decoded(Entries("k" * length, GROUP).encode(entry))
    assert told is not None
    assert told.hmac == hmac.new(b"k" * length, b"12025550100", "sha256").digest()


def test_a_new_key_makes_another_stand_in_for_the_same_number() -> None:
    entry = Entry("a", "12025550100", None, Fate.ACCEPTED, "c", 1, False, None, 1, 2, Origin(Partition("t", 0), 0, 1))
    writer = Entries(KEY, GROUP)
    first = decoded(writer.encode(entry))
    writer.renew_key("another key of 16 and more")
    second = decoded(writer.encode(entry))
    assert first is not None
    assert second is not None
    assert (first.hmac, second.hmac) == (
        hmac_of(KEY, "12025550100"),
        hmac_of("another key of 16 and more", "12025550100"),
    )
    assert first.hmac != second.hmac
    assert b"12025550100" not in writer.encode(entry)


def test_no_event_is_read_with_the_ledgers_schema() -> None:
    """It lies in the same folder."""
    assert TEXT not in [file.text for file in shipped_folder().files]


@given(ENTRIES)
def test_a_shadow_says_what_would_have_become_of_a_record(entry: Entry) -> None:
    """And finds it again by what `engine.ports.Ledger` asks for."""
    value = ShadowEntries(KEY, GROUP).encode(entry)
    told = decoded(value)
    assert told is not None
    assert told.entry.fate == WOULD.get(entry.fate, entry.fate)
    assert told.entry.fate not in WOULD
    assert value.startswith(ShadowEntries(KEY, GROUP).beginning(entry.origin.partition, entry.fate))
