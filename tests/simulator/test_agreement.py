"""Two readings of one page, held against each other: what core builds and how it understands the answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.codes import DEFAULT_TABLE
from connector.core.event import InvocationEvent
from connector.core.outcome import Fate
from connector.core.refusal import Refusal
from connector.core.reply import Reply
from connector.core.request import RequestRules, build
from connector.simulator import answers
from connector.simulator.answers import Cause
from connector.simulator.rules import Invocation, Page, judge
from tests.simulator.test_rules import request

FATES = {
    Fate.RETRY: {answers.TEMPORARY},
    Fate.HOLD: {
        answers.UNAUTHORIZED,
        answers.METHOD,
        answers.VERSION,
        answers.URL,
        answers.QUERY,
        answers.BLOCKED,
        answers.CREDENTIALS,
        answers.CERTIFICATE,
    },
}

# Mostly near the edge of what is allowed: an event that is refused for its service id would prove nothing here.
allowed = st.text("aZ_-.", min_size=1, max_size=3)
keys = allowed | allowed | st.sampled_from(["div", "Id", "user.id", "circle", "quiz1", "a" * 255, "a" * 256, "é"])
values = st.none() | st.text(max_size=5) | st.integers() | st.floats() | st.sampled_from(["ä" * 3900, "a" * 4097])
scopes = st.sampled_from(["request", "session", "Session", "user", "userservicecoll"])
events = st.builds(
    InvocationEvent,
    event_id=st.just("e-1"),
    service_id=st.sampled_from(["F9E8D7C6B5A4", "0a"]),
    phone_number=st.sampled_from(["12025550100", "+12025550100", "123456", "1" * 16, "1" * 17]),
    mobile_operator_id=st.none() | st.integers(-(2**63), 2**63 - 1),
    variables=st.dictionaries(scopes, st.dictionaries(keys, values, max_size=2), max_size=2),
    created_at_ms=st.none(),
    expires_at_ms=st.none(),
)


@given(events, st.booleans(), st.booleans())
def test_what_core_builds_the_simulator_accepts(event: InvocationEvent, digits: bool, native: bool) -> None:
    """Whatever the event, a request that the simulator accepts or a refusal comes out."""
    built = build(event, RequestRules(None, digits_in_keys=digits, native_values=native))
    if isinstance(built, Refusal):
        return
    path = f"/service/v1/invokeService/{built.service_id}"
    assert isinstance(judge(Page(digits_in_keys=digits), request(built.body, path=path)), Invocation)


@pytest.mark.parametrize("cause", answers.CAUSES.values(), ids=lambda cause: cause.name)
@pytest.mark.parametrize("spell", [str, int])
def test_core_understands_every_cause(cause: Cause, spell: type[str] | type[int]) -> None:
    """Each of the simulator's causes has its fate, whether the code is a number or a string."""
    code = None if cause.code is None else spell(cause.code)
    reply = Reply(cause.status, "id", answers.error_body(code, cause.description))
    expected = next((fate for fate, causes in FATES.items() if cause in causes), Fate.DEAD_LETTER)
    assert DEFAULT_TABLE.classify(reply).fate == expected
