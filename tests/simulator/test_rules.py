"""The vendor's page, case by case."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.simulator import answers
from connector.simulator.answers import Cause
from connector.simulator.rules import Invocation, Page, Request, judge

PAGE = Page()
EXAMPLE = b"""{"endUser": {"phoneNumber": "12515550123", "mobileOperatorId": 383},
 "variables": {"session": {"seatLocation": "aisle", "flightNumber": 49},
               "user": {"frequentFlyerAccountNumber": "MJHF787679"}}}"""


def authorization(account_id: str = PAGE.account_id, password: str = PAGE.password) -> str:
    return "Basic " + base64.b64encode(f"{account_id}:{password}".encode()).decode()


def request(body: bytes = EXAMPLE, **changes: Any) -> Request:
    headers = {"Authorization": authorization(), "Content-Type": "application/json"}
    valid = Request("POST", "/service/v1/invokeService/F9E8D7C6B5A4", "", headers, body)
    return valid._replace(**changes)


def with_headers(**headers: str) -> Request:
    return request(headers={**request().headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


def verdict(document: object, page: Page = PAGE) -> Invocation | Cause:
    return judge(page, request(orjson.dumps(document)))


def of_variables(variables: object, page: Page = PAGE) -> Invocation | Cause:
    return verdict({"endUser": {"phoneNumber": "12515550123"}, "variables": variables}, page)


def test_the_pages_example_is_accepted() -> None:
    """The vendor's own example, a bare number among its values, is accepted."""
    assert judge(PAGE, request()) == Invocation(
        "F9E8D7C6B5A4",
        "12515550123",
        383,
        {
            "session": {"seatlocation": "aisle", "flightnumber": 49},
            "user": {"frequentflyeraccountnumber": "MJHF787679"},
        },
    )


@pytest.mark.parametrize("end_user", [None, "12515550123", [], 1])
def test_end_user_malformed(end_user: object) -> None:
    """Cause 1 of 12002: the endUser object is malformed."""
    assert verdict({"endUser": end_user}) == answers.END_USER


def test_end_user_missing() -> None:
    """Cause 1 of 12002: the endUser object is missing."""
    assert verdict({}) == answers.END_USER


@pytest.mark.parametrize("number", ["", "12345", "1" * 17, "+12515550123", "1251555012a", "١٢٣٤٥٦٧", 12515550123, None])
def test_phone_number_malformed(number: object) -> None:
    """Cause 2 of 12002: anything but a string of 6 to 16 ASCII digits."""
    assert verdict({"endUser": {"phoneNumber": number}}) == answers.PHONE_NUMBER


def test_cie_scenario_of_a_misspelt_element() -> None:
    """The testing page's example of a bad request: `phnNumber` gives 400 with 12002."""
    cause = verdict({"endUser": {"phnNumber": "12515550123"}})
    assert cause == answers.PHONE_NUMBER
    assert (cause.status, cause.code) == (400, 12002)


@pytest.mark.parametrize("operator", [None, "383", 383.5, True, []])
def test_operator_malformed(operator: object) -> None:
    """Cause 3 of 12002: null is malformed too; without an operator it must be left out."""
    document = {"endUser": {"phoneNumber": "12515550123", "mobileOperatorId": operator}}
    assert verdict(document) == answers.OPERATOR


@pytest.mark.parametrize("variables", [{}, None, [], "x", {"user": {}}, {"user": None}])
def test_variables_empty(variables: object) -> None:
    """Cause 4 of 12002: variables are given but hold none."""
    assert of_variables(variables) == answers.EMPTY


@pytest.mark.parametrize("scope", ["service", "servicecoll", "system", "", "Users"])
def test_scope_invalid(scope: str) -> None:
    """Cause 5 of 12002: scopes that exist elsewhere are refused here."""
    assert of_variables({scope: {"a": "1"}}) == answers.SCOPE


@pytest.mark.parametrize("second", [b"user", b"USER"])
def test_scope_given_twice(second: bytes) -> None:
    """Cause 5 of 12002: scopes are compared without case."""
    body = b'{"endUser":{"phoneNumber":"12515550123"},"variables":{"user":{"a":"1"},"%s":{"b":"2"}}}' % second
    assert judge(PAGE, request(body)) == answers.SCOPE


@pytest.mark.parametrize("key", ["", "a" * 256, "a b", "ä", "quiz1", "a\n"])
def test_key_malformed(key: str) -> None:
    """Cause 6 of 12002: 1 to 255 letters, underscores, hyphens and dots, digits by setting only."""
    assert of_variables({"user": {key: "1"}}) == answers.KEY


@pytest.mark.parametrize("second", [b"a", b"A"])
def test_key_given_twice(second: bytes) -> None:
    """Keys of a scope are compared without case."""
    body = b'{"endUser":{"phoneNumber":"12515550123"},"variables":{"user":{"a":"1","%s":"2"}}}' % second
    assert judge(PAGE, request(body)) == answers.KEY


def test_digits_in_keys_by_setting() -> None:
    """The page's other reading allows digits in keys."""
    assert isinstance(of_variables({"user": {"quiz1": "1"}}, replace(PAGE, digits_in_keys=True)), Invocation)


