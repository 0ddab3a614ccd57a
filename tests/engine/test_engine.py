"""Laws of the engine, told by inputs alone: no event loop, no clock, no Kafka."""

from __future__ import annotations

import itertools
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from connector.core.codes import DEFAULT_TABLE
from connector.core.outcome import Delivered, Fate, Row
from connector.core.reply import Reply
from connector.core.signals import Lost
from connector.engine.brake import BrakeRules
from connector.engine.endpoint import EndpointRules
from connector.engine.limits import PaceRules
from connector.engine.messages import (
    Answered,
    Broken,
    Leave,
    Tick,
)
from tests.engine.around import BOUNDS, PARTITIONS, UNSENT, Around, history, lived
from tests.engine.stage import (
    ACCEPTED,
    FORBIDDEN,
    HOLD,
    PERMANENT,
    event,
)

GATEWAY_TIMEOUT_IS_FINAL = Row(
    "late", Fate.DEAD_LETTER, "no answer in time", "", statuses=("504",), delivered=Delivered.MAYBE
)
"""As a row of `openmarket.outcomes` may say."""


@pytest.mark.no_cover  # its lines are reached by the scenes, and tracing them triples its time
@settings(max_examples=400)  # and as many compiled
@given(st.integers(0, 1 << 32))
def test_whatever_happens_nothing_is_passed_over_or_forgotten(seed: int) -> None:
    """A commit never passes a record that is not settled; at rest all are, and all room in memory is given back."""
    history(seed)


class Refusing(Around):
    """The vendor refuses the account now and then; a few failures are an outage, and a few dead letters too many."""

    def __init__(self, chance: Random) -> None:
        few = HOLD._replace(
            endpoint=EndpointRules(10.0, 0.9, 4, HOLD.endpoint.probes), brake=BrakeRules(True, 60.0, 0.5, 4)
        )
        super().__init__(chance, hold=few)

    def refuse(self) -> None:
        """One post shows that the account is not let in, as far as one can tell."""
        if self.posts:
            self.tell(Answered(self.posts.pop(self.chance.randrange(len(self.posts))).delivery, FORBIDDEN))

    def outage(self) -> None:
        """Nothing reaches the vendor for some posts."""
        for _ in range(6):
            if self.posts:
                self.tell(Answered(self.posts.pop(0).delivery, UNSENT))

    def release(self) -> None:
        """Somebody lets the dead letters go."""
        self.engine.judge.brake.release()
        self.tell(Tick())

    @override
    def peace(self) -> None:
        """The brake lasts until other records pass, and when none come, until somebody lets the dead letters go."""
        super().peace()
        self.release()
        super().peace()

    @override
    def check(self) -> None:
        """As always; and a hold of all posts lets one record at a time be tried."""
        super().check()
        holds = [hold for kind in ("deployment", "endpoint") if (hold := self.engine.holds[kind]) is not None]
        if holds:
            began = min(hold.began for hold in holds)
            assert sum(post.delivery.began > began for post in self.posts) <= 1, "two tried at once"


@pytest.mark.no_cover  # as above
@settings(max_examples=200)
@given(st.integers(0, 1 << 32))
def test_whatever_is_held_nothing_is_forgotten_and_one_record_at_a_time_is_tried(seed: int) -> None:
    """Holds of the deployment and the endpoint, the brake, and records refused alone, however they come together."""
    around = Refusing(Random(seed))
    lived(around, [around.refuse, around.refuse, around.outage, around.release])


def test_an_answer_to_a_post_of_a_partition_that_left_changes_nothing() -> None:
    """The list of inputs that it takes, and nothing else."""
    around = Around(Random(0))
    around.logs[PARTITIONS[0]].append(event(1, "a"))
    around.fetch()
    (post,) = around.posts
    around.tell(Lost(frozenset({PARTITIONS[0]})))
    around.posts.clear()
    around.tell(Answered(post.delivery, ACCEPTED))
    assert around.commits == []
    assert json.loads(post.delivery.record.value or b"")["variables"]["request"]["mark"] == "a"


def test_what_lies_behind_many_that_wait_is_found_in_further_turns() -> None:
    """One input decodes a hundred records at most; a thousand of one end user do not hide who comes after them."""
    around = Around(Random(0), BOUNDS._replace(records=2000, size=1 << 24))
    around.engine.limits.open_wide()
    around.logs[PARTITIONS[0]] = [event(1, str(n)) for n in range(300)] + [event(2, "behind")]
    around.fetch()
    assert len(around.posts) == 1
    turns = 0
    while around.engine.wants_turn:
        around.tell(Tick())
        turns += 1
    assert [post.delivery.record.offset for post in around.posts] == [0, 300]
    assert turns == 3


