"""What stands in for the vendor and for the topics of copies."""

from __future__ import annotations

import asyncio

from connector.core.codes import DEFAULT_TABLE
from connector.core.ledger import NOT_POSTED
from connector.core.outcome import Fate
from connector.core.reply import Answer
from connector.core.request import InvokeRequest
from connector.edge.shadow import NoCopies, NoPosts


async def test_what_is_not_posted_counts_as_accepted_in_a_later_turn() -> None:
    """As of an answer that came at once: the engine is never called from within its own effects."""
    answers: list[Answer] = []
    NoPosts().post(InvokeRequest("0A", b"{}", ()), answers.append)
    assert answers == []
    await asyncio.sleep(0)
    (outcome,) = map(DEFAULT_TABLE.classify, answers)
    assert (outcome.fate, outcome.request_id) == (Fate.ACCEPTED, NOT_POSTED)


async def test_no_copy_of_a_shadow_is_written() -> None:
    """There is no client that could."""
    failed = await NoCopies().write("invocations.dlq", None, b"", ())
    assert failed is None
