"""What a shadow writes into its own ledger."""

from __future__ import annotations

from connector.core.envelope import Origin
from connector.core.ledger import NOT_POSTED, Entry, Fate, would
from connector.core.record import Partition

ENTRY = Entry("e-1", "", "0A1B", Fate.ACCEPTED, "accepted", 1, False, "r-1", 5, 7, Origin(Partition("t", 0), 3, 2))


def test_an_answer_of_the_test_environment_is_kept() -> None:
    found = would(ENTRY)
    assert (found.fate, found.request_id, found.posted_ms) == (Fate.WOULD_POST, "r-1", 5)


def test_where_nothing_was_posted_there_is_no_answer() -> None:
    found = would(ENTRY._replace(request_id=NOT_POSTED))
    assert (found.fate, found.request_id, found.posted_ms) == (Fate.WOULD_POST, None, None)
