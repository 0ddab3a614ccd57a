"""How much is done for one event, as a number that no machine and no neighbour changes: calls of our functions.

`make profile PROFILE=--in-memory` shows them by file. Whoever needs more than a tenth more says here what for; whoever
needs less writes down the better number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calls import Calls, count, count_posts
from benchmarks.in_memory import MIXES

DELIVERED = 91.3
"""From a record in hand to its line and its place in a commit; without Kafka's client and without HTTP. Of these are
13 decoding and 2 building, and most of the others the engine's."""

POSTED = 21.0
"""From a request to its answer, on a connection that is open; 5 of these are once for all posts and answers of a turn
of the event loop, of which there is one here."""


def within(expected: float, counted: Calls) -> None:
    found = sum(counted.python.values())
    assert found == pytest.approx(expected, rel=0.1), f"{counted.python}: change the number, and say why"


def test_a_delivered_event_takes_no_more_calls_than_it_did(tmp_path: Path) -> None:
    """An event of the usual kind, among many: a fixed run on virtual time."""
    within(DELIVERED, count(MIXES["defaults"], tmp_path))


@pytest.mark.parametrize("name", MIXES)
def test_every_mix_of_events_can_be_counted(name: str, tmp_path: Path) -> None:
    """All events of a mix are posted on virtual time, so that `make profile` has a row for it."""
    assert sum(count(MIXES[name], tmp_path, events=300).python.values()) > 0


def test_a_post_takes_no_more_calls_than_it_did() -> None:
    """One post after the other on one connection, answered as nginx does."""
    within(POSTED, count_posts())
