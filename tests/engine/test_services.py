"""Each service has its part of the posts under way, and what was lent is counted."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connector.engine.services import Services


@given(st.integers(0, 1 << 32), st.integers(1, 6))
def test_a_service_goes_beyond_its_part_only_while_it_is_quick_and_all_that_goes_is_counted(
    seed: int, part: int
) -> None:
    services, under_way, quick = Services(), Counter[str](), set[str]()
    services.part = part
    chance = Random(seed)
    for _ in range(200):
        what, service_id = chance.choice(("begin", "begin", "begin", "end", "end", "fail")), chance.choice("abc")
        seconds = chance.choice((0.1, 1.0, 1.1, 30.0))
        if what == "begin":
            assert services.has_room(service_id) == (under_way[service_id] < part)
            if not services.has_room(service_id):
                assert services.may_borrow(service_id) == (service_id in quick)
                if service_id not in quick:
                    continue
            services.begin(service_id)
            under_way[service_id] += 1
        elif under_way[service_id]:
            services.end(service_id)
            under_way[service_id] -= 1
            if what == "fail":
                services.failed(service_id)
            else:
                all_it_may = under_way[service_id] + 1 >= part
                assert services.answered(service_id, seconds) == (seconds > 1.0 and all_it_may)
            if what == "end" and seconds <= 1.0:
                quick.add(service_id)
            else:
                quick.discard(service_id)
        assert services.counted() == under_way.total()


@given(st.integers(2, 20), st.integers(1, 10))
def test_what_a_service_got_before_its_part_fell_is_not_counted_beyond_it(before: int, after: int) -> None:
    """Or one that does not answer would take the others' part too."""
    services = Services()
    for _ in range(before):
        services.begin("a")  # nearly all of these are lent, and given back
    for _ in range(before):
        services.end("a")
    services.part = before
    for _ in range(before):
        services.begin("a")
    services.part = after
    assert services.counted() == min(before, after)
