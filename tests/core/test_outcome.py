"""Laws of the outcome: total, never accepted without an X-Request-Id, and silent about what the vendor said."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.codes import DEFAULT_TABLE
from connector.core.outcome import Delivered, Fate, Outcome, Row, Table, When
from connector.core.proxy_codes import PROXY_ROWS, naming
from connector.core.reply import Answer, Failure, NoReply, Reply

RETRY, DEAD_LETTER, HOLD = Fate.RETRY, Fate.DEAD_LETTER, Fate.HOLD
NO, MAYBE, NEVER_SENT = Delivered.NO, Delivered.MAYBE, Delivered.NEVER_SENT
CERTIFICATES = (Failure.SERVER_CERTIFICATE, Failure.CLIENT_CERTIFICATE)
PROXY_REFUSALS = (Failure.PROXY_CREDENTIALS, Failure.PROXY_REFUSED)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "description", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
codes: st.SearchStrategy[object] = st.sampled_from(
    [1000, "1010", 12001, "12002", " 12003", 12004, 99999, True, None, 1.5, "", [], "x" * 99]
)
descriptions = st.sampled_from(["Invalid JSON in the payload.", "Request was blocked", "", None, 7]) | st.text()
bodies = (
    st.binary(max_size=40)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda code, description: json.dumps({"error": {"code": code, "description": description}}).encode(),
        codes,
        descriptions,
    )
    | st.sampled_from([b"", b"<html>", b"[" * 5000, b'{"error": {"code": 10', b"x" * 65536, b'"\\ud800"'])
)
replies = st.builds(
    Reply,
    status=st.sampled_from([200, 202, 204, 301, 400, 401, 403, 404, 408, 429, 500, 502, 504]) | st.integers(-1, 1000),
    request_id=st.none() | st.sampled_from(["", " ", "\t"]) | st.text(max_size=50),
    body=bodies,
    retry_after=st.none() | st.text(max_size=10),
    body_complete=st.booleans(),
)
answers = replies | st.builds(NoReply, failure=st.sampled_from(Failure), sent=st.booleans())


def rejection(code: object = None, description: object = "Something", status: int = 400) -> Reply:
    error = {"description": description} if code is None else {"code": code, "description": description}
    return Reply(status, "request-1", json.dumps({"error": error}).encode())


def verdict(answer: Answer, table: Table = DEFAULT_TABLE) -> tuple[Fate, str, Delivered]:
    outcome = table.classify(answer)
    return outcome.fate, outcome.code, outcome.delivered


@given(answers)
@example(Reply(400, None, b'{"error":{"code":' + b"9" * 400 + b"}}"))
def test_every_answer_has_an_outcome_out_of_the_table(answer: Answer) -> None:
    outcome = DEFAULT_TABLE.classify(answer)
    assert (outcome.fate, outcome.code, outcome.why, outcome.remedy) in {
        (row.fate, row.code, row.why, row.remedy) for row in DEFAULT_TABLE.rows()
    }


@given(answers)
def test_only_200_and_202_with_a_request_id_are_accepted(answer: Answer) -> None:
    accepted = (
        isinstance(answer, Reply)
        and answer.status in (200, 202)
        and answer.request_id is not None
        and answer.request_id.strip() != ""
    )
    assert (DEFAULT_TABLE.classify(answer).fate is Fate.ACCEPTED) == accepted


@given(st.sampled_from([200, 202]), bodies, st.booleans())
def test_nothing_in_the_body_undoes_an_acceptance(status: int, body: bytes, complete: bool) -> None:
    answer = Reply(status, "request-1", body, None, complete)
    assert verdict(answer) == (Fate.ACCEPTED, "accepted", Delivered.YES)


@given(replies, st.sampled_from(["canarycanary", "12515550123"]))
def test_what_the_vendor_says_is_never_repeated(reply: Reply, canary: str) -> None:
    error = {"code": canary, "description": f"Invalid JSON in the payload. {canary}", canary: canary}
    echo = reply._replace(request_id="request-1", retry_after=None, body=json.dumps({"error": error}).encode())
    assert canary not in str(DEFAULT_TABLE.classify(echo))


@given(replies)
def test_status_request_id_and_retry_after_are_kept(reply: Reply) -> None:
    outcome = DEFAULT_TABLE.classify(reply)
    assert (outcome.status, outcome.request_id) == (reply.status, reply.request_id)
    assert outcome.fate is Fate.ACCEPTED or outcome.retry_after == reply.retry_after


# The vendor's codes.


@pytest.mark.parametrize(
    ("code", "fate", "name"),
    [
        (1000, DEAD_LETTER, "vendor_permanent"),
        (1010, RETRY, "vendor_temporary"),
        (12001, HOLD, "not_authorized"),
        (12002, DEAD_LETTER, "invalid_payload"),
        (12003, HOLD, "invalid_method"),
        (12004, HOLD, "invalid_api_version"),
    ],
)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 418, 429, 500, 502, 503])
@pytest.mark.parametrize("spelling", [int, str, " {} ".format])
def test_the_bodys_code_decides_before_the_http_status(
    code: int, fate: Fate, name: str, status: int, spelling: type[int] | type[str]
) -> None:
    outcome = DEFAULT_TABLE.classify(rejection(spelling(code), status=status))
    assert (outcome.fate, outcome.code, outcome.delivered) == (fate, name, NO)
    assert outcome.vendor_code == str(code)


def test_the_bodys_code_decides_before_the_description() -> None:
    assert verdict(rejection(1000, "Invalid HTTP method.", 500)) == (DEAD_LETTER, "vendor_permanent", NO)


@pytest.mark.parametrize(
    ("description", "fate", "name"),
    [
        ("An error occurred while processing the request. Please contact OpenMarket", DEAD_LETTER, "vendor_permanent"),
        ("An error occurred while processing the request.  Please retry.", RETRY, "vendor_temporary"),
        ("Account is not authorized to use this API.", HOLD, "not_authorized"),
        ("Invalid JSON in the payload. endUser is missing", DEAD_LETTER, "invalid_payload"),
        ("INVALID HTTP METHOD", HOLD, "invalid_method"),
        ("Invalid API version", HOLD, "invalid_api_version"),
        ("Invalid query parameter", HOLD, "invalid_url"),
        ("Invalid request URL", HOLD, "invalid_url"),
        ("Body over 8K", DEAD_LETTER, "body_too_large"),
        ("Request was blocked, contact support", HOLD, "blocked"),
        ("Username or password invalid", HOLD, "bad_credentials"),
        ("Unable to authenticate", HOLD, "mutual_tls_refused"),
    ],
)
def test_without_a_known_code_the_descriptions_first_words_decide(description: str, fate: Fate, name: str) -> None:
    assert verdict(rejection(None, description, 400))[:2] == (fate, name)
    assert verdict(rejection(99999, description, 500))[:2] == (fate, name)


def test_words_in_the_middle_of_a_description_decide_nothing() -> None:
    """They may be a variable's value."""
    assert verdict(rejection(None, "The value Request was blocked is bad")) == (DEAD_LETTER, "rejected", NO)


