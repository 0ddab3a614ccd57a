"""Times that are read and written, with their zones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.mapping import times
from connector.core.mapping.errors import UnmappableError

NOON_MS = 1_795_953_600_000  # 2026-11-29T12:00:00Z
BERLIN = times.zone_of("Europe/Berlin")

instants = st.integers(0, 4_102_444_799_999)


@given(instants)
def test_what_is_written_as_iso_is_read_again(ms: int) -> None:
    assert times.reader("iso")(times.iso(ms), None) == ms


@given(instants.map(lambda ms: ms // 1000 * 1000))
def test_what_is_written_with_its_offset_is_read_again(ms: int) -> None:
    """Also in the hour that comes twice."""
    layout = "%d.%m.%Y %H:%M:%S %z"
    assert times.reader(layout)(times.written(ms, layout, BERLIN), None) == ms


@pytest.mark.parametrize(
    ("layout", "value", "ms"),
    [
        ("seconds", 1_795_953_600, NOON_MS),
        ("seconds", 1_795_953_600.25, NOON_MS + 250),
        ("seconds", "1795953600", NOON_MS),
        ("millis", NOON_MS, NOON_MS),
        ("micros", NOON_MS * 1000 + 999, NOON_MS),
        ("nanos", NOON_MS * 1_000_000, NOON_MS),
        ("iso", "2026-11-29T13:00:00+01:00", NOON_MS),
        ("iso", "2026-11-29T12:00:00Z", NOON_MS),
    ],
)
def test_a_time_is_read(layout: str, value: object, ms: int) -> None:
    assert times.reader(layout)(value, None) == ms


@pytest.mark.parametrize(
    ("layout", "value"),
    [("iso", "2026-11-29T13:00:00"), ("iso", "2026-11-29 13:00"), ("%d.%m.%Y %H:%M", "29.11.2026 13:00")],
)
def test_a_text_without_a_zone_takes_that_of_the_mapping(layout: str, value: str) -> None:
    assert times.reader(layout)(value, BERLIN) == NOON_MS
    with pytest.raises(UnmappableError, match="without a zone"):
        times.reader(layout)(value, None)


def test_a_date_begins_at_midnight_of_its_zone() -> None:
    assert times.iso(times.reader("iso")("2026-11-29", BERLIN)) == "2026-11-28T23:00:00Z"


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    """Clocks went back from 03:00 to 02:00 that night."""
    assert times.iso(times.reader("iso")("2026-10-25T02:30:00", BERLIN)) == "2026-10-25T00:30:00Z"


@pytest.mark.parametrize(
    ("layout", "value"),
    [
        ("seconds", "soon"),
        ("seconds", None),
        ("seconds", float("inf")),
        ("iso", "tomorrow"),
        ("%H:%M", "24:61"),
        ("iso", 17),
    ],
)
def test_what_is_no_time_cannot_be_taken(layout: str, value: object) -> None:
    with pytest.raises(UnmappableError):
        times.reader(layout)(value, BERLIN)


@pytest.mark.parametrize("write", [times.iso, lambda ms: times.written(ms, "%H", None)])
def test_a_number_beyond_every_calendar_cannot_be_written(write: Callable[[int], str]) -> None:
    with pytest.raises(UnmappableError, match="outside"):
        write(10**18)


def test_a_time_before_the_first_year_cannot_be_read() -> None:
    """Its offset takes it out of the calendar."""
    assert datetime.fromisoformat("0001-01-01T00:00:00+14:00").tzinfo is not UTC
    assert times.reader("iso")("0001-01-01T00:00:00+14:00", None) < 0


@pytest.mark.parametrize(("ms", "text"), [(NOON_MS, "2026-11-29T12:00:00Z"), (NOON_MS + 5, "2026-11-29T12:00:00.005Z")])
def test_iso_has_ms_where_there_are_any(ms: int, text: str) -> None:
    assert times.iso(ms) == text


def test_a_zone_that_an_event_names_is_looked_up() -> None:
    assert times.named_zone(None, "zone") is None
    assert times.named_zone("Europe/Berlin", "zone") is BERLIN
    for name in ("Nowhere/Land", "../../etc/passwd", ""):
        with pytest.raises(UnmappableError, match=r"^departs\.zone: string of .* that is no zone$"):
            times.named_zone(name, "departs.zone")


@pytest.mark.parametrize("layout", ["%H:%M", "%d.%m.%Y %H:%M %z"])
def test_a_layout_is_taken(layout: str) -> None:
    times.check_format(layout, reading=True)


@pytest.mark.parametrize(("layout", "reading"), [("noon", False), ("%-d. %B", True), ("", False)])
def test_what_is_no_layout_is_refused(layout: str, reading: bool) -> None:
    with pytest.raises(ValueError, match="must"):
        times.check_format(layout, reading=reading)
