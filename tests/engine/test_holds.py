"""Holds stand side by side: each is entered and left for itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.tries import Intervals, Tries
from connector.engine.holds import KINDS, Holds, Kind, Reason
from tests.engine.surroundings import Surroundings

_STEPS = st.tuples(
    st.sampled_from(("enter", "leave", "stop_posting", "go_on", "give_tries")), st.sampled_from(KINDS), st.booleans()
)


@given(st.lists(_STEPS, max_size=60))
def test_posting_stops_while_any_hold_stops_it_and_is_tried_only_when_each_of_those_tries(
    steps: list[tuple[str, Kind, bool]],
) -> None:
    around = Surroundings()
    holds = Holds(around.now, around.events)
    reasons, stops, tries = dict[Kind, str](), dict[Kind, bool](), dict[Kind, Tries | None]()
    for number, (what, kind, either) in enumerate(steps):
        made = Tries(Intervals(float(number + 1), 900.0), around.now.seconds, 0.5)
        if what == "enter":
            holds.enter(kind, Reason(f"r{number}", "", ""), made if either else None)
            if kind not in reasons:
                reasons[kind], stops[kind], tries[kind] = f"r{number}", True, made if either else None
        elif what == "leave":
            holds.leave(kind)
            for known in (reasons, stops, tries):
                known.pop(kind, None)
        elif kind in reasons:
            if what == "give_tries":
                holds.give_tries(kind, made)
                tries[kind] = tries[kind] or made
            else:
                stops[kind] = what == "stop_posting"
                holds.stop_posting(kind, stops[kind])
        assert {hold.kind: hold.reason.code for hold in holds.in_force} == reasons
        assert holds.active == any(stops.values())
        stopping = [tries[each] for each in reasons if stops[each]]
        dues = [(each.due, each.due_for_others) for each in stopping if each is not None]
        if len(dues) < len(stopping):
            assert holds.next_tries() is None
        elif dues:
            assert holds.next_tries() == (min(due for due, _ in dues), min(others for _, others in dues))
