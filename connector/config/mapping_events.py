"""The events of a mapping, read from YAML: every problem at once, each with its place and what can stand there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from connector.config.mapping_functions import FUNCTIONS, as_entry, step_at
from connector.config.mapping_places import QUOTES, At, path_at, scalar_at
from connector.core.event import FIELD_NAMES
from connector.core.mapping.errors import LEAVE_OUT
from connector.core.mapping.rules import Condition, Constant, Event, First, From, Join, Source, constants, stands_in
from connector.core.mapping.steps import Step
from connector.core.request import SCOPES
from connector.core.service_id import is_service_id

NO_EVENT = "must list at least one event"
_REQUIRED = ("eventId", "serviceId", "phoneNumber")
_TEXTS_ONLY = frozenset(_REQUIRED)
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*").fullmatch
_T = TypeVar("_T")
_P = ParamSpec("_P")


def events_of(given: object) -> tuple[Event, ...]:
    """Read the list of events. Raises ValueError with every problem, one a line."""
    if isinstance(given, tuple) and all(isinstance(each, Event) for each in given):
        return given
    problems: list[str] = []
    all_of_them = _tried(problems, _listed, At("", given), "events") or []
    found = [event for at in all_of_them if (event := _event(at, problems)) is not None]
    if not (found or problems):
        problems.append(NO_EVENT)
    unconditional: set[str | None] = set()
    for number, event in enumerate(found):
        if event.schema in unconditional:
            problems.append(f"[{number}]: is never reached: one before it takes everything of its schema")
        if not event.when:
            unconditional.add(event.schema)
    if problems:
        raise ValueError("\n".join(problems))
    return tuple(found)


_EVENT = ("schema", "when", "json", *FIELD_NAMES)


def _event(at: At, problems: list[str]) -> Event | None:
    before = len(problems)
    given = _tried(problems, at.mapping, _EVENT, "a mapping: schema, eventId, serviceId, phoneNumber, …")
    if given is None:
        return None
    problems += (f"{at.place}.{name}: is missing, and every event needs it" for name in _REQUIRED if name not in given)
    schema = _tried(problems, _schema, at)
    when = [_tried(problems, _condition, each) for each in _some(at, "when", "conditions", problems)]
    json = [_tried(problems, path_at, each) for each in _some(at, "json", "paths", problems)]
    sources: dict[str, Source | None] = {}
    for name in FIELD_NAMES:
        if name == "variables" and name in given:
            sources |= _variables(at.inside(name), problems)
        elif name in given:
            sources[name] = _tried(problems, _field, at.inside(name), name)
    if len(problems) > before:
        return None
    return Event(schema, tuple(filter(None, when)), tuple(filter(None, json)), {k: v for k, v in sources.items() if v})


def _some(at: At, key: str, what: str, problems: list[str]) -> list[At]:
    if key not in at.given:
        return []
    return _tried(problems, _listed, at.inside(key), what) or []


def _listed(at: At, what: str) -> list[At]:
    return list(at.items(what))


def _tried(problems: list[str], read: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T | None:
    """What was read, or None with one problem more."""
    try:
        return read(*given, **named)
    except ValueError as error:
        problems.append(str(error))
        return None


def _schema(at: At) -> str | None:
    name = at.given.get("schema")
    if name is None:
        return None
    if not isinstance(name, str) or not _NAME(name):
        raise at.inside("schema").wrong("must be the full name of a record, such as com.example.Booking")
    return name


def _condition(at: At) -> Condition:
    known = ("path", "is", "not", "present", "differs_from")
    given = at.mapping(known, "a mapping: path, and one of is, not, present and differs_from")
    if "path" not in given or len(given) != 2:
        raise at.wrong("needs path, and one of is, not, present and differs_from")
    path = path_at(at.inside("path"))
    if "present" in given:
        if not isinstance(given["present"], bool):
            raise at.inside("present").wrong("must be true or false")
        return Condition(path, present=given["present"])
    if "differs_from" in given:
        return Condition(path, differs_from=path_at(at.inside("differs_from")))
    key = "is" if "is" in given else "not"
    inside = at.inside(key)
    values = tuple(map(scalar_at, inside.items("values"))) if isinstance(given[key], list) else (scalar_at(inside),)
    if not values:
        raise inside.wrong("must have a value")
    return Condition(path, one_of=values) if key == "is" else Condition(path, none_of=values)


def _variables(at: At, problems: list[str]) -> dict[str, Source | None]:
    found: dict[str, Source | None] = {}
    scopes = tuple(sorted(SCOPES))
    for scope in _tried(problems, at.mapping, scopes, f"a mapping of {', '.join(scopes)}") or ():
        keys = at.inside(scope)
        if not isinstance(keys.given, dict):
            problems.append(str(keys.wrong("must be a mapping of keys to where their values come from")))
            continue
        for key in keys.given:
            name = f"variables.{scope}.{key}"
            if not isinstance(key, str):
                problems.append(str(keys.wrong(f"has the key {key}, which {QUOTES.format('no text')}")))
            else:
                found[name] = _tried(problems, _field, keys.inside(key), name)
    return found


def _field(at: At, name: str) -> Source:
    source = _source(at)
    for constant in constants(source):
        if name in _TEXTS_ONLY and not isinstance(constant, str | None):
            raise at.wrong(f"has a value that {QUOTES.format('no text')}")
        if name == "serviceId" and isinstance(constant, str) and not is_service_id(constant):
            raise at.wrong("has a value that is no service id: 1 to 64 hexadecimal digits")
    if name in ("eventId", "phoneNumber") and stands_in(source):
        _refuse_stand_in(at, name, source)
    if name == "phoneNumber":
        _refuse_shortened(at, source)
    return source


def _refuse_stand_in(at: At, name: str, source: Source) -> None:
    """A number may be the same for every event, or one of a table; but no one else's for who has none."""
    is_constant = isinstance(source.origin, Constant)
    if name == "eventId" and is_constant:
        raise at.wrong("is the same for every event: it needs a path")
    if name == "phoneNumber" and (is_constant or (source.then and source.then[-1].table is not None)):
        return
    shared = "events without an id would be one event" if name == "eventId" else "all without a number would go to it"
    raise at.wrong(f"has a default, and {shared}; {LEAVE_OUT.format('…')}")


