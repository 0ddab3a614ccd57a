"""Laws of the request: a valid request or a refusal, and nothing else; and no refusal shows a value."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.event import InvocationEvent, Value
from connector.core.findings import MAX_LISTED
from connector.core.refusal import Refusal, Stage
from connector.core.request import NORMALIZATIONS, REMEDIES, InvokeRequest, RequestRules, build, judged
from connector.core.usual import usual_body

ANY_SERVICE = RequestRules(service_ids=None)
EVENT = InvocationEvent("gate-change-1", "0A1B2C3D4E5F", "12515550123", None, {}, None, None)
CANARY = "canarycanary"

keys = st.text(alphabet="aAbZ_-.1 é", max_size=4) | st.sampled_from(["div", "USER.Id", "id", "x" * 256, "circle"])
scopes = st.sampled_from(
    ["request", "session", "Session", "user", "userservice", "userservicecoll", "system"]
) | st.text(max_size=3)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.text(alphabet="aé中", min_size=1000, max_size=1300).map(lambda text: text * 4)
)
events = st.builds(
    InvocationEvent,
    event_id=st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True) | st.text(max_size=70),
    service_id=st.sampled_from(["0A1B2C3D4E5F", "0a1b2c3d4e5f", "F9"]) | st.text(max_size=5),
    phone_number=st.from_regex(r"\+?[0-9]{5,17}", fullmatch=True) | st.text(max_size=20),
    mobile_operator_id=st.none() | st.integers(),
    variables=st.dictionaries(scopes, st.dictionaries(keys, values, max_size=4), max_size=3),
    created_at_ms=st.none() | st.integers(),
    expires_at_ms=st.none() | st.integers(946_684_800_000, 4_133_980_799_999),
)
good_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-(2**53), 2**53, exclude_min=True, exclude_max=True)
)
good_events = st.builds(
    InvocationEvent,
    event_id=st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True),
    service_id=st.from_regex(r"[0-9A-Fa-f]{1,64}", fullmatch=True),
    phone_number=st.from_regex(r"\+?[1-9][0-9]{5,15}", fullmatch=True),
    mobile_operator_id=st.none() | st.integers(max_value=2**63 - 1),
    variables=st.dictionaries(
        st.sampled_from(["request", "SESSION", "user", "UserService"]),
        st.dictionaries(
            st.sampled_from(["seatLocation", "gate", "A", "x.y", "-", "_", "k" * 255]),
            good_values | st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=50),
        ),
    ),
    created_at_ms=st.none(),
    expires_at_ms=st.none(),
)
rules = st.builds(
    RequestRules,
    service_ids=st.none() | st.just({"0A1B2C3D4E5F": "0a1B2c3D4e5F"}),
    digits_in_keys=st.booleans(),
    native_values=st.booleans(),
)


def valid(request: InvokeRequest) -> bool:
    """The vendor's page, read naively."""
    content = json.loads(request.body)
    end_user, variables = content["endUser"], content.get("variables")
    operator = end_user.get("mobileOperatorId", 1)
    return (
        re.fullmatch("[0-9A-Fa-f]+", request.service_id) is not None
        and len(request.body) <= 8000
        and set(content) <= {"endUser", "variables"}
        and re.fullmatch("[1-9][0-9]{5,15}", end_user["phoneNumber"]) is not None
        and type(operator) is int
        and (variables is None or (len(variables) > 0 and all(map(valid_scope, variables.items()))))
    )


def valid_scope(item: tuple[str, dict[str, Any]]) -> bool:
    """One scope of the vendor's page."""
    scope, variables = item
    return (
        scope in ("request", "session", "user", "userservice", "userservicecoll")
        and len(variables) > 0
        and len({key.lower() for key in variables}) == len(variables)
        and all(re.fullmatch("[A-Za-z0-9_.-]{1,255}", key) for key in variables)
        and not {"div", "user.id"} & {key.lower() for key in variables}
        and all(
            type(value) in (int, float)
            or (type(value) is str and len(value) <= 4096 and all(ord(c) <= 0xFFFF for c in value))
            for value in variables.values()
        )
    )


