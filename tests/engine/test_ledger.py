"""What is noted of settled records, told by inputs alone."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.envelope import Origin
from connector.core.ledger import Fate
from connector.core.record import Record
from connector.core.signals import Lost, Revoking
from connector.engine.messages import Answered, Leave, Note, Noted, Tick
from tests.engine.around import BOUNDS, PARTITIONS, Around, lived
from tests.engine.stage import (
    ACCEPTED,
    PERMANENT,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
)
from tests.support.clock import VirtualClock, run_virtual

FIRST = PARTITIONS[0]


class Noting(Around):
    """The same, with a ledger that acknowledges when it is told to, or refuses."""

    def __init__(self, chance: Random, *, required: bool = False) -> None:
        self.notes: list[Note] = []
        self.is_required = required
        super().__init__(chance, ledger="required" if required else "optional")

    def carry_out(self, effect: object) -> None:
        if isinstance(effect, Note):
            self.notes.append(effect)
        else:
            super().carry_out(effect)

    def settle(self, record: Record, too_late: bool) -> None:
        """Where the ledger is required, only its acknowledgement does."""
        if not self.is_required:
            super().settle(record, too_late)

    def acknowledge_note(self, *, well: bool = False) -> None:
        if self.notes:
            waits = self.notes.pop(self.chance.randrange(len(self.notes))).waits
            assert waits is not None
            failed = None if well or self.chance.random() < 0.7 else "not_enough_replicas"
            if failed is None:
                super().settle(waits.record, waits.assignment.gone)
            self.tell(Noted([waits], failed))

    def peace(self) -> None:
        for _ in range(400):
            self.come_back()
            self.fetch()
            for happens in (self.answer, self.write, self.acknowledge_note, self.acknowledge):
                for _ in range(BOUNDS.in_flight):
                    happens(well=True)
            self.wait()


@pytest.mark.no_cover  # as in test_engine
@settings(max_examples=150)
@given(st.integers(0, 1 << 32))
def test_nothing_is_committed_before_its_entry_is_acknowledged_where_that_is_required(seed: int) -> None:
    """Whatever else happens; and at rest all is committed, and all room given back."""
    around = Noting(Random(seed), required=True)
    lived(around, [around.acknowledge_note] * 6)
    assert around.engine.waiting_for_ledger == 0


def test_an_entry_says_what_became_of_the_record_and_where_it_lies() -> None:
    around = Noting(Random(0))
    around.logs[FIRST] = [event(1, "a", serviceId="0A"), b"bad"]
    around.fetch()
    around.now.seconds += 2
    around.now.ms += 2000
    around.answer(well=True)
    around.write(well=True)
    accepted, refused = (note.entry for note in around.notes)
    assert (accepted.fate, accepted.code, accepted.attempts) == (Fate.ACCEPTED, "accepted", 1)
    assert accepted.origin == Origin(FIRST, 0, around.now.ms - 2000)
    assert (accepted.posted_ms, accepted.settled_ms) == (around.now.ms - 2000, around.now.ms)
    assert (refused.fate, refused.attempts, refused.posted_ms) == (Fate.DEAD_LETTER, 0, None)
    assert (refused.event_id, refused.end_user, refused.origin.offset) == (None, "", 1)


def test_a_phone_number_in_the_place_of_the_service_id_is_not_noted() -> None:
    """Digits are hexadecimal too, and any service may be asked for."""
    around = Noting(Random(0))
    around.engine.limits.open_wide()
    around.logs[FIRST] = [event(1, serviceId=number(1)), event(2, serviceId=number(1)), event(3, serviceId="0A")]
    around.fetch()
    for answer in (ACCEPTED, PERMANENT, ACCEPTED):
        around.tell(Answered(around.posts.pop(0).delivery, answer))
    around.write(well=True)
    assert sorted((note.entry.origin.offset, note.entry.service_id) for note in around.notes) == [
        (0, None),
        (1, None),
        (2, "0A"),
    ]


@run_virtual
async def test_a_phone_number_in_the_place_of_the_service_id_is_in_no_line(clock: VirtualClock) -> None:
    kafka = broker(clock)
    feed(kafka, event(1, serviceId=number(1)))
    async with running(Connector(kafka, ScriptedVendor(always(PERMANENT)), clock)) as connector:
        await asyncio.sleep(5)
        (line,) = [line for line in connector.log if line["event"] == "dead_lettered"]
        assert line.get("service_id") is None
        assert number(1) not in str(connector.log)


def test_nothing_waits_for_a_ledger_that_is_not_required() -> None:
    around = Noting(Random(0))
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    around.answer(well=True)
    assert around.engine.in_hand == 0
    assert [note.waits for note in around.notes] == [None]


def test_an_entry_that_is_refused_is_written_again_until_it_is_acknowledged() -> None:
    around = Noting(Random(0), required=True)
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    around.answer(well=True)
    for _ in range(3):
        (note,) = around.notes
        around.notes.clear()
        assert note.waits is not None
        around.tell(Noted([note.waits], "topic_authorization_failed"))
        assert (around.engine.in_hand, around.engine.commits.exposed, around.engine.in_flight) == (1, 1, 0)
        around.now.seconds = around.engine.rings_at
        around.tell(Tick())
    around.acknowledge_note(well=True)
    assert around.engine.in_hand == around.engine.in_flight == 0


def test_records_that_wait_for_the_ledger_are_bounded_by_what_a_crash_may_repeat() -> None:
    """They take no slots: what the ledger takes to answer must not slow posting down."""
    around = Noting(Random(0), required=True)
    around.engine.limits.open_wide()
    around.logs[FIRST] = [event(n, str(n)) for n in range(20)]
    around.fetch()
    while around.posts:
        around.answer(well=True)
    assert len(around.notes) == around.engine.waiting_for_ledger
    assert BOUNDS.uncommitted <= around.engine.waiting_for_ledger < BOUNDS.uncommitted + BOUNDS.in_flight
    assert around.engine.in_flight == 0


def test_a_stop_waits_for_entries_as_it_does_for_answers_and_then_leaves_the_record_uncommitted() -> None:
    around = Noting(Random(0), required=True)
    around.logs[FIRST] = [event(1, "a"), event(2, "b")]
    around.engine.limits.open_wide()
    around.fetch()
    while around.posts:
        around.answer(well=True)
    around.tell(Leave(5.0))
    around.acknowledge_note(well=True)
    assert not around.closes
    around.now.seconds += 6
    around.tell(Tick())
    (close,) = around.closes
    assert not close.drained
    assert around.engine.waiting_for_ledger == 0


@pytest.mark.parametrize("leaves", [Leave(5.0), Revoking(frozenset({FIRST}), 5.0)])
def test_entries_that_were_refused_are_written_again_at_once_when_their_partition_leaves(
    leaves: Leave | Revoking,
) -> None:
    """After a long outage the next try would come after the drain, and the records would be posted again."""
    around = Noting(Random(0), required=True)
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    around.answer(well=True)
    for _ in range(12):
        refused = around.notes.pop().waits
        assert refused is not None
        around.tell(Noted([refused], "topic_authorization_failed"))
        while not around.notes:
            around.now.seconds = around.engine.rings_at
            around.tell(Tick())
    refused = around.notes.pop().waits
    assert refused is not None
    around.tell(Noted([refused], "topic_authorization_failed"))
    around.tell(leaves)
    assert around.notes.pop().waits is refused
    around.tell(Noted([refused], "topic_authorization_failed"))
    around.now.seconds += 0.2
    around.tell(Tick())
    around.acknowledge_note(well=True)
    assert around.engine.waiting_for_ledger == 0
    if isinstance(leaves, Leave):
        assert [close.drained for close in around.closes] == [True]
    else:
        assert around.committed[FIRST] == 1


def test_an_entry_that_is_acknowledged_after_its_partition_left_settles_nothing() -> None:
    around = Noting(Random(0), required=True)
    around.logs[FIRST] = [event(1, "a")]
    around.fetch()
    around.answer(well=True)
    (note,) = around.notes
    around.tell(Lost(frozenset({FIRST})))
    assert around.engine.waiting_for_ledger == around.engine.in_flight == 0
    assert note.waits is not None
    around.tell(Noted([note.waits], None))
    assert around.commits == []
