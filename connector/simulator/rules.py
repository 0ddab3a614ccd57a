"""The vendor's page as a judge: a request in, an accepted invocation or the cause of its refusal out. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from connector.simulator import answers
from connector.simulator.answers import Cause

LARGEST_BODY = 8000
"""Bytes (vendor page: 8000, not 8192)."""

ACCOUNT_ID = "123-456-789-12345"
PASSWORD = "simulated"  # noqa: S105 # the simulator's own account guards nothing

SCOPES = frozenset(["request", "session", "user", "userservice", "userservicecoll"])

_PATH = re.compile(r"/service/(v[0-9]+)/invokeService/([0-9A-Fa-f]+)")
_PHONE_NUMBER = re.compile(r"[0-9]{6,16}")
_KEY = re.compile(r"[A-Za-z_.-]{1,255}")
_KEY_WITH_DIGITS = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_BEYOND_BMP = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Page:
    """The account, and one reading of what the page leaves open."""

    account_id: str = ACCOUNT_ID
    password: str = PASSWORD
    authorized: bool = True
    """Whether the account has the role Invoke Service API."""
    longest_value: int = 4096
    """Characters: 4096 for "up to 4096", 4095 for "less than 4096"; the page says both."""
    digits_in_keys: bool = False
    """No page lists digits among a key's characters, one example uses them."""
    numeric_codes: bool = False
    """Whether a rejection's code is a JSON number."""
    name_header: str | None = None
    """Mutual TLS: the header that must carry one of `names`."""
    names: frozenset[str] = frozenset()


class Request(NamedTuple):
    """An HTTP request as received; `headers` finds `Authorization` and `Content-Type` by these names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Invocation(NamedTuple):
    """What a valid request asks for; the service id upper case, scopes and keys lower case."""

    service_id: str
    phone_number: str
    operator_id: int | None
    variables: Mapping[str, Mapping[str, str | int | float]]


class _Refused(Exception):  # noqa: N818 # a jump to the answer, not an error
    def __init__(self, cause: Cause) -> None:
        self.cause = cause


def judge(page: Page, request: Request) -> Invocation | Cause:
    """Answer as the vendor's page says; the first fault found names the cause."""
    try:
        service_id = _service_id(request)
        _authenticate(page, request.headers)
        if len(request.body) > LARGEST_BODY:
            return answers.TOO_LARGE
        return _invocation(page, service_id, request)
    except _Refused as refused:
        return refused.cause


def service_id_of(path: str) -> str:
    """The path's service id in upper case, "" when the path is not the vendor's."""
    match = _PATH.fullmatch(path)
    return match[2].upper() if match else ""


def _service_id(request: Request) -> str:
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise _Refused(answers.URL)
    if match[1] != "v1":
        raise _Refused(answers.VERSION)
    if request.method != "POST":
        raise _Refused(answers.METHOD)
    if request.query:
        raise _Refused(answers.QUERY)
    return match[2].upper()


def _authenticate(page: Page, headers: Mapping[str, str]) -> None:
    if page.name_header is not None and headers.get(page.name_header) not in page.names:
        raise _Refused(answers.CERTIFICATE)
    scheme, _, credential = headers.get("Authorization", "").partition(" ")
    expected = base64.b64encode(f"{page.account_id}:{page.password}".encode()).decode()
    if scheme.lower() != "basic" or credential.strip() != expected:
        raise _Refused(answers.CREDENTIALS)
    if not page.authorized:
        raise _Refused(answers.UNAUTHORIZED)


def _invocation(page: Page, service_id: str, request: Request) -> Invocation:
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(answers.MALFORMED)
    document = _parse(request.body)
    end_user = document.get("endUser")
    if not isinstance(end_user, dict):
        raise _Refused(answers.END_USER)
    phone_number = end_user.get("phoneNumber")
    if not isinstance(phone_number, str) or _PHONE_NUMBER.fullmatch(phone_number) is None:
        raise _Refused(answers.PHONE_NUMBER)
    operator_id = end_user.get("mobileOperatorId")
    # type() and not isinstance(): JSON's true is a Python int.
    if "mobileOperatorId" in end_user and type(operator_id) is not int:
        raise _Refused(answers.OPERATOR)
    variables = _variables(page, document["variables"]) if "variables" in document else {}
    return Invocation(service_id, phone_number, operator_id, variables)


class _Pairs(dict[str, Any]):
    """A JSON object that remembers whether a member was given twice."""

    repeated = False


def _object(pairs: list[tuple[str, Any]]) -> _Pairs:
    members = _Pairs(pairs)
    members.repeated = len(members) != len(pairs)
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant).decode


def _parse(body: bytes) -> _Pairs:
    try:
        document = _decode(body.decode())
    except (ValueError, RecursionError):
        raise _Refused(answers.MALFORMED) from None
    if not isinstance(document, _Pairs) or document.repeated:
        raise _Refused(answers.MALFORMED)
    end_user = document.get("endUser")
    if isinstance(end_user, _Pairs) and end_user.repeated:
        raise _Refused(answers.END_USER)
    return document


def _variables(page: Page, scopes: object) -> Mapping[str, Mapping[str, str | int | float]]:
    if not isinstance(scopes, _Pairs) or not scopes:
        raise _Refused(answers.EMPTY)
    if scopes.repeated:
        raise _Refused(answers.SCOPE)
    variables: dict[str, Mapping[str, str | int | float]] = {}
    for given, keys in scopes.items():
        scope = given.lower()
        if scope not in SCOPES or scope in variables:
            raise _Refused(answers.SCOPE)
        variables[scope] = _scope(page, scope, keys)
    return variables


def _scope(page: Page, scope: str, keys: object) -> Mapping[str, str | int | float]:
    if not isinstance(keys, _Pairs) or not keys:
        raise _Refused(answers.EMPTY)
    if keys.repeated:
        raise _Refused(answers.KEY)
    pattern = _KEY_WITH_DIGITS if page.digits_in_keys else _KEY
    values: dict[str, str | int | float] = {}
    for given, value in keys.items():
        key = given.lower()
        if pattern.fullmatch(given) is None or key in values:
            raise _Refused(answers.KEY)
        if key in answers.RESERVED_WORDS:
            raise _Refused(answers.RESERVED)
        if f"{scope}.{key}" in answers.BUILT_IN_VARIABLES:
            raise _Refused(answers.BUILT_IN)
        values[key] = _value(page, value)
    return values


def _value(page: Page, value: object) -> str | int | float:
    if isinstance(value, str):
        if len(value) > page.longest_value or (not value.isascii() and _BEYOND_BMP.search(value)):
            raise _Refused(answers.VALUE)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(answers.VALUE)
    return value