def test_a_service_that_has_all_traffic_reaches_the_limit_whatever_its_share() -> None:
    """Also from the one post that overload leaves: its share of that is one, and no reason to stay there."""
    for share, in_flight in itertools.product((0.1, 0.5, 0.8), (1, 2, 3, 8)):
        around = Around(Random(0), BOUNDS._replace(in_flight=in_flight), PaceRules(service_share=share))
        around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(30)]
        around.fetch()
        for _ in range(2 * in_flight):
            around.now.seconds += 0.05
            around.answer(well=True)
            around.acknowledge(well=True)
        assert len(around.posts) == in_flight, (share, in_flight)


def test_a_first_answer_that_is_slow_does_not_keep_one_service_from_opening() -> None:
    """One more for each second without an answer, though its share of what may be under way is one."""
    around = Around(Random(0), BOUNDS._replace(in_flight=8), PaceRules(service_share=0.8))
    around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(30)]
    around.fetch()
    around.answer(well=True)
    while len(around.posts) < 8:
        around.acknowledge(well=True)
        assert around.engine.rings_at <= around.now.seconds + 1
        around.now.seconds += 1
        around.tell(Tick())


def test_a_brake_that_began_as_a_doubt_tries_records_once_it_stops_posting() -> None:
    """The partition that was doubted left; without a try the brake would hold everything until somebody comes."""
    bounds = BOUNDS._replace(records=400, uncommitted=400, in_flight=8)
    around = Around(Random(0), bounds, service_ids={"0A1B": "0A1B"}, has_posted=False)
    first, second, third = PARTITIONS
    around.logs[first] = [event(1, "x", serviceId="0C")]
    around.logs[second] = [event(2, str(n), phoneNumber=f"x{n}") for n in range(120)]
    around.fetch()
    while around.writes or around.engine.wants_turn:
        around.write(well=True)
        around.tell(Tick())
    around.tell(Lost(frozenset({first})))
    around.logs[third] = [event(n, str(n)) for n in range(40)]
    around.fetch()
    posted = 0
    for _ in range(100):
        while around.posts:
            posted += 1
            around.tell(Answered(around.posts.pop().delivery, PERMANENT))
        around.write(well=True)
        around.acknowledge(well=True)
        around.now.seconds += 30.0
        around.tell(Tick())
    hold = around.engine.holds["brake"]
    assert hold is None or not hold.stops_posting or hold.tries is not None
    assert posted > 5


def test_what_may_be_delivered_is_not_kept_in_its_place_by_a_hold_of_the_deployment() -> None:
    """Posted again from there, nobody would count the repeat."""
    table = DEFAULT_TABLE.with_overrides([GATEWAY_TIMEOUT_IS_FINAL])
    around = Around(Random(0), table=table)
    around.logs[PARTITIONS[0]] = [event(n, str(n)) for n in range(3)]
    around.engine.limits.open_wide()
    around.fetch()
    forbidden, timed_out = around.posts[0], around.posts[1]
    around.posts.clear()
    around.tell(Answered(forbidden.delivery, FORBIDDEN))
    assert "deployment" in around.engine.holds
    around.tell(Answered(timed_out.delivery, Reply(504, None, b"")))
    assert [write.copy.delivery for write in around.writes] == [timed_out.delivery]


def test_a_copy_that_could_not_be_handed_on_is_nobodys_any_more() -> None:
    """A bug of ours: its partition stops, and the slot, the bound and the timers are as if it had not been."""
    around = Around(Random(0))
    around.logs[PARTITIONS[0]] = [b"bad"] * 4
    around.fetch()
    for write in around.writes:
        around.tell(Broken(write, RuntimeError("a bug")))
    around.now.seconds += 60
    around.tell(Tick())
    assert around.engine.in_flight == around.engine.commits.exposed == 0


def test_a_stop_does_not_wait_for_posts_of_partitions_that_are_gone() -> None:
    around = Around(Random(0))
    around.logs[PARTITIONS[0]] = [event(1, "a")]
    around.fetch()
    around.tell(Leave(40.0))
    assert not around.closes
    around.tell(Lost(frozenset({PARTITIONS[0]})))
    assert [close.drained for close in around.closes] == [False]