# The HTTP status, where no code and no words are known.


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, (HOLD, "not_the_vendor", MAYBE)),
        (202, (HOLD, "not_the_vendor", MAYBE)),
        (204, (HOLD, "not_the_vendor", MAYBE)),
        (301, (HOLD, "redirected", NO)),
        (307, (HOLD, "redirected", NO)),
        (400, (HOLD, "gateway_rejected", NO)),
        (401, (HOLD, "unauthorized", NO)),
        (403, (HOLD, "forbidden", NO)),
        (404, (HOLD, "wrong_address", NO)),
        (405, (HOLD, "wrong_address", NO)),
        (407, (HOLD, "proxy_authentication", NO)),
        (408, (RETRY, "gateway_timeout", MAYBE)),
        (413, (HOLD, "gateway_rejected", NO)),
        (425, (RETRY, "too_many_requests", NO)),
        (429, (RETRY, "too_many_requests", NO)),
        (500, (RETRY, "vendor_unavailable", NO)),
        (502, (RETRY, "gateway_timeout", MAYBE)),
        (503, (RETRY, "vendor_unavailable", NO)),
        (504, (RETRY, "gateway_timeout", MAYBE)),
        (199, (RETRY, "strange_status", MAYBE)),
        (600, (RETRY, "strange_status", MAYBE)),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": "no"}', b'{"error": {}}', b'{"error": {"code": null}}', b"{"],
)
def test_without_the_vendors_error_json_the_status_decides(
    status: int, expected: tuple[Fate, str, Delivered], body: bytes
) -> None:
    assert verdict(Reply(status, None, body)) == expected


