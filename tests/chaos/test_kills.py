"""The sums of `make kills`: the run itself takes a minute."""

from __future__ import annotations

from connector.simulator.ledger import Entry
from tests.chaos.books import Spread
from tests.chaos.judge import MARK
from tests.chaos.kills import Killed, Load, found, table

LOAD = Load("full speed", 6, None)
KILLED = [Killed(at=10.0, in_flight=1), Killed(at=20.0, in_flight=2)]


def _accepted(*entries: tuple[int, float]) -> list[Entry]:
    return [Entry(at, "0A", "12015550100", f"{MARK}{number}", "", "") for number, at in entries]


def test_a_repeat_is_that_of_the_kill_before_it() -> None:
    """What was on the road when the process died may be accepted for the first time a moment later."""
    entries = _accepted((0, 9.0), (1, 9.9), (2, 10.1), (1, 11.0), (2, 11.1), (3, 19.9), (3, 21.0), (4, 22.0), (5, 23.0))
    seen = found(LOAD, entries, KILLED, pace=1.0)
    assert seen.repeats == Spread(2, 1.5, 2, 2)
    assert seen.beyond == Spread(2, 0.0, 1, 1)
    assert (seen.lost, seen.unexplained) == (0, 0)


def test_a_repeat_without_a_kill_and_an_event_that_never_came_are_counted() -> None:
    entries = _accepted((0, 5.0), (0, 6.0), (1, 12.0), (1, 21.0), (2, 12.0), (2, 13.0), (3, 1.0))
    seen = found(LOAD, entries, KILLED, pace=1.0)
    assert seen.unexplained == 2
    assert seen.repeats.largest == 1
    assert seen.lost == 2


def test_the_table_says_whether_the_mean_and_the_bound_were_kept() -> None:
    kept = found(LOAD, _accepted((0, 9.0), (0, 11.0)), KILLED[:1], pace=1234.0)
    assert "| full speed | 1,234 | 1 | 1.0, 1 | 1.0, 1 | 0.0, 0 | yes |" in table([kept])
    over = kept._replace(beyond=Spread(1, 40.1, 40, 40))
    assert "| **no** |" in table([over])
    assert "| **no** |" in table([kept._replace(repeats=Spread(1, 565, 565, 565))])
