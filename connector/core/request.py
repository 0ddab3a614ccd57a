"""Invocation event → invoke request, under every limit of the vendor's page; or a refusal with all its problems."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import orjson

from connector.core.event import InvocationEvent, Value, Variables
from connector.core.findings import Findings
from connector.core.made import made
from connector.core.numbers import is_exact, value_text
from connector.core.redact import is_event_id, safe_name, safe_service_id, shape
from connector.core.refusal import Refusal
from connector.core.service_id import is_service_id
from connector.core.usual import MAX_BODY, MAX_VALUE, is_phone_number, is_plausible, usual_body
from connector.core.vendor_words import BUILT_IN_VARIABLES, RESERVED_WORDS

SCOPES = frozenset({"request", "session", "user", "userservice", "userservicecoll"})

REMEDIES: Mapping[str, str] = {
    "bad_event_id": "use 1 to 64 of A-Z a-z 0-9 . _ : -",
    "bad_service_id": "use the hexadecimal id in the properties pop-up of the service, 64 digits at most",
    "service_id_not_allowed": "correct it, or add it to openmarket.service_ids after seeing it triggered once",
    "bad_phone_number": "write 6 to 16 digits, country code first, with nothing but one + before them",
    "national_phone_number": "write the country code first, without leading 0 or 00",
    "bad_time": "write ms since the epoch (not seconds or microseconds), of the years 2000 to 2100",
    "unknown_scope": "use request, session, user, userservice or userservicecoll",
    "duplicate_scope": "write each scope once: upper and lower case are the same",
    "bad_key": "use 1 to 255 of A-Z a-z _ - . (digits only with openmarket.key_characters: digits)",
    "duplicate_key": "write each key once in its scope: upper and lower case are the same",
    "reserved_key": "choose another key: this one is a word of the vendor's expression language",
    "built_in_key": "choose another key: this one is a variable that the vendor sets",
    "value_too_long": "write at most 4096 characters",
    "value_not_bmp": "leave out characters above U+FFFF, such as most emoji",
    "value_not_finite": "write a number, not NaN or infinity, or leave the variable out",
    "number_out_of_range": "write a 64-bit integer as a long, or a string; a double from 2^53 up has lost digits",
    "body_too_large": "send fewer or shorter variables: the request body is 8000 bytes of UTF-8 JSON at most",
    "more_problems": "correct those that are listed first",
}
"""Every class of refusal of this stage, and what the producer should do."""

NORMALIZATIONS = ("phone_number_plus", "operator_id_not_positive", "null_value", "empty_scope")
"""What is put right without a refusal, because it harms nobody. Null operators and empty variables are defaults."""

_NATIONAL_NUMBER = re.compile(r"0[0-9]{5,17}").fullmatch
_KEY = re.compile(r"[A-Za-z_\-.]{1,255}").fullmatch
_KEY_WITH_DIGITS = re.compile(r"[A-Za-z0-9_\-.]{1,255}").fullmatch
_NOT_BMP = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]").search
_KEYS_REMEMBERED = 4096

Scope = dict[str, str | int | float]
Named = tuple[str, int]  # a producer's name and its place, from 1, for when the name cannot be shown


class InvokeRequest(NamedTuple):
    """What is posted: `service_id` goes into the path, `body` is JSON. `normalizations` names what was put right."""

    service_id: str
    body: bytes
    normalizations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What the settings leave open. `service_ids`: upper case → as listed, None for any.

    Reserved words and built-in variables are compared without case; a built-in one is refused with its scope in
    the key (`USER.Id` in any scope) and without it (`id` in scope `user`).
    """

    service_ids: Mapping[str, str] | None
    digits_in_keys: bool = False
    native_values: bool = False
    reserved_words: frozenset[str] = RESERVED_WORDS
    built_in_variables: frozenset[str] = BUILT_IN_VARIABLES
    judge_key: Callable[[str, str], tuple[str, str | None]] = field(init=False, repr=False, compare=False)
    """(scope in lower case, key) → (key in lower case, class of its problem or None), remembered: keys repeat."""
    has_good_keys: Callable[[str, tuple[str, ...]], bool] = field(init=False, repr=False, compare=False)
    """Whether this is a scope in lower case, and nothing is wrong with any of its keys. Remembered, too."""
    is_listed: Callable[[str], object] = field(init=False, repr=False, compare=False)
    """Whether a service id is sent as it is."""

    def __post_init__(self) -> None:
        reserved = frozenset(map(str.lower, self.reserved_words))
        built_in = frozenset(map(str.lower, self.built_in_variables))
        forbidden = {
            scope: reserved | built_in | {name.removeprefix(f"{scope}.") for name in built_in} for scope in SCOPES
        }
        object.__setattr__(self, "reserved_words", reserved)
        object.__setattr__(self, "built_in_variables", built_in)
        well_formed = _KEY_WITH_DIGITS if self.digits_in_keys else _KEY

        def judge(scope: str, key: str) -> tuple[str, str | None]:
            folded = key.lower()
            if not well_formed(key):
                return folded, "bad_key"
            if folded not in forbidden.get(scope, reserved):
                return folded, None
            return folded, "reserved_key" if folded in reserved else "built_in_key"

        judge_key = lru_cache(_KEYS_REMEMBERED)(judge)

        def has_good_keys(scope: str, keys: tuple[str, ...]) -> bool:
            judged = [judge_key(scope, key) for key in keys]
            return scope in SCOPES and not any(wrong for _, wrong in judged) and len(dict(judged)) == len(keys) > 0

        listed = None if self.service_ids is None else frozenset(self.service_ids.values())
        object.__setattr__(self, "judge_key", judge_key)
        object.__setattr__(self, "has_good_keys", lru_cache(_KEYS_REMEMBERED)(has_good_keys))
        object.__setattr__(self, "is_listed", is_service_id if listed is None else listed.__contains__)