@pytest.mark.parametrize("status", [400, 402, 409, 413, 422])
@pytest.mark.parametrize("code", [None, 99999, "NEW"])
def test_a_4xx_with_the_vendors_json_and_no_known_code_is_a_dead_letter(status: int, code: object) -> None:
    assert verdict(rejection(code, status=status)) == (DEAD_LETTER, "rejected", NO)


@pytest.mark.parametrize(("status", "name"), [(401, "unauthorized"), (403, "forbidden"), (404, "wrong_address")])
def test_the_statuses_of_a_deployment_hold_even_with_an_unknown_code(status: int, name: str) -> None:
    assert verdict(rejection(99999, status=status)) == (HOLD, name, NO)


@pytest.mark.parametrize("status", [408, 502, 504])
def test_a_vendor_code_shows_that_nothing_was_delivered(status: int) -> None:
    assert verdict(rejection(99999, status=status)) == (RETRY, "gateway_timeout", NO)
    assert verdict(rejection(None, status=status)) == (RETRY, "gateway_timeout", MAYBE)


def test_a_gateways_json_that_repeats_the_status_as_code_is_not_the_vendors() -> None:
    body = b'{"error": {"code": 502, "message": "Bad gateway"}}'
    assert verdict(Reply(502, None, body)) == (RETRY, "gateway_timeout", MAYBE)
    assert verdict(Reply(400, None, body.replace(b"502", b'"400"'))) == (HOLD, "gateway_rejected", NO)


def test_a_body_that_was_cut_is_not_read() -> None:
    cut = rejection(1000, status=503)._replace(body_complete=False)
    assert verdict(cut) == (RETRY, "vendor_unavailable", NO)


def test_the_body_of_a_2xx_without_a_request_id_is_not_read() -> None:
    answer = rejection(12002, status=200)._replace(request_id=None)
    assert verdict(answer) == (HOLD, "not_the_vendor", MAYBE)


@pytest.mark.parametrize(("code", "shown"), [(99999, "99999"), (125155, None), ("NEW", None), (-1, None), (True, None)])
def test_an_unknown_code_is_shown_only_when_it_cannot_echo_anything(code: object, shown: str | None) -> None:
    assert DEFAULT_TABLE.classify(rejection(code)).vendor_code == shown


# No reply at all.


@pytest.mark.parametrize("failure", [one for one in Failure if one not in (*CERTIFICATES, *PROXY_REFUSALS)])
def test_a_failure_of_the_network_is_never_sent_or_maybe_delivered(failure: Failure) -> None:
    unsent, sent = (DEFAULT_TABLE.classify(NoReply(failure, sent)) for sent in (False, True))
    assert (unsent.fate, unsent.delivered) == (RETRY, NEVER_SENT)
    assert (sent.fate, sent.delivered) == (RETRY, MAYBE)


