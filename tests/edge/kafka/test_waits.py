"""How long the owner's thread waits: the longer, the less it costs; the shorter, the sooner a commit is on its way."""

from __future__ import annotations

from connector.edge.kafka.waits import Waits
from connector.engine.commits import CADENCE


def test_a_commit_that_follows_another_waits_a_millisecond_at_most() -> None:
    waits = Waits()
    waits.committing(now=100.0)
    assert waits.look(now=100.002, busy=True) == 0.001
    assert waits.look(now=100.009, busy=False) == 0.001


def test_who_waits_for_commands_alone_is_woken_by_the_next_commit() -> None:
    waits = Waits()
    waits.committing(now=100.0)
    assert waits.look(now=100.002, busy=True, woken=True) == 0.005


def test_while_records_are_in_hand_a_commit_waits_five_milliseconds_at_most() -> None:
    assert Waits().look(now=100.0, busy=True) == 0.005


def test_the_commit_of_the_last_record_does_not_wait_for_the_next_record() -> None:
    """It comes a cadence after the record was settled, when nothing is in hand any more."""
    waits = Waits()
    waits.look(now=100.0, busy=True)
    assert waits.look(now=100.0 + CADENCE, busy=False) == 0.005


def test_a_quiet_topic_costs_five_turns_a_second() -> None:
    waits = Waits()
    assert waits.look(now=100.0, busy=False) == 0.2
    waits.look(now=100.0, busy=True)
    waits.committing(now=100.0)
    assert waits.look(now=100.1, busy=False) == 0.2