def built(event: InvocationEvent, rules: RequestRules = ANY_SERVICE) -> dict[str, Any]:
    answer = build(event, rules)
    assert isinstance(answer, InvokeRequest), answer
    content: dict[str, Any] = json.loads(answer.body)
    return content


def problems(event: InvocationEvent, rules: RequestRules = ANY_SERVICE) -> list[tuple[str, str]]:
    answer = build(event, rules)
    assert isinstance(answer, Refusal), answer
    return [(problem.code, problem.field) for problem in answer.problems]


def normalizations(event: InvocationEvent) -> tuple[str, ...]:
    answer = build(event, ANY_SERVICE)
    assert isinstance(answer, InvokeRequest), answer
    return answer.normalizations


def with_variable(key: str, value: Value = "x", scope: str = "session") -> InvocationEvent:
    return EVENT._replace(variables={scope: {key: value}})


@given(events, rules)
@example(EVENT._replace(variables={"session": {"a": "\ud800"}}), ANY_SERVICE)
@example(EVENT._replace(variables={"\ud800": {"\ud800": "x"}}), ANY_SERVICE)
@example(EVENT._replace(phone_number="\ud800", mobile_operator_id=2**70), ANY_SERVICE)
def test_a_valid_request_or_a_refusal_and_nothing_else(event: InvocationEvent, rules: RequestRules) -> None:
    answer = build(event, rules)
    if isinstance(answer, Refusal):
        assert answer.stage is Stage.REQUEST
        assert answer.problems
        assert all(problem.remedy == REMEDIES[problem.code] for problem in answer.problems)
    else:
        assert valid(answer)
        assert set(answer.normalizations) <= set(NORMALIZATIONS)


@given(good_events)
def test_an_event_that_keeps_every_rule_is_refused_for_its_size_only(event: InvocationEvent) -> None:
    answer = build(event, ANY_SERVICE)
    assert isinstance(answer, InvokeRequest) or answer.code == "body_too_large"


plain_events = st.builds(
    InvocationEvent,
    event_id=st.sampled_from(["gate-change-1", "", "é"]),
    service_id=st.sampled_from(["0A1B2C3D4E5F", "0a1B2c3D4e5F", "F9", "x"]),
    phone_number=st.sampled_from(["12515550123", "+12515550123", "0"]),
    mobile_operator_id=st.none() | st.sampled_from([0, 1, 383, 2**63 - 1, 2**63]),
    variables=st.dictionaries(
        st.sampled_from(["session", "user", "Session", "system"]),
        st.dictionaries(
            st.sampled_from(["seat", "Seat", "gate", "div", "id", "b7"]), st.sampled_from(["", "x", "é", 1])
        ),
    ),
    created_at_ms=st.none() | st.sampled_from([946_684_799_999, 946_684_800_000, 4_133_980_800_000]),
    expires_at_ms=st.none() | st.sampled_from([946_684_800_000, 4_133_980_799_999]),
)


@given(plain_events | good_events | events, rules)
@example(EVENT, ANY_SERVICE)
@example(EVENT._replace(variables={"session": {}}), ANY_SERVICE)
@example(EVENT._replace(variables={"session": {"a": "x" * 4096}}), ANY_SERVICE)
@example(EVENT._replace(variables={"session": {"a": "x" * 4097}}), ANY_SERVICE)
@example(EVENT._replace(variables={"session": {"a": "x" * 4096, "b": "x" * 4000}}), ANY_SERVICE)
def test_the_short_way_builds_what_the_long_one_does(event: InvocationEvent, rules: RequestRules) -> None:
    body = usual_body(event, rules.is_listed, rules.has_good_keys)
    assert body is None or judged(event, rules) == InvokeRequest(event.service_id, body, ())


