"""Decoded Avro fields → invocation event: what upstream asked for, its types checked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Any, NamedTuple

from connector.core.made import made
from connector.core.redact import safe_name, shape
from connector.core.refusal import Problem, Refusal, Stage

Value = None | str | int | float | bool
Variables = Mapping[str, Mapping[str, Value]]


class InvocationEvent(NamedTuple):
    """One request of a producer to start a service for one end user. Times are ms since the epoch."""

    event_id: str
    service_id: str
    phone_number: str
    mobile_operator_id: int | None
    variables: Variables
    created_at_ms: int | None
    expires_at_ms: int | None


MISSING_FIELD = "missing_field"
WRONG_TYPE = "wrong_type"
EVENT_CODES = frozenset({MISSING_FIELD, WRONG_TYPE})
"""Classes of refusals of this stage."""

_FIELDS: dict[str, tuple[type, ...]] = {
    "eventId": (str,),
    "serviceId": (str,),
    "phoneNumber": (str,),
    "mobileOperatorId": (int, NoneType),
    "variables": (dict, NoneType),
    "createdAt": (int, NoneType),
    "expiresAt": (int, NoneType),
}
FIELD_NAMES = tuple(_FIELDS)
"""The fields of an event, as producers write them."""

_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    int: "a long",
    float: "a double",
    bool: "a boolean",
    dict: "a map",
    NoneType: "null",
}
_VALUE_TYPES = (str, int, float, bool, NoneType)
_VALUES = frozenset(_VALUE_TYPES)

_MOST_PROBLEMS = 32  # enough to correct an event by, and few enough for a log line


def event_from(fields: Mapping[str, object]) -> InvocationEvent | Refusal:
    """Return the event, or a refusal that names what has a wrong type. Times are longs: ms since the epoch.

    Fields that are not ours are ignored; absent optional ones are null, absent variables empty. Of more than 32
    problems the first 32 are named.
    """
    get = fields.get
    event_id, service_id, number = get("eventId"), get("serviceId"), get("phoneNumber")
    operator, variables = get("mobileOperatorId"), get("variables")
    created, expires = get("createdAt"), get("expiresAt")
    if (
        type(event_id) is str
        and type(service_id) is str
        and type(number) is str
        and (operator is None or type(operator) is int)
        and (created is None or type(created) is int)
        and (expires is None or type(expires) is int)
        and (variables is None or (type(variables) is dict and _well_typed(variables)))
    ):
        return made(InvocationEvent, (event_id, service_id, number, operator, variables or {}, created, expires))
    return Refusal(Stage.EVENT, tuple(itertools.islice(_problems(fields), _MOST_PROBLEMS)))


def _well_typed(variables: dict[Any, Any]) -> bool:
    for scope, keys in variables.items():
        if type(scope) is not str or type(keys) is not dict:
            return False
        for key, value in keys.items():
            if type(key) is not str or (type(value) is not str and type(value) not in _VALUES):
                return False
    return True


def _problems(fields: Mapping[str, object]) -> Iterator[Problem]:
    for name, types in _FIELDS.items():
        value = fields.get(name)
        if value is None and NoneType not in types:
            yield Problem(MISSING_FIELD, name, "absent or null", f"write {_names(types)}")
        elif type(value) not in types:
            yield _wrong(name, value, types)
        elif type(value) is dict:
            yield from _problems_in_scopes(value)


def _problems_in_scopes(variables: dict[object, object]) -> Iterator[Problem]:
    for place, (scope, keys) in enumerate(variables.items(), 1):
        path = f"variables.{safe_name(scope, place)}"
        if type(scope) is not str:
            yield _wrong(path, scope, (str,))
        if type(keys) is not dict:
            yield _wrong(path, keys, (dict,))
            continue
        for number, (key, value) in enumerate(keys.items(), 1):
            if type(key) is not str:
                yield _wrong(f"{path}.{safe_name(key, number)}", key, (str,))
            if type(value) not in _VALUES:
                yield _wrong(f"{path}.{safe_name(key, number)}", value, _VALUE_TYPES)


def _wrong(field: str, value: object, types: Iterable[type]) -> Problem:
    return Problem(WRONG_TYPE, field, shape(value), f"write {_names(types)}")


def _names(types: Iterable[type]) -> str:
    return " or ".join(_TYPE_NAMES[kind] for kind in types)
