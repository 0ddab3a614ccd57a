"""Memory is taken and given back record by record: nothing is lost, and no partition takes the room of the others."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import fresh
from connector.core.record import Record
from connector.engine.budget import Budget
from connector.engine.partition import Delivery
from tests.engine.surroundings import assigned

MOST, MOST_BYTES, LEAST = 40, 400, 4


@given(st.integers(0, 1 << 32))
def test_all_room_is_taken_or_told_to_be_free_and_no_partition_has_all_of_it(seed: int) -> None:
    """Of what has arrived each record waits, is in hand, or is free room; a partition that leaves gives all of its
    back. Whoever has less than a few records may take one, and nobody gets more than three quarters of all."""
    budget = Budget(MOST, MOST_BYTES, LEAST)
    ours = [assigned(number) for number in range(3)]
    arrived = arrived_bytes = 0
    chance = Random(seed)
    largest, favourite = chance.choice((2, 60)), chance.randrange(3)
    for offset in range(300):
        what = chance.choice(("arrive", "arrive", "take", "take", "settle"))
        number, size = chance.choice((favourite, chance.randrange(3))), chance.randint(1, largest)
        assignment = ours[number]
        if chance.random() < 0.03:
            what = "leave"
        if what == "arrive":
            assignment.queue.append(Record(assignment.partition, offset, 0, None, b"x" * size, (), 0))
            arrived, arrived_bytes = arrived + 1, arrived_bytes + size
        elif what == "take" and assignment.queue and not budget.has_much(assignment):
            record = assignment.queue.popleft()
            assignment.open[record.offset] = Delivery(assignment, record, fresh(record), ())
            budget.take(assignment, record.size)
        elif what == "settle" and assignment.open:
            budget.settle(assignment, assignment.open.pop(next(iter(assignment.open))).size)
        elif what == "leave":
            budget.forget(assignment)
            ours[number] = assigned(number)
        waiting = [record for each in ours for record in each.queue]
        in_hand = [delivery.record for each in ours for delivery in each.open.values()]
        assert arrived == budget.freed + len(waiting) + len(in_hand)
        assert arrived_bytes == budget.freed_bytes + sum(record.size for record in (*waiting, *in_hand))
        assert budget.is_half_taken == (
            2 * len(in_hand) > MOST or 2 * sum(record.size for record in in_hand) > MOST_BYTES
        )
        for each in ours:
            assert not budget.has_much(each) or len(each.open) >= LEAST
            assert not (budget.has_much(each) and budget.has_room_again(each))
            assert len(each.open) <= max(LEAST, 3 * MOST // 4)
            assert len(each.open) <= LEAST or each.open_bytes <= 3 * MOST_BYTES // 4 + largest
