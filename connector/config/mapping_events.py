"""The events of a mapping, read from YAML: every problem at once, each with its place and what can stand there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, ParamSpec, TypeVar

from connector.config.units import parse_duration
from connector.core.event import FIELD_NAMES
from connector.core.mapping import phones, steps, times
from connector.core.mapping.paths import Path, path_of
from connector.core.mapping.rules import Condition, Constant, Event, First, From, Join, Source
from connector.core.mapping.steps import Scalar, Step
from connector.core.request import SCOPES
from connector.core.service_id import is_service_id

NO_EVENT = "must list at least one event"
_REQUIRED = ("eventId", "serviceId", "phoneNumber")
_TEXTS_ONLY = frozenset(_REQUIRED)
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*").fullmatch
_QUOTES = "reads as {} in YAML: put it in quotes"
_LONGEST = 4096
_T = TypeVar("_T")
_P = ParamSpec("_P")


class _WrongError(ValueError):
    """Something that cannot be read, at its place."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}" if place else text)


class _At(NamedTuple):
    """A part of the tree, and how somebody finds it in the file."""

    place: str
    given: Any

    def wrong(self, text: str) -> _WrongError:
        return _WrongError(self.place, text)

    def inside(self, key: str | int) -> _At:
        joint = f"[{key}]" if isinstance(key, int) else f".{key}" if self.place else key
        return _At(f"{self.place}{joint}", self.given[key])

    def mapping(self, known: tuple[str, ...], what: str) -> dict[str, Any]:
        """A mapping whose keys are all known."""
        if not isinstance(self.given, dict):
            raise self.wrong(f"must be {what}")
        for key in self.given:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
                raise self.wrong(f"has the unknown key {key if str(key).isprintable() else ascii(key)}; {hint}")
        return self.given

    def items(self, what: str) -> Iterator[_At]:
        """The entries of a list."""
        if not isinstance(self.given, list):
            raise self.wrong(f"must be a list of {what}")
        return (self.inside(number) for number in range(len(self.given)))


def events_of(given: object) -> tuple[Event, ...]:
    """Read the list of events. Raises ValueError with every problem, one a line."""
    if isinstance(given, tuple) and all(isinstance(each, Event) for each in given):
        return given
    problems: list[str] = []
    all_of_them = _tried(problems, _listed, _At("", given), "events") or []
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


def _event(at: _At, problems: list[str]) -> Event | None:
    before = len(problems)
    given = _tried(problems, at.mapping, _EVENT, "a mapping: schema, eventId, serviceId, phoneNumber, …")
    if given is None:
        return None
    problems += (f"{at.place}.{name}: is missing, and every event needs it" for name in _REQUIRED if name not in given)
    schema = _tried(problems, _schema, at)
    when = [_tried(problems, _condition, each) for each in _some(at, "when", "conditions", problems)]
    json = [_tried(problems, _path, each) for each in _some(at, "json", "paths", problems)]
    sources: dict[str, Source | None] = {}
    for name in FIELD_NAMES:
        if name == "variables" and name in given:
            sources |= _variables(at.inside(name), problems)
        elif name in given:
            sources[name] = _tried(problems, _field, at.inside(name), name)
    if len(problems) > before:
        return None
    return Event(schema, tuple(filter(None, when)), tuple(filter(None, json)), {k: v for k, v in sources.items() if v})


def _some(at: _At, key: str, what: str, problems: list[str]) -> list[_At]:
    if key not in at.given:
        return []
    return _tried(problems, _listed, at.inside(key), what) or []


def _listed(at: _At, what: str) -> list[_At]:
    return list(at.items(what))