def test_an_ordinary_event_goes_the_short_way() -> None:
    event = EVENT._replace(mobile_operator_id=383, variables={"session": {"seat": "aisle"}}, created_at_ms=10**12)
    for rules in (ANY_SERVICE, RequestRules(service_ids={"0A1B2C3D4E5F": "0A1B2C3D4E5F"})):
        assert usual_body(event, rules.is_listed, rules.has_good_keys) is not None
    rules = RequestRules(service_ids={"0A1B2C3D4E5F": "0a1b2c3d4e5f"})
    assert usual_body(event, rules.is_listed, rules.has_good_keys) is None


def test_the_vendors_own_example_is_built_as_it_stands() -> None:
    """The page's body, with the numbers bare."""
    event = EVENT._replace(
        mobile_operator_id=383,
        variables={
            "session": {"seatLocation": "aisle", "flightNumber": 49},
            "user": {"frequentFlyerAccountNumber": "MJHF787679"},
        },
    )
    page = """
        {"endUser": {"phoneNumber": "12515550123", "mobileOperatorId": 383},
         "variables": {"session": {"seatLocation": "aisle", "flightNumber": 49},
                       "user": {"frequentFlyerAccountNumber": "MJHF787679"}}}"""
    assert built(event, RequestRules(service_ids=None, native_values=True)) == json.loads(page)


def test_numbers_and_booleans_are_sent_as_text_by_default() -> None:
    event = EVENT._replace(variables={"session": {"a": 49, "b": 1.5, "c": True, "d": False}})
    assert built(event)["variables"] == {"session": {"a": "49", "b": "1.5", "c": "true", "d": "false"}}


def test_native_values_are_bare_numbers_while_booleans_stay_text() -> None:
    """The vendor's example shows a bare number and no bare boolean."""
    event = EVENT._replace(variables={"session": {"a": 49, "b": 1.5, "c": True}})
    sent = built(event, RequestRules(service_ids=None, native_values=True))["variables"]
    assert sent == {"session": {"a": 49, "b": 1.5, "c": "true"}}


def test_an_event_without_variables_has_none_in_its_body() -> None:
    assert built(EVENT) == {"endUser": {"phoneNumber": "12515550123"}}


def test_a_scope_is_sent_in_lower_case_and_a_key_as_written() -> None:
    assert built(with_variable("SeatLocation", scope="SeSSion"))["variables"] == {"session": {"SeatLocation": "x"}}


# What is put right.


def test_one_plus_is_taken_off() -> None:
    event = EVENT._replace(phone_number="+12515550123")
    assert built(event)["endUser"]["phoneNumber"] == "12515550123"
    assert normalizations(event) == ("phone_number_plus",)


@pytest.mark.parametrize("operator", [0, -1, -(2**80)])
def test_an_operator_id_of_zero_or_less_is_left_out(operator: int) -> None:
    event = EVENT._replace(mobile_operator_id=operator)
    assert built(event)["endUser"] == {"phoneNumber": "12515550123"}
    assert normalizations(event) == ("operator_id_not_positive",)


def test_null_values_are_left_out_with_whatever_their_keys_are() -> None:
    event = EVENT._replace(variables={"session": {"a": "x", "b": None, "b 1": None}})
    assert built(event)["variables"] == {"session": {"a": "x"}}
    assert normalizations(event) == ("null_value",)


def test_a_scope_that_is_or_becomes_empty_is_left_out() -> None:
    event = EVENT._replace(variables={"session": {}, "user": {"a": None}})
    assert "variables" not in built(event)
    assert normalizations(event) == ("empty_scope", "null_value")


def test_an_ordinary_event_needs_no_normalization() -> None:
    assert normalizations(EVENT) == ()


# What is refused.


@pytest.mark.parametrize("event_id", ["", "a b", "x" * 65, "a\n", "é"])
def test_an_event_id_outside_its_alphabet_or_length_is_refused(event_id: str) -> None:
    assert problems(EVENT._replace(event_id=event_id)) == [("bad_event_id", "eventId")]