@pytest.mark.parametrize("failure", PROXY_REFUSALS)
def test_a_refusal_of_the_forward_proxy_holds(failure: Failure) -> None:
    assert verdict(NoReply(failure, sent=False)) == (HOLD, failure.value, NEVER_SENT)


def test_the_rows_of_the_forward_proxy_name_it_and_no_other_row_does() -> None:
    table = Table(naming(DEFAULT_TABLE.rows(), "proxy.example:3128"))
    named = {failure for failure in Failure if "proxy.example:3128" in table.classify(NoReply(failure, False)).why}
    assert named == {failure for failure in Failure if failure.value.startswith("proxy_")}
    assert sum("proxy.example" in row.why for row in table.rows()) == len(PROXY_ROWS)


@pytest.mark.parametrize("failure", CERTIFICATES)
def test_a_certificate_that_is_not_accepted_holds(failure: Failure) -> None:
    assert verdict(NoReply(failure, sent=False)) == (HOLD, failure.value, NEVER_SENT)
    assert verdict(NoReply(failure, sent=True)) == (HOLD, failure.value, NO)


# The table.


def test_an_override_stands_before_the_defaults_of_its_kind() -> None:
    rows = [
        Row("mine", HOLD, "w", "r", vendor_codes=("1000", "SIX666")),
        Row("words", RETRY, "w", "r", descriptions=("Invalid  JSON",)),
        Row("status", DEAD_LETTER, "w", "r", statuses=("500",)),
    ]
    table = DEFAULT_TABLE.with_overrides(rows)
    assert verdict(rejection(1000, status=500), table) == (HOLD, "mine", NO)
    assert verdict(rejection(None, "Invalid JSON in"), table) == (RETRY, "words", NO)
    assert verdict(rejection(1010, status=500), table) == (RETRY, "vendor_temporary", NO)
    assert verdict(Reply(500, None, b""), table) == (DEAD_LETTER, "status", NO)
    assert verdict(Reply(500, None, b"")) == (RETRY, "vendor_unavailable", NO)
    assert table.rows() == (*rows, *DEFAULT_TABLE.rows())


def test_a_code_named_in_an_override_is_shown() -> None:
    table = DEFAULT_TABLE.with_overrides([Row("mine", HOLD, "w", "r", vendor_codes=("SIX666",))])
    assert table.classify(rejection("SIX666")).vendor_code == "SIX666"


def test_no_override_touches_an_accepted_answer() -> None:
    table = DEFAULT_TABLE.with_overrides([Row("mine", DEAD_LETTER, "w", "r", statuses=("202", "2xx"))])
    assert table.classify(Reply(202, "request-1", b"")).fate is Fate.ACCEPTED
    assert table.classify(Reply(202, None, b"")).fate is DEAD_LETTER


def test_no_override_makes_an_answer_accepted() -> None:
    with pytest.raises(ValueError, match="accepted"):
        DEFAULT_TABLE.with_overrides([Row("mine", Fate.ACCEPTED, "w", "r", statuses=("404",))])


def test_only_one_row_of_the_table_accepts_and_only_with_a_request_id() -> None:
    accepting = [row for row in DEFAULT_TABLE.rows() if row.fate is Fate.ACCEPTED]
    assert [(row.statuses, row.when) for row in accepting] == [(("200", "202"), When.REQUEST_ID)]


def test_every_class_has_one_row_with_a_reason_a_remedy_and_a_pattern() -> None:
    rows = DEFAULT_TABLE.rows()
    assert len({row.code for row in rows}) == len(rows)
    for row in rows:
        assert row.why
        assert row.remedy
        assert row.vendor_codes or row.descriptions or row.statuses or row.failures


def test_an_outcome_of_an_accepted_post_carries_the_request_id_support_asks_for() -> None:
    outcome = DEFAULT_TABLE.classify(Reply(202, "request-1", b""))
    assert outcome == Outcome(
        Fate.ACCEPTED, "accepted", outcome.why, outcome.remedy, Delivered.YES, 202, None, "request-1", proves=True
    )
