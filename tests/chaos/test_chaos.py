"""The sums of the long run: the run itself takes an hour, and is `make chaos`."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest

from connector.simulator.ledger import Entry
from tests.chaos import judge, plan, state
from tests.chaos.books import Done, Repeat, Spread, cause_of, moved_after, repeats_by_fault, slope, spread
from tests.chaos.plan import Parameters
from tests.chaos.report import figures, page
from tests.chaos.run import Seen
from tests.chaos.topics import number_of

GIVEN = Parameters(1000, 60.0, 4, 3, 5, 2, 1, 2, seed=7)
KILL = Done("kill", 100.0, 110.0, (0, 1))
STOP = Done("clean stop", 200.0, 203.0, (2,))


def test_the_plan_has_as_many_faults_of_each_kind_as_asked_for() -> None:
    kinds = Counter(fault.kind for fault in plan.faults(GIVEN))
    assert kinds == {"kill": 5, "clean stop": 2, "join and leave": 1, "broker stop": 1, "broker kill": 1}


def test_what_somebody_else_wrote_into_a_topic_has_no_number() -> None:
    """Such as the mark of a `connector dlq redrive` during the run."""
    assert number_of([("invoke.redriven", b"17")]) is None
    assert number_of([("a", None), ("chaos-number", b"17")]) == 17


def test_the_first_process_is_never_a_victim() -> None:
    assert all(fault.victim in (1, 2) for fault in plan.faults(GIVEN))


def test_faults_come_in_order_and_while_events_are_produced() -> None:
    times = [fault.at for fault in plan.faults(GIVEN)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < GIVEN.seconds


def test_the_same_seed_makes_the_same_plan_and_the_same_events() -> None:
    assert plan.faults(GIVEN) == plan.faults(GIVEN)
    assert plan.event(41, 7) == plan.event(41, 7)
    assert plan.faults(GIVEN) != plan.faults(GIVEN._replace(seed=8))


def test_most_events_are_to_be_accepted_and_some_are_not() -> None:
    fates = Counter(plan.event(number, 7).fate for number in range(10_000))
    assert fates["accepted"] > 9_500
    assert min(fates["rejected"], fates["undecodable"]) > 50


@pytest.mark.parametrize(
    ("first", "again", "cause"),
    [
        (99.0, 120.0, 0),
        (124.0, 126.0, 0),
        (99.0, 201.0, 0),
        (199.0, 202.0, 1),
        (126.0, 130.0, None),
        (10.0, 90.0, None),
    ],
)
def test_a_repeat_is_put_down_to_the_first_fault_that_was_not_over_when_it_was_posted(
    first: float, again: float, cause: int | None
) -> None:
    assert cause_of(Repeat(1, first, again), [KILL, STOP]) == cause


def test_a_repeat_that_no_fault_explains_is_counted_as_such() -> None:
    repeats = [Repeat(1, 99.0, 120.0), Repeat(2, 99.0, 121.0), Repeat(3, 199.5, 230.0), Repeat(4, 10.0, 20.0)]
    assert repeats_by_fault(repeats, [KILL, STOP]) == ([2, 1], 1)


def test_the_spread_of_nothing_is_zero() -> None:
    assert spread([]) == (0, 0.0, 0.0, 0.0)
    assert spread([3, 1, 8]) == (3, 4.0, 3, 8)


def test_the_slope_is_that_of_the_line_through_the_samples() -> None:
    assert slope([(0.0, 5.0), (10.0, 7.0), (20.0, 9.0)]) == pytest.approx(0.2)
    assert slope([(0.0, 5.0)]) == 0.0


def test_partitions_have_moved_when_each_of_them_has_a_post_that_was_not_on_the_road() -> None:
    assert moved_after(KILL, {0: [99.0, 101.0, 108.0], 1: [109.5]}) == 9.5


def test_a_partition_without_a_later_post_leaves_open_when_it_moved() -> None:
    assert moved_after(KILL, {0: [108.0], 1: [99.0]}) is None


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = state.State(GIVEN, 12.5, (KILL, STOP))
    state.save(tmp_path / "state.json", written)
    assert state.load(tmp_path / "state.json") == written


def test_there_is_no_state_before_a_run(tmp_path: Path) -> None:
    assert state.load(tmp_path / "state.json") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"given": {}, "elapsed": 1, "done": []}'])
def test_a_damaged_state_is_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ValueError, match="remove the folder"):
        state.load(tmp_path / "state.json")


def test_what_was_accepted_is_read_back_without_an_entry_that_was_cut_off(tmp_path: Path) -> None:
    with (tmp_path / "accepted").open("ab", buffering=0) as file:
        vendor = judge.Judge(file)
        for number in (3, 4, 3):
            vendor.ledger.accept(Entry(0.0, "0A", "12015550100", f"{judge.MARK}{number}", "", ""))
        file.write(b"cut")
    assert judge.counts(judge.read(tmp_path / "accepted")) == {3: 2, 4: 1}


def test_the_report_counts_losses_repeats_and_strays(tmp_path: Path) -> None:
    good = [number for number in range(100) if plan.event(number, 7).fate == "accepted"]
    bad = [number for number in range(2000) if plan.event(number, 7).fate == "rejected"][:2]
    _lost, twice, astray, *fine = good
    entries = [(number, 90.0) for number in (twice, *fine)] + [(twice, 105.0)]
    (tmp_path / "accepted").write_bytes(b"".join(struct.pack("<Id", *entry) for entry in entries))
    (tmp_path / "chaos.csv").write_text("".join(f"{number},0\n" for number in (*good, *bad)))
    (tmp_path / "chaos.dlq.csv").write_text("".join(f"{number},0\n" for number in (astray, *bad)))
    (tmp_path / "memory.csv").write_text("0.0,0,1000000\n1200.0,0,3000000\n2400.0,0,5000000\n")
    seen = Seen(GIVEN, (KILL,), (0, 0, 0), 0)

    found = figures(tmp_path, seen)

    # The one that went astray among the dead letters was never accepted either.
    assert found.lost == 2
    assert found.twice == found.wrongly_dead_lettered == 1
    assert found.repeats["kill"] == Spread(1, 1.0, 1, 1)
    assert found.slope == pytest.approx(1.0)
    text = page(found, seen, "command", "0000000", "2026-01-01")
    assert "| lost | 0 | 2 | **no** |" in text
    assert "{" not in text
