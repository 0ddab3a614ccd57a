"""Random histories of whole connectors on virtual time: whatever happens, nothing is lost, and repeats are bounded."""

from __future__ import annotations

import pytest

from connector.engine import engine
from tests.whole.world import FORTUNES, Fortune, live

# Tracing its lines triples the time of a history, and the engine's own tests reach them.
pytestmark = pytest.mark.no_cover

HISTORIES = 240
"""Of each fortune but two. `tests/engine/test_engine.py` tells the engine as many again by inputs alone."""

HELD_HISTORIES = 48
"""Of each of the two; these are longer: each goes on until what is refused and sees no other pass has expired."""

BLOCKS = 12

IS_COMPILED = not str(engine.__file__).endswith(".py")

OURS = range(IS_COMPILED, BLOCKS, 2)
"""`make test` goes through one half of the blocks, `make compiled` through the other; CI runs both."""

FAILED_ONCE: list[tuple[int, Fortune]] = [(280, "deadly"), (198, "alone"), (2, "odd"), (8, "odd"), (10, "odd")]
"""Every seed that ever failed."""


@pytest.mark.parametrize("block", OURS)
def test_whatever_happens_nothing_is_lost(block: int) -> None:
    """Deaths, refused commits and writes, every answer: commits never run ahead, and every record finds its end."""
    for seed in range(block, HISTORIES, BLOCKS):
        live(seed, "any")


@pytest.mark.parametrize("block", OURS)
def test_a_death_repeats_no_more_than_its_bounds(block: int) -> None:
    """Each crash or expulsion repeats at most what was uncommitted and in flight."""
    for seed in range(block, HISTORIES, BLOCKS):
        live(seed, "deadly")


@pytest.mark.parametrize("block", OURS)
def test_a_death_repeats_no_more_than_its_bounds_while_kafka_takes_no_commits(block: int) -> None:
    for seed in range(block, HISTORIES, BLOCKS):
        live(seed, "alone")


@pytest.mark.parametrize("block", OURS)
def test_clean_stops_and_rebalances_repeat_nothing(block: int) -> None:
    """As long as nobody dies and Kafka takes what it is given, no post and no copy is made twice."""
    for seed in range(block, HISTORIES, BLOCKS):
        live(seed, "kind")


@pytest.mark.parametrize("block", OURS)
def test_bad_days_at_the_vendor_cost_few_posts_and_no_record_that_is_well(block: int) -> None:
    """Wrong passwords, outages, pauses: posts meanwhile are few, and only who is refused for ever is refused alone."""
    for seed in range(block, HELD_HISTORIES, BLOCKS):
        live(seed, "held")


@pytest.mark.parametrize("block", OURS)
def test_bad_days_end_under_any_settings(block: int) -> None:
    """With bulkheads, a rate, little room or no maps, producers' bugs and pauses: every record still finds its end."""
    for seed in range(block, HELD_HISTORIES, BLOCKS):
        live(seed, "odd")


@pytest.mark.parametrize(("seed", "fortune"), FAILED_ONCE)
def test_a_history_that_failed_once_does_not_fail_again(seed: int, fortune: Fortune) -> None:
    live(seed, fortune)


@pytest.mark.parametrize("fortune", FORTUNES)
def test_a_seed_replays_to_the_letter(fortune: Fortune) -> None:
    assert live(5, fortune) == live(5, fortune)