def build(event: InvocationEvent, rules: RequestRules) -> InvokeRequest | Refusal:
    """Return the request that asks for what the event says, or a refusal with every problem of it.

    Scopes are sent in lower case, the only spelling in the vendor's examples; keys and service id as written
    (a listed service id as listed). What would not be sent, a null value or an empty scope, is not judged either.
    """
    body = usual_body(event, rules.is_listed, rules.has_good_keys)
    return judged(event, rules) if body is None else made(InvokeRequest, (event.service_id, body, ()))


def judged(event: InvocationEvent, rules: RequestRules) -> InvokeRequest | Refusal:
    """What `build` returns, value by value."""
    found = Findings(REMEDIES)
    if not is_event_id(event.event_id):
        found.problem("bad_event_id", "eventId", shape(event.event_id))
    service_id = _service_id(event, rules, found)
    content: dict[str, object] = {"endUser": _end_user(event, found)}
    _check_time("createdAt", event.created_at_ms, found)
    _check_time("expiresAt", event.expires_at_ms, found)
    variables = _variables(event.variables, rules, found)
    if variables:
        content["variables"] = variables
    body = orjson.dumps(content)
    if len(body) > MAX_BODY:
        found.problem("body_too_large", "variables", f"body of {len(body)} bytes")
    if found.problems:
        return found.refusal()
    return InvokeRequest(service_id, body, tuple(found.normalizations))


def _service_id(event: InvocationEvent, rules: RequestRules, found: Findings) -> str:
    service_id = event.service_id
    if not is_service_id(service_id):
        found.problem("bad_service_id", "serviceId", _shown(service_id, event))
    elif rules.service_ids is not None:
        listed = rules.service_ids.get(service_id.upper())
        if listed is not None:
            return listed
        found.problem("service_id_not_allowed", "serviceId", _shown(service_id, event))
    return service_id


def _shown(service_id: str, event: InvocationEvent) -> str:
    safe = safe_service_id(service_id, event.phone_number)
    return shape(service_id) if safe is None else repr(safe)


def _end_user(event: InvocationEvent, found: Findings) -> dict[str, object]:
    number = event.phone_number
    if number.startswith("+"):
        number = number[1:]
        found.normalized("phone_number_plus")
    end_user: dict[str, object] = {}
    if is_phone_number(number):
        end_user["phoneNumber"] = number
    else:
        code = "national_phone_number" if _NATIONAL_NUMBER(number) else "bad_phone_number"
        found.problem(code, "phoneNumber", shape(event.phone_number))
    operator = event.mobile_operator_id
    if operator is None:
        return end_user
    if operator <= 0:
        found.normalized("operator_id_not_positive")
    elif is_exact(operator):
        end_user["mobileOperatorId"] = operator
    else:
        found.problem("number_out_of_range", "mobileOperatorId", shape(operator))
    return end_user


def _check_time(name: str, time_ms: int | None, found: Findings) -> None:
    if time_ms is not None and not is_plausible(time_ms):
        found.problem("bad_time", name, shape(time_ms))


def _variables(variables: Variables, rules: RequestRules, found: Findings) -> dict[str, Scope]:
    sent: dict[str, Scope] = {}
    for place, (name, keys) in enumerate(variables.items(), 1):
        has_null = None in keys.values()
        if has_null:
            found.normalized("null_value")
        if not keys or (has_null and set(keys.values()) == {None}):
            found.normalized("empty_scope")
            continue
        scope, named = name.lower(), (name, place)
        values = _scope(named, scope, keys, rules, found)
        if scope not in SCOPES:
            found.problem("unknown_scope", _path(named), shape(name))
        elif scope in sent:
            found.problem("duplicate_scope", _path(named), shape(name))
        else:
            sent[scope] = values
    return sent


def _scope(named: Named, scope: str, keys: Mapping[str, Value], rules: RequestRules, found: Findings) -> Scope:
    values: Scope = {}
    taken: set[str] = set()
    judge = rules.judge_key
    for place, (key, value) in enumerate(keys.items(), 1):
        if value is None:
            continue
        folded, wrong_key = judge(scope, key)
        if folded in taken and wrong_key != "bad_key":
            wrong_key = "duplicate_key"
        taken.add(folded)
        # The plain case of _value_problem, without the call: nearly every value is short ASCII text.
        plain = type(value) is str and len(value) <= MAX_VALUE and value.isascii()
        wrong_value = None if plain else _value_problem(value)
        if wrong_key is not None:
            found.problem(wrong_key, _path(named, (key, place)), shape(key))
        if wrong_value is not None:
            found.problem(wrong_value, _path(named, (key, place)), shape(value))
        elif wrong_key is None:
            values[key] = value if isinstance(value, str) else _written(value, rules.native_values)
    return values


def _path(*names: Named) -> str:
    return ".".join(["variables", *(safe_name(name, place) for name, place in names)])


def _value_problem(value: str | int | float) -> str | None:
    if isinstance(value, str):
        if len(value) > MAX_VALUE:
            return "value_too_long"
        return None if value.isascii() or not _NOT_BMP(value) else "value_not_bmp"
    if isinstance(value, float) and not math.isfinite(value):
        return "value_not_finite"
    return None if is_exact(value) else "number_out_of_range"


def _written(value: float, native: bool) -> str | float:
    return value if native and type(value) is not bool else value_text(value)