@pytest.mark.parametrize(
    ("service_id", "shown"),
    [
        ("0A1B2C3D4E5G", "'0A1B2C3D4E5G'"),
        (" 0A1B2C3D4E5F", "' 0A1B2C3D4E5F'"),
        ("9876543210AB", "'9876543210AB'"),
        ("12515550123", "string of 11 characters"),
    ],
)
def test_a_refused_service_id_is_named(service_id: str, shown: str) -> None:
    """It is no personal data, and without it nobody finds who sent it; a phone number in its place stays hidden."""
    refused = build(EVENT._replace(service_id=service_id), RequestRules({"F9E8D7C6B5A4": "F9E8D7C6B5A4"}))
    assert isinstance(refused, Refusal)
    assert f"({shown})" in refused.reason


@pytest.mark.parametrize("service_id", ["", "../../admin", "0A1G", "A" * 65, "0A\n", "٣"])
def test_a_service_id_that_is_not_hexadecimal_never_reaches_a_path(service_id: str) -> None:
    assert problems(EVENT._replace(service_id=service_id)) == [("bad_service_id", "serviceId")]


def test_a_listed_service_id_is_sent_as_listed() -> None:
    answer = build(EVENT._replace(service_id="0a1b2c3d4e5F"), RequestRules({"0A1B2C3D4E5F": "0A1B2C3d4e5f"}))
    assert isinstance(answer, InvokeRequest)
    assert answer.service_id == "0A1B2C3d4e5f"


def test_without_a_list_a_service_id_is_sent_as_written() -> None:
    answer = build(EVENT._replace(service_id="0a1B"), ANY_SERVICE)
    assert isinstance(answer, InvokeRequest)
    assert answer.service_id == "0a1B"


def test_a_service_id_that_is_not_listed_is_refused() -> None:
    assert problems(EVENT, RequestRules({"F9E8D7C6B5A4": "F9E8D7C6B5A4"})) == [("service_id_not_allowed", "serviceId")]


@pytest.mark.parametrize(
    "number", ["", "12345", "1" * 17, "++12515550123", "1251 5550123", "1251555012٣", "123456\n", "abc"]
)
def test_a_phone_number_of_other_than_6_to_16_digits_is_refused(number: str) -> None:
    assert problems(EVENT._replace(phone_number=number)) == [("bad_phone_number", "phoneNumber")]


@pytest.mark.parametrize("number", ["0251555012", "+02515550123", "0012515550123"])
def test_a_number_with_a_leading_zero_has_no_country_code(number: str) -> None:
    assert problems(EVENT._replace(phone_number=number)) == [("national_phone_number", "phoneNumber")]


@pytest.mark.parametrize("number", ["1" * 6, "1" * 16])
def test_6_and_16_digits_are_the_bounds_of_a_phone_number(number: str) -> None:
    assert built(EVENT._replace(phone_number=number))["endUser"]["phoneNumber"] == number


def test_an_operator_id_beyond_64_bits_is_refused() -> None:
    assert problems(EVENT._replace(mobile_operator_id=2**63)) == [("number_out_of_range", "mobileOperatorId")]


@pytest.mark.parametrize("time_ms", [0, 946_684_799_999, 4_133_980_800_000, 1_750_000_000, -1, 10**40])
def test_a_time_outside_2000_to_2100_is_a_bad_time(time_ms: int) -> None:
    event = EVENT._replace(created_at_ms=time_ms, expires_at_ms=time_ms)
    assert problems(event) == [("bad_time", "createdAt"), ("bad_time", "expiresAt")]


@pytest.mark.parametrize("scope", ["service", "servicecoll", "system", "sessions", ""])
def test_an_unknown_scope_is_refused(scope: str) -> None:
    assert problems(with_variable("a", scope=scope))[0][0] == "unknown_scope"


