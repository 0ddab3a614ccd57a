"""Laws of the event: an event of the right types or a refusal, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.event import EVENT_CODES, InvocationEvent, event_from
from connector.core.refusal import Refusal, Stage

GOOD: dict[str, object] = {
    "eventId": "gate-change-1",
    "serviceId": "0A1B2C3D4E5F",
    "phoneNumber": "12515550123",
    "mobileOperatorId": 383,
    "variables": {"session": {"gate": "B12", "row": 7, "late": True, "price": 1.5, "note": None}},
    "createdAt": 1_750_000_000_000,
    "expiresAt": None,
}
NAMES = list(GOOD)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
near_misses = st.fixed_dictionaries({}, optional={name: st.just(value) | anything for name, value in GOOD.items()})


def refused(**changes: object) -> Refusal:
    answer = event_from({**GOOD, **changes})
    assert isinstance(answer, Refusal)
    return answer


def well_typed(event: InvocationEvent) -> bool:
    """The types that the rest of the road relies on, said a second time."""
    values = [value for keys in event.variables.values() for value in keys.values()]
    names = [*event.variables, *(key for keys in event.variables.values() for key in keys)]
    longs = (event.mobile_operator_id, event.created_at_ms, event.expires_at_ms)
    return (
        all(type(text) is str for text in (event.event_id, event.service_id, event.phone_number, *names))
        and all(number is None or type(number) is int for number in longs)
        and all(value is None or type(value) in (str, int, float, bool) for value in values)
    )


@given(near_misses | st.dictionaries(st.text(max_size=4), anything))
def test_any_mapping_becomes_a_well_typed_event_or_a_refusal_with_known_codes(fields: dict[str, Any]) -> None:
    answer = event_from(fields)
    if isinstance(answer, Refusal):
        assert answer.stage is Stage.EVENT
        assert {problem.code for problem in answer.problems} <= EVENT_CODES
        assert answer.problems
    else:
        assert well_typed(answer)


def test_every_field_arrives_in_its_place() -> None:
    assert event_from(GOOD) == InvocationEvent(
        event_id="gate-change-1",
        service_id="0A1B2C3D4E5F",
        phone_number="12515550123",
        mobile_operator_id=383,
        variables={"session": {"gate": "B12", "row": 7, "late": True, "price": 1.5, "note": None}},
        created_at_ms=1_750_000_000_000,
        expires_at_ms=None,
    )


@pytest.mark.parametrize("name", ["mobileOperatorId", "variables", "createdAt", "expiresAt"])
def test_an_optional_field_may_be_absent(name: str) -> None:
    assert isinstance(event_from({key: GOOD[key] for key in NAMES if key != name}), InvocationEvent)


@pytest.mark.parametrize("name", ["eventId", "serviceId", "phoneNumber"])
def test_a_required_field_that_is_absent_is_named(name: str) -> None:
    answer = event_from({key: GOOD[key] for key in NAMES if key != name})
    assert isinstance(answer, Refusal)
    assert [(problem.code, problem.field) for problem in answer.problems] == [("missing_field", name)]


@pytest.mark.parametrize("empty", [None, {}])
def test_null_variables_are_empty_variables(empty: object) -> None:
    answer = event_from({**GOOD, "variables": empty})
    assert isinstance(answer, InvocationEvent)
    assert answer.variables == {}


def test_fields_of_others_are_ignored() -> None:
    assert event_from({**GOOD, "somethingNewer": [1]}) == event_from(GOOD)


def test_a_boolean_is_no_long() -> None:
    assert refused(mobileOperatorId=True).code == "wrong_type"


def test_a_phone_number_written_as_a_long_is_not_a_string() -> None:
    assert refused(phoneNumber=12515550123).reason == "phoneNumber: wrong_type (int); write a string"


@pytest.mark.parametrize("variables", [{"user": 1}, {7: {}}, {"user": {8: "x"}}, {"user": {"a": b""}}])
def test_each_level_of_the_variables_is_checked(variables: object) -> None:
    assert refused(variables=variables).code == "wrong_type"


def test_all_problems_are_named_at_once() -> None:
    answer = refused(
        eventId=1, phoneNumber=None, createdAt="now", variables={"user": 1, 7: {8: "x"}, "session": {"a": [1]}}
    )
    assert [(problem.code, problem.field) for problem in answer.problems] == [
        ("wrong_type", "eventId"),
        ("missing_field", "phoneNumber"),
        ("wrong_type", "variables.user"),
        ("wrong_type", "variables.[2]"),
        ("wrong_type", "variables.[2].[1]"),
        ("wrong_type", "variables.session.a"),
        ("wrong_type", "createdAt"),
    ]


def test_a_thousand_problems_make_a_short_refusal() -> None:
    answer = refused(variables={"session": {f"key-{number}": [] for number in range(1000)}})
    assert len(answer.problems) == 32


@given(st.sampled_from([("canary-value",), b"canary-value", {"x": "canary-value"}]), st.sampled_from(NAMES))
def test_no_refusal_carries_a_value(canary: object, name: str) -> None:
    answer = event_from({**GOOD, name: canary, "variables": {"session": {"a": [canary]}}})
    assert isinstance(answer, Refusal)
    assert "canary" not in str(answer)
