"""Laws of redaction: what is shown carries no phone number, and what is needed stays findable."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.redact import mask_phone, safe_event_id, safe_name, safe_service_id, scrub, shape

phone_numbers = st.from_regex(r"[1-9][0-9]{5,15}", fullmatch=True)
event_ids = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)


@given(st.text())
def test_a_mask_shows_two_characters_at_most(text: str) -> None:
    masked = mask_phone(text)
    assert masked == "…" or masked == "…" + text[-2:]


def test_a_mask_of_a_phone_number_ends_in_its_last_two_digits() -> None:
    assert mask_phone("12515550123") == "…23"


def test_a_mask_of_a_short_text_shows_nothing_of_it() -> None:
    assert mask_phone("12345") == "…"


@given(st.text(alphabet="0123456789 -()+/.:ab\u0663", max_size=60))
def test_no_run_of_six_digits_survives_a_scrub(text: str) -> None:
    assert re.search(r"\d{6}", scrub(text)) is None


@given(st.text(), phone_numbers, st.text())
def test_no_phone_number_survives_a_scrub(before: str, number: str, after: str) -> None:
    assert number not in scrub(before + number + after)


@pytest.mark.parametrize("number", ["12515550123", "+1 251 555 0123", "+1 (251) 555-0123", "251-555-0123"])
def test_a_number_is_scrubbed_in_every_common_spelling(number: str) -> None:
    assert scrub(f"call {number} now") == "call [number] now"


@pytest.mark.parametrize("text", ["10.20.30.40:9092 refused", "at 12:30:45.678", "HTTP 502 after 30 s", ""])
def test_addresses_times_and_small_numbers_survive_a_scrub(text: str) -> None:
    assert scrub(text) == text


@given(st.text())
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_an_ordinary_event_id_passes_unchanged() -> None:
    event_id = "550e8400-e29b-41d4-a716-446655440000"
    assert safe_event_id(event_id, "12515550123") == event_id


@given(event_ids, phone_numbers)
def test_an_event_id_is_shown_unchanged_or_as_a_hash(event_id: str, number: str) -> None:
    digest = "sha256:" + hashlib.sha256(event_id.encode()).hexdigest()[:16]
    assert safe_event_id(event_id, number) in (event_id, digest)


@given(st.text(max_size=100), phone_numbers, st.text(max_size=100))
def test_no_event_id_shows_its_phone_number(before: str, number: str, after: str) -> None:
    shown = safe_event_id(before + number + after, "+" + number)
    assert shown.startswith("sha256:")
    assert len(shown) == len("sha256:") + 16


@pytest.mark.parametrize("event_id", ["gate-12515550123", "1.251.555-0123", "sms:2515550123", "x_5550123"])
def test_an_event_id_with_the_number_in_any_cut_is_hashed(event_id: str) -> None:
    assert safe_event_id(event_id, "12515550123").startswith("sha256:")


def test_a_number_with_separators_is_recognised_in_an_event_id() -> None:
    assert safe_event_id("gate-12515550123", "+1 (251) 555-0123").startswith("sha256:")


def test_a_text_too_short_for_a_phone_number_hides_no_event_id() -> None:
    assert safe_event_id("order-1", "1") == "order-1"


@pytest.mark.parametrize("event_id", ["", "a b", "x" * 65, "id\n", "\ud800"])
def test_an_event_id_that_is_not_well_formed_is_hashed(event_id: str) -> None:
    assert safe_event_id(event_id, "12515550123").startswith("sha256:")


@given(st.text() | st.integers(), st.integers(min_value=1, max_value=99))
def test_a_name_is_shown_as_written_or_by_its_place(name: object, place: int) -> None:
    assert safe_name(name, place) in (name, f"[{place}]")


@given(st.text(alphabet="0123456789._-ab", max_size=80))
def test_no_shown_name_has_six_digits(name: str) -> None:
    assert sum(map(str.isdigit, safe_name(name, 1))) < 6


@pytest.mark.parametrize("name", ["seatLocation", "quiz1", "identifiers.email", "a_b-c"])
def test_an_ordinary_name_is_shown(name: str) -> None:
    assert safe_name(name, 1) == name


@pytest.mark.parametrize(
    "service_id", ["0A1B2C3D4E5F", "9876543210AB", "f9", "OA1B2C3D4E5F", " 0A1B2C3D4E5F", "{0A1B-2C3D}"]
)
def test_a_service_id_is_shown(service_id: str) -> None:
    """It is no personal data, also when it is a wrong one."""
    assert safe_service_id(service_id, "12515550123") == service_id


@pytest.mark.parametrize(
    "service_id",
    [
        "12515550123",
        "+12515550123",
        "442079460000",
        "AB12515550123",
        "5550123F",
        "44-2079-460000",
        "Jane Doe",
        "gate-change",
        "a\nb",
        "",
    ],
)
def test_what_may_be_a_phone_number_is_not_shown_as_a_service_id(service_id: str) -> None:
    """Somebody wrote it into the wrong field."""
    assert safe_service_id(service_id, "12515550123") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "boolean"),
        ("aisle", "string of 5 characters"),
        (b"ab", "2 bytes"),
        ({"a": 1}, "map of 1 entries"),
        ([1, 2], "list of 2 items"),
        (49, "int"),
        (4.9, "float"),
    ],
)
def test_a_shape_tells_type_and_size_only(value: object, expected: str) -> None:
    assert shape(value) == expected


def test_a_service_id_that_the_settings_list_is_known_to_be_no_phone_number() -> None:
    assert safe_service_id("12515550123", "12515550123") is None
    assert safe_service_id("12515550123", "12515550123", is_listed=True) == "12515550123"