def test_a_scope_in_two_spellings_is_refused() -> None:
    event = EVENT._replace(variables={"User": {"a": "x"}, "user": {"b": "x"}})
    assert problems(event) == [("duplicate_scope", "variables.user")]


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "quiz1", "é", "a\n", "\u212a"])
def test_a_key_outside_its_alphabet_or_length_is_refused(key: str) -> None:
    assert problems(with_variable(key))[0][0] == "bad_key"


def test_digits_in_keys_are_a_setting() -> None:
    assert built(with_variable("quiz1"), RequestRules(None, digits_in_keys=True))["variables"] == {
        "session": {"quiz1": "x"}
    }


def test_keys_that_differ_in_case_collide() -> None:
    event = EVENT._replace(variables={"session": {"A": "x", "a": "y"}})
    assert problems(event) == [("duplicate_key", "variables.session.a")]


def test_the_same_key_may_stand_in_two_scopes() -> None:
    variables = {"session": {"a": "x"}, "user": {"a": "y"}}
    assert built(EVENT._replace(variables=variables))["variables"] == variables


@pytest.mark.parametrize("key", ["DIV", "true", "Empty"])
def test_a_reserved_word_is_no_key(key: str) -> None:
    assert problems(with_variable(key)) == [("reserved_key", f"variables.session.{key}")]


@pytest.mark.parametrize(
    ("scope", "key"), [("session", "USER.Id"), ("user", "iD"), ("Request", "mt.smsId"), ("user", "addDate")]
)
def test_a_built_in_variable_is_no_key_with_its_scope_or_without(scope: str, key: str) -> None:
    assert problems(with_variable(key, scope=scope)) == [("built_in_key", f"variables.{scope}.{key}")]


def test_the_last_part_of_a_built_in_variable_is_free_in_another_scope() -> None:
    assert built(with_variable("id", scope="session"))["variables"] == {"session": {"id": "x"}}


def test_configured_words_are_compared_without_case() -> None:
    rules = RequestRules(None, reserved_words=frozenset({"Gate"}), built_in_variables=frozenset({"user.Seat"}))
    assert problems(with_variable("gATE"), rules) == [("reserved_key", "variables.session.gATE")]
    assert problems(with_variable("SEAT", scope="user"), rules) == [("built_in_key", "variables.user.SEAT")]


def test_4096_characters_are_the_most_of_a_value() -> None:
    assert built(with_variable("a", "x" * 4096))
    assert problems(with_variable("a", "x" * 4097)) == [("value_too_long", "variables.session.a")]


def test_an_empty_string_is_a_value() -> None:
    assert built(with_variable("a", ""))["variables"] == {"session": {"a": ""}}


@pytest.mark.parametrize("text", ["\U0001f600", "\ud83d", "é\udfff"])
def test_characters_beyond_the_bmp_and_lone_surrogates_are_refused(text: str) -> None:
    assert problems(with_variable("a", text)) == [("value_not_bmp", "variables.session.a")]


def test_the_bmp_is_sent_as_it_is() -> None:
    assert built(with_variable("a", "é中\uffff"))["variables"] == {"session": {"a": "é中\uffff"}}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    assert problems(with_variable("a", number)) == [("value_not_finite", "variables.session.a")]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_integers_beyond_64_bits_are_refused(number: int) -> None:
    assert problems(with_variable("a", number)) == [("number_out_of_range", "variables.session.a")]


@pytest.mark.parametrize("number", [2.0**53, -(2.0**53), 12345678901234567890.0, 1e300])
def test_a_double_that_has_lost_digits_is_refused(number: float) -> None:
    """9007199254740993 as a double is ...992: a number is posted as it was meant, or not at all."""
    assert problems(with_variable("a", number)) == [("number_out_of_range", "variables.session.a")]


@pytest.mark.parametrize(("number", "text"), [(2.0**53 - 1, "9007199254740991"), (2**53 + 1, "9007199254740993")])
def test_numbers_that_are_exact_are_posted(number: float, text: str) -> None:
    """A double below 2^53, and any long."""
    assert built(with_variable("a", number))["variables"] == {"session": {"a": text}}