def _tried(problems: list[str], read: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T | None:
    """What was read, or None with one problem more."""
    try:
        return read(*given, **named)
    except ValueError as error:
        problems.append(str(error))
        return None


def _schema(at: _At) -> str | None:
    name = at.given.get("schema")
    if name is None:
        return None
    if not isinstance(name, str) or not _NAME(name):
        raise at.inside("schema").wrong("must be the full name of a record, such as com.example.Booking")
    return name


def _condition(at: _At) -> Condition:
    known = ("path", "is", "not", "present", "differs_from")
    given = at.mapping(known, "a mapping: path, and one of is, not, present and differs_from")
    if "path" not in given or len(given) != 2:
        raise at.wrong("needs path, and one of is, not, present and differs_from")
    path = _path(at.inside("path"))
    if "present" in given:
        if not isinstance(given["present"], bool):
            raise at.inside("present").wrong("must be true or false")
        return Condition(path, present=given["present"])
    if "differs_from" in given:
        return Condition(path, differs_from=_path(at.inside("differs_from")))
    key = "is" if "is" in given else "not"
    inside = at.inside(key)
    values = tuple(map(_scalar, inside.items("values"))) if isinstance(given[key], list) else (_scalar(inside),)
    if not values:
        raise inside.wrong("must have a value")
    return Condition(path, one_of=values) if key == "is" else Condition(path, none_of=values)


def _variables(at: _At, problems: list[str]) -> dict[str, Source | None]:
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
                problems.append(str(keys.wrong(f"has the key {key}, which {_QUOTES.format('no text')}")))
            else:
                found[name] = _tried(problems, _field, keys.inside(key), name)
    return found


def _field(at: _At, name: str) -> Source:
    source = _source(at)
    for constant in _constants(source):
        if name in _TEXTS_ONLY and not isinstance(constant, str | None):
            raise at.wrong(f"has a value that {_QUOTES.format('no text')}")
        if name == "serviceId" and isinstance(constant, str) and not is_service_id(constant):
            raise at.wrong("has a value that is no service id: 1 to 64 hexadecimal digits")
    return source


def _constants(source: Source) -> Iterator[Scalar | None]:
    """What can come out as it stands in the file."""
    if isinstance(source.origin, Constant) and not source.then:
        yield source.origin.value
    if isinstance(source.origin, First):
        for part in source.origin.parts:
            yield from _constants(part)
    if source.then and source.then[-1].table is not None:
        yield from source.then[-1].table.values()
    if source.default is not None:
        yield source.default.value


_SOURCE = ("path", "optional", "value", "join", "with", "first", "then", "default")
_HOW = "must be a path, or a mapping: path, value, join or first; then and default"


def _source(at: _At) -> Source:
    if isinstance(at.given, str):
        return Source(From(_path(at)))
    given = at.mapping(_SOURCE, _HOW.removeprefix("must be "))
    kinds = [kind for kind in ("path", "value", "join", "first") if kind in given]
    if len(kinds) != 1:
        raise at.wrong(_HOW)
    for key, needs in (("optional", "path"), ("with", "join")):
        if key in given and needs not in given:
            raise at.wrong(f"has {key} without {needs}")
    then = tuple(map(_step, at.inside("then").items("functions"))) if "then" in given else ()
    return Source(_origin(at, kinds[0]), then, _default(at.inside("default")) if "default" in given else None)


def _default(at: _At) -> Constant:
    return Constant(None if at.given is None else _scalar(at))


def _origin(at: _At, kind: str) -> From | Constant | Join | First:
    inside = at.inside(kind)
    match kind:
        case "path":
            optional = at.given.get("optional", False)
            if not isinstance(optional, bool):
                raise at.inside("optional").wrong("must be true or false")
            return From(_path(inside), optional)
        case "value":
            return Constant(_scalar(inside))
        case "join":
            separator = at.given.get("with", "")
            if not isinstance(separator, str):
                raise at.inside("with").wrong("must be a text; put it in quotes")
            return Join(tuple(map(_source, inside.items("sources"))), separator)
    return First(tuple(map(_source, inside.items("sources"))))


def _step(at: _At) -> Step:
    name, argument = at.given, None
    if isinstance(at.given, dict) and len(at.given) == 1:
        name = next(iter(at.given))
        argument = at.inside(name)
    known = _WITH if argument is not None else _PLAIN
    if not isinstance(name, str) or name not in known:
        raise at.wrong(_unknown(name, with_argument=argument is not None))
    return _WITH[name](argument) if argument is not None else _PLAIN[name]()


def _unknown(name: object, *, with_argument: bool) -> str:
    if isinstance(name, str) and name in _WITH and not with_argument:
        return f"needs an argument: {name}: …"
    if isinstance(name, str) and name in _PLAIN:
        return f"takes no argument: {name}"
    known = [*_PLAIN, *_WITH]
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"is no function; {f'did you mean {near[0]}?' if near else 'there are ' + ', '.join(known)}"


def _truncate(at: _At) -> Step:
    if type(at.given) is not int or not 1 <= at.given <= _LONGEST:
        raise at.wrong(f"must be a number of characters, 1 to {_LONGEST}")
    return steps.truncate(at.given)


def _lookup(at: _At) -> Step:
    if not isinstance(at.given, dict) or not at.given:
        raise at.wrong("must be a mapping of values to what they become")
    for key in at.given:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise at.wrong(f"has the key {str(key).lower()}, which {_QUOTES.format('no text')}")
    return steps.lookup({str(key): _scalar(at.inside(key)) for key in at.given})


def _phone(at: _At) -> Step:
    if isinstance(at.given, dict):
        given = at.mapping(("region", "region_from"), "a region, or a mapping: region, region_from")
        region = at.inside("region") if "region" in given else None
        other = _path(at.inside("region_from")) if "region_from" in given else None
    else:
        region, other = at, None
    if region is not None:
        _said(region, phones.check_region, "must be a region of two letters, such as DE (in quotes: NO is false)")
    return steps.phone(None if region is None else region.given, other)


def _time(at: _At) -> Step:
    layout, zone, zone_from = _layout(at, (times.ISO, *times.PER_MS))
    return _made(at, lambda: steps.time(layout, zone, zone_from))


def _format_time(at: _At) -> Step:
    layout, zone, zone_from = _layout(at, ())
    return _made(at, lambda: steps.format_time(layout, zone, zone_from))


def _layout(at: _At, named: tuple[str, ...]) -> tuple[str, str | None, Path | None]:
    inside, zone, zone_from = at, None, None
    if isinstance(at.given, dict):
        given = at.mapping(("format", "zone", "zone_from"), "a format, or a mapping: format, zone, zone_from")
        if "format" not in given:
            raise at.wrong("needs a format")
        inside = at.inside("format")
        zone = at.inside("zone").given if "zone" in given else None
        zone_from = _path(at.inside("zone_from")) if "zone_from" in given else None
    if zone is not None and not isinstance(zone, str):
        raise at.inside("zone").wrong("must be a zone, such as Europe/Berlin")
    if inside.given not in named:
        words = f"{', '.join(named)}, or a layout of strptime" if named else "a layout of strftime, such as %H:%M"
        _said(inside, lambda text: times.check_format(text, reading=bool(named)), f"must be {words}")
    return inside.given, zone, zone_from


def _later(sign: int, word: str) -> Callable[[_At], Step]:
    def step(at: _At) -> Step:
        ms = _made(at, lambda: round(parse_duration(at.given) * 1000))
        return steps.plus(f"{word} {at.given}", sign * ms)

    return step


_PLAIN: Mapping[str, Callable[[], Step]] = {
    "digits": steps.digits,
    "lower": steps.lower,
    "upper": steps.upper,
    "trim": steps.trim,
    "text": steps.text,
    "number": steps.number,
}
_WITH: Mapping[str, Callable[[_At], Step]] = {
    "phone": _phone,
    "time": _time,
    "format_time": _format_time,
    "plus": _later(1, "plus"),
    "minus": _later(-1, "minus"),
    "lookup": _lookup,
    "truncate": _truncate,
}
FUNCTIONS = (*_PLAIN, *_WITH)
"""Every function that `then` knows."""


def _path(at: _At) -> Path:
    if not isinstance(at.given, str):
        raise at.wrong("must be a path, such as booking.passenger.phone")
    return _made(at, lambda: path_of(at.given))


def _scalar(at: _At) -> Scalar:
    if not isinstance(at.given, str | int | float | bool):
        raise at.wrong("must be a text, a number, true or false")
    return at.given


def _said(at: _At, check: Callable[[str], None], otherwise: str) -> None:
    if not isinstance(at.given, str):
        raise at.wrong(otherwise)
    _made(at, lambda: check(at.given))


def _made(at: _At, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except ValueError as error:
        raise at.wrong(str(error)) from None
