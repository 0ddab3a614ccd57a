"""Who wrote a record, as far as it says so."""

from __future__ import annotations

import pytest

from connector.cli.lint.reading import NOT_NAMED, PRODUCER_HEADERS, producer_of
from connector.core.record import Partition, Record


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"booking-2", "booking-2"),
        (b"booking-7d9c86-x2x4z", "booking-#d#c##-x#x#z"),
        (b"1202.555.0123", "####.###.####"),
        (b"\x1b[31m", "__31m"),
        (b"x" * 100, "x" * 64),
        (b"\xff", "_"),
        (None, NOT_NAMED),
    ],
)
def test_a_producers_name_is_shown_where_it_cannot_be_a_phone_number(value: bytes | None, shown: str) -> None:
    """Nor do control characters reach a terminal."""
    record = Record(Partition("t", 0), 0, None, None, None, (("client.id", value),))
    assert producer_of(record, PRODUCER_HEADERS) == shown


def test_the_first_header_that_is_there_names_the_producer() -> None:
    record = Record(Partition("t", 0), 0, None, None, None, (("service", b"b"), ("producer", b"a")))
    assert producer_of(record, PRODUCER_HEADERS) == "a"
    assert producer_of(record, ("x-app",)) == NOT_NAMED