@pytest.mark.parametrize("key", ["div", "DIV", "null"])
def test_key_reserved(key: str) -> None:
    """Cause 7 of 12002, compared without case."""
    assert of_variables({"session": {key: "1"}}) == answers.RESERVED


@pytest.mark.parametrize(("scope", "key"), [("user", "Id"), ("USER", "identifiers.MSISDN"), ("session", "circle")])
def test_variable_built_in(scope: str, key: str) -> None:
    """Cause 8 of 12002, compared without case."""
    assert of_variables({scope: {key: "1"}}) == answers.BUILT_IN


@pytest.mark.parametrize("value", ["a" * 4097, "😀", None, True, [], {}])
def test_value_malformed(value: object) -> None:
    """Cause 9 of 12002: too long, beyond the Basic Multilingual Plane, or no value at all."""
    assert of_variables({"user": {"a": value}}) == answers.VALUE


def test_lone_surrogate() -> None:
    """Cause 9 of 12002: an escaped half of a surrogate pair is no character."""
    body = b'{"endUser":{"phoneNumber":"12515550123"},"variables":{"user":{"a":"\\ud83d"}}}'
    assert judge(PAGE, request(body)) == answers.VALUE


@pytest.mark.parametrize(("longest", "accepted"), [(4096, True), (4095, False)])
def test_both_readings_of_4096(longest: int, accepted: bool) -> None:
    """4096 characters pass under "up to 4096" and fail under "less than 4096"."""
    answer = of_variables({"user": {"a": "ä" * 3000 + "a" * 1096}}, replace(PAGE, longest_value=longest))
    assert isinstance(answer, Invocation) == accepted


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 8000,
        b'{"endUser":{"phoneNumber":"12515550123"},"variables":{"user":{"a":NaN}}}',
        b'{"endUser":{"phoneNumber":"12515550123"},"endUser":{"phoneNumber":"12515550123"}}',
    ],
)
def test_malformed_json(body: bytes) -> None:
    """What is no well-formed JSON object with unique members is 12002."""
    assert judge(PAGE, request(body)) == answers.MALFORMED


@pytest.mark.parametrize(("size", "cause"), [(8000, None), (8001, answers.TOO_LARGE)])
def test_largest_body(size: int, cause: Cause | None) -> None:
    """8000 bytes pass, 8001 do not."""
    answer = judge(PAGE, request(EXAMPLE.ljust(size)))
    assert answer == cause if cause else isinstance(answer, Invocation)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"path": "/service/v1/invokeService/"}, answers.URL),
        ({"path": "/service/v1/invokeService/XYZ"}, answers.URL),
        ({"path": "/service/v1/invokeService/../../admin"}, answers.URL),
        ({"path": "/"}, answers.URL),
        ({"path": "/service/v2/invokeService/F9E8D7C6B5A4"}, answers.VERSION),
        ({"method": "GET"}, answers.METHOD),
        ({"query": "serviceId=F9E8D7C6B5A4"}, answers.QUERY),
    ],
)
def test_address(changes: dict[str, Any], cause: Cause) -> None:
    """Path, version, method and query are checked."""
    assert judge(PAGE, request(**changes)) == cause


@pytest.mark.parametrize(
    "given", ["", "Basic", "Bearer x", authorization(password="Simulated"), authorization(account_id="other")]
)
def test_credentials(given: str) -> None:
    """Account and password are compared with case."""
    assert judge(PAGE, with_headers(Authorization=given)) == answers.CREDENTIALS


def test_account_without_the_role() -> None:
    """An account without the role Invoke Service API gets 12001."""
    assert judge(replace(PAGE, authorized=False), request()) == answers.UNAUTHORIZED


def test_name_header_of_mutual_tls() -> None:
    """With mutual TLS a header must carry a name of the agreed list."""
    page = replace(PAGE, name_header="X-Name", names=frozenset(["ours"]))
    assert judge(page, with_headers(X_Name="theirs")) == answers.CERTIFICATE
    assert isinstance(judge(page, with_headers(X_Name="ours")), Invocation)


def test_content_type() -> None:
    """A body that is not announced as JSON is refused; a charset parameter does no harm."""
    assert judge(PAGE, with_headers(Content_Type="text/plain")) == answers.MALFORMED
    assert isinstance(judge(PAGE, with_headers(Content_Type="application/json; charset=utf-8")), Invocation)


def test_an_unknown_service_id_is_accepted() -> None:
    """A well-formed id that belongs to no service is accepted, of whatever length and case."""
    assert isinstance(judge(PAGE, request(path="/service/v1/invokeService/0a1B2")), Invocation)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["endUser", "phoneNumber", "mobileOperatorId", "variables", "user", "User", "a"])
                    | st.text(),
                    inner,
                )
            ),
        ).map(
            lambda document: orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_DATETIME) if _fits(document) else b""
        ),
    )
)
def test_any_body_gets_an_answer(body: bytes) -> None:
    """Whatever the body, the answer is an invocation or a cause of the table."""
    answer = judge(PAGE, request(body))
    assert isinstance(answer, Invocation) or answer in answers.CAUSES.values()


def _fits(document: object) -> bool:
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return False
    return True