def test_an_integer_too_long_to_be_printed_is_refused_like_any_other() -> None:
    """Python refuses to print integers of more than 4300 digits."""
    assert problems(with_variable("a", 10**5000)) == [("number_out_of_range", "variables.session.a")]


def test_8000_bytes_are_the_most_of_a_body() -> None:
    room = 8000 - len(build_body(with_two_values("", "")))
    assert len(build_body(with_two_values("x" * 4000, "x" * (room - 4000)))) == 8000
    assert problems(with_two_values("x" * 4000, "x" * (room - 3999))) == [("body_too_large", "variables")]


def test_a_body_is_counted_in_bytes_not_characters() -> None:
    assert problems(with_variable("a", "中" * 3000)) == [("body_too_large", "variables")]


def with_two_values(one: str, other: str) -> InvocationEvent:
    return EVENT._replace(variables={"session": {"a": one, "b": other}})


def build_body(event: InvocationEvent) -> bytes:
    answer = build(event, ANY_SERVICE)
    assert isinstance(answer, InvokeRequest)
    return answer.body


def test_all_problems_are_named_at_once() -> None:
    event = InvocationEvent(
        "a b",
        "G",
        "0251555012",
        2**63,
        {"system": {"quiz1": "x" * 4097}, "user": {"id": math.nan, "ok": "中" * 4000}, "session": {"12345678": "x"}},
        0,
        None,
    )
    assert problems(event) == [
        ("bad_event_id", "eventId"),
        ("bad_service_id", "serviceId"),
        ("national_phone_number", "phoneNumber"),
        ("number_out_of_range", "mobileOperatorId"),
        ("bad_time", "createdAt"),
        ("bad_key", "variables.system.quiz1"),
        ("value_too_long", "variables.system.quiz1"),
        ("unknown_scope", "variables.system"),
        ("built_in_key", "variables.user.id"),
        ("value_not_finite", "variables.user.id"),
        ("bad_key", "variables.session.[1]"),
        ("body_too_large", "variables"),
    ]


def test_a_thousand_problems_make_a_short_refusal_that_counts_the_rest() -> None:
    answer = build(EVENT._replace(variables={"session": {f"key {n}": "x" for n in range(1000)}}), ANY_SERVICE)
    assert isinstance(answer, Refusal)
    assert len(answer.problems) == MAX_LISTED + 1
    assert answer.problems[-1].shape == f"{1000 - MAX_LISTED} further"


def test_a_key_that_could_be_a_phone_number_is_named_by_its_place() -> None:
    event = EVENT._replace(variables={"session": {"a": "x", "12515550123": "y"}})
    assert problems(event) == [("bad_key", "variables.session.[2]")]


@given(
    st.sampled_from(
        [
            {"event_id": f"{CANARY} "},
            {"service_id": CANARY},
            {"phone_number": CANARY},
            {"mobile_operator_id": 2**63 + 12515550123},
            {"created_at_ms": 12515550123},
            {"variables": {"session": {"k": CANARY * 400}}},
            {"variables": {"session": {"k": CANARY + "\U0001f600"}}},
            {"variables": {"session": {"k": 2**63 + 12515550123}}},
            {"variables": {"system": {"k": CANARY}}},
            {"variables": {"session": {"div": CANARY, "k k": CANARY, "a": CANARY, "A": CANARY}}},
            {"variables": {"session": {"12515550123": CANARY}, "12515550123": {"k": CANARY}}},
        ]
    ),
    st.sampled_from(["12515550123", "+12515550123"]),
)
def test_no_refusal_carries_a_value_or_a_phone_number(changes: dict[str, Any], number: str) -> None:
    event = EVENT._replace(**{"event_id": " " + CANARY, "phone_number": number, **changes})
    answer = build(event, ANY_SERVICE)
    assert isinstance(answer, Refusal)
    for secret in (CANARY, "2515550123", str(2**63 + 12515550123)):
        assert secret not in str(answer)
        assert secret not in answer.reason