_SHORTENED = {
    "truncate": "has truncate, and what is left of a longer number is somebody else's",
    "number": "has number, which drops leading zeros, and then it is somebody else's: use digits or phone",
}


def _refuse_shortened(at: At, source: Source) -> None:
    """Before a look-up both are harmless: what counts is in the table."""
    for step in reversed(source.then):
        if step.table is not None:
            return
        if (why := _SHORTENED.get(step.says.split()[0])) is not None:
            raise at.wrong(why)
    if isinstance(source.origin, Join | First):
        for part in source.origin.parts:
            _refuse_shortened(at, part)


_SOURCE = ("path", "optional", "value", "join", "with", "first", "then", "default")
_HOW = "must be a path, or a mapping: path, value, join or first; then and default"


def _source(at: At) -> Source:
    if isinstance(at.given, str):
        return Source(From(path_at(at)))
    if isinstance(at.given, dict) and (called := [key for key in at.given if key in FUNCTIONS]):
        raise at.wrong(f"has the key {called[0]}, which is a function: then: [{as_entry(called[0])}]")
    given = at.mapping(_SOURCE, _HOW.removeprefix("must be "))
    kinds = [kind for kind in ("path", "value", "join", "first") if kind in given]
    if len(kinds) != 1:
        raise at.wrong(_HOW)
    for key, needs in (("optional", "path"), ("with", "join")):
        if key in given and needs not in given:
            raise at.wrong(f"has {key} without {needs}")
    then = tuple(_steps(at, has_default="default" in given)) if "then" in given else ()
    return Source(_origin(at, kinds[0]), then, _default(at.inside("default")) if "default" in given else None)


def _steps(at: At, *, has_default: bool) -> Iterator[Step]:
    for each in at.inside("then").items("functions"):
        step = step_at(each)
        if step.table is not None and "default" in step.table and not has_default:
            raise each.inside("lookup").wrong(
                "has the key default, which is one of the values here: the default stands beside then, and where there "
                "is one, default may be a value, too"
            )
        yield step


def _default(at: At) -> Constant:
    return Constant(None if at.given is None else scalar_at(at))


def _origin(at: At, kind: str) -> From | Constant | Join | First:
    inside = at.inside(kind)
    match kind:
        case "path":
            optional = at.given.get("optional", False)
            if not isinstance(optional, bool):
                raise at.inside("optional").wrong("must be true or false")
            return From(path_at(inside), optional)
        case "value":
            return Constant(scalar_at(inside))
        case "join":
            separator = at.given.get("with", "")
            if not isinstance(separator, str):
                raise at.inside("with").wrong("must be a text; put it in quotes")
            return Join(tuple(map(_source, inside.items("sources"))), separator)
    return First(tuple(map(_source, inside.items("sources"))))
