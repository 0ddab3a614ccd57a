"""What `/readyz` and `/livez` hang on."""

from __future__ import annotations

import pytest

from connector.runtime.health import Health


def test_it_counts_as_joined_until_it_leaves() -> None:
    health = Health(0.0)
    seen = [health.is_joined]
    health.joined()
    seen.append(health.is_joined)
    health.leaves()
    seen.append(health.is_joined)
    assert seen == [False, True, False]


def test_a_group_that_is_joined_while_leaving_makes_nobody_ready() -> None:
    """The answer may come after the stop."""
    health = Health(0.0)
    health.leaves()
    health.joined()
    assert not health.is_joined


@pytest.mark.parametrize(("loop", "owner", "oldest"), [(107.0, 100.0, 9.0), (100.0, 107.0, 9.0), (110.0, 110.0, 0.0)])
def test_a_turn_ages_until_the_next_one_and_the_slowest_counts(loop: float, owner: float, oldest: float) -> None:
    """A clock of another thread may be ahead: no age is below 0."""
    health = Health(0.0)
    health.turned(loop, owner)
    assert health.turn_age(109.0) == oldest
    assert health.loop_turn_age(109.0) == max(0.0, 109.0 - loop)
    assert health.owner_turn_age(109.0) == max(0.0, 109.0 - owner)
