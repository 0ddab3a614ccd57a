"""A blocked partition sleeps, and wakes: in step with the source, and only when nobody blocks it any more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Record
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.engine.messages import Fetch, Sleep, Wake
from connector.engine.partition import Assignment, Block
from tests.engine.surroundings import Surroundings, assigned

_STEPS = st.tuples(
    st.sampled_from(("block", "unblock", "asleep", "records", "schema", "fetched", "missing", "wait")),
    st.sampled_from((Block.PAUSED, Block.RETRY_WRITE, Block.DEAD_LETTER_WRITE, Block.LEDGER)),
    st.sampled_from((0.0, 0.3, 2.0, 40.0)),
)


class Source:
    """Carries out what is said of one partition, and answers when it is told to."""

    def __init__(self, around: Surroundings, assignment: Assignment) -> None:
        self._around, self._assignment = around, assignment
        self.fetches = list[Fetch]()
        self.is_fetched, self.owes_answer, self.position = True, False, 0

    def carry_out(self) -> None:
        """All that is in the outbox."""
        for effect in self._around.outbox:
            if isinstance(effect, Sleep):
                assert self.is_fetched, "put to sleep twice"
                self.is_fetched, self.owes_answer, self.position = False, True, effect.offset
            elif isinstance(effect, Wake):
                assert not self.is_fetched
                assert not self.owes_answer, "woken before the source was told to sleep"
                assert not self._assignment.blocks, "woken while it is blocked"
                self.is_fetched = True
            elif isinstance(effect, Fetch):
                self.fetches.append(effect)
        self._around.outbox.clear()

    def answer(self) -> None:
        """It does not fetch the partition any more."""
        if self.owes_answer:
            self.owes_answer = False
            self._around.blocks.asleep(self._assignment)
            self.carry_out()

    def send(self) -> None:
        """One more record, while it is fetched."""
        if self.is_fetched:
            record = Record(self._assignment.partition, self.position, self._around.now.ms, None, b"x", (), 0)
            self._assignment.queue.append(record)
            self.position += 1
            self._assignment.expected = self.position


@given(st.lists(_STEPS, max_size=80))
def test_a_partition_sleeps_and_wakes_in_step_with_its_source_and_never_for_ever(
    steps: list[tuple[str, Block, float]],
) -> None:
    """Each reason ends as often as it was given. What was in memory when it fell asleep
    is read again: here nobody takes a record, so that each sleep begins at the first one."""
    around, assignment = Surroundings(), assigned()
    source, given_reasons = Source(around, assignment), list[Block]()
    for what, reason, seconds in steps:
        if what == "block":
            around.blocks.add(assignment, reason)
            given_reasons.append(reason)
        elif what == "unblock" and reason in given_reasons:
            given_reasons.remove(reason)
            assert around.blocks.remove(assignment, reason) == (reason not in given_reasons)
        elif what == "asleep":
            source.answer()
        elif what == "records":
            source.send()
        elif what == "schema" and Block.SCHEMA not in assignment.blocks:
            around.blocks.fetch(assignment, SchemaNeeded("7", assignment.partition, assignment.expected))
            given_reasons.append(Block.SCHEMA)
        elif what in ("fetched", "missing") and source.fetches:
            missing = SchemaMissing("registry_failed", "", "", "", again=seconds) if what == "missing" else None
            around.blocks.fetched(source.fetches.pop(), missing)
            if missing is None:
                given_reasons.remove(Block.SCHEMA)
        elif what == "wait":
            around.wait(seconds)
        source.carry_out()
        assert sorted(assignment.blocks.elements()) == sorted(given_reasons)
        assert assignment.asleep != source.is_fetched
        assert [record.offset for record in assignment.queue] == list(range(source.position))
        assert assignment.expected == source.position == len(assignment.queue)
    _peace(around, assignment, source, given_reasons)
    assert source.is_fetched, "asleep for ever"


def _peace(around: Surroundings, assignment: Assignment, source: Source, given_reasons: list[Block]) -> None:
    """Every reason is over, and whatever is asked is answered."""
    for reason in given_reasons:
        if reason is not Block.SCHEMA:
            around.blocks.remove(assignment, reason)
    for _ in range(4):
        around.wait(60)
        source.carry_out()
        source.answer()
        while source.fetches:
            around.blocks.fetched(source.fetches.pop(), None)
        source.carry_out()
