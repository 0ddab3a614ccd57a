"""A mapping for one writer's schema: checked once, then plain calls for each event."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

import orjson

from connector.core.event import FIELD_NAMES
from connector.core.mapping import chains, steps
from connector.core.mapping.chains import Chain, MisfitError, Target, Texts, chain_of
from connector.core.mapping.errors import (
    BAD_VALUE,
    CONDITION,
    NOT_OURS,
    NULL,
    OTHER_TYPE,
    Misfit,
    NotOurs,
    UnmappableError,
)
from connector.core.mapping.paths import Fields, Get, Path, getter, type_around
from connector.core.mapping.rules import Condition, Event, Rules
from connector.core.mapping.types import ANYTHING, Kind, Leaf, Type, resolved
from connector.core.record import Record
from connector.core.redact import safe_name, shape
from connector.core.refusal import Problem, Refusal, Stage

_REQUIRED = ("eventId", "serviceId", "phoneNumber")
_TARGETS = {
    "eventId": chains.TEXT,
    "serviceId": chains.TEXT,
    "phoneNumber": chains.TEXT,
    "mobileOperatorId": chains.INTEGER,
    "createdAt": chains.TIME,
    "expiresAt": chains.TIME,
}
_MOST_PROBLEMS = 32  # as of an event of ours


def target_of(field: str) -> Target:
    """What a field of ours takes, by its path."""
    return _TARGETS.get(field, chains.VARIABLE)


class Test(NamedTuple):
    """A condition that can be asked."""

    condition: Condition
    get: Get
    types: frozenset[type]

    def holds(self, fields: Fields, record: Record) -> bool:
        """Whether the event is one of these."""
        value, (_, one_of, none_of, present) = self.get(fields, record), self.condition
        if present is not None:
            return (value is not None) is present
        if one_of is not None:
            return type(value) in self.types and value in one_of
        return not (type(value) in self.types and value in (none_of or ()))


class EventMap:
    """One kind of event, checked against a schema. Raises MisfitError with every problem, one a line."""

    def __init__(self, event: Event, whole: Type) -> None:
        self.event = event
        problems: list[str] = []
        texts: Texts = frozenset(path.parts for path in event.json)
        for path in event.json:
            problems += _no_text(path, whole, texts - {path.parts})
        self.tests = tuple(filter(None, (_test(each, whole, texts, problems) for each in event.when)))
        self.chains: dict[str, Chain] = {}
        for field, source in event.sources.items():
            try:
                self.chains[field] = chain_of(source, target_of(field), whole, texts)
            except MisfitError as error:
                problems.append(f"{field}: {error}")
        if problems:
            raise MisfitError("\n".join(problems))
        self._holds = tuple(test.holds for test in self.tests)
        self._openers = tuple((path, path.parts[-1], _around_text(path)) for path in event.json)
        self.is_for_all = not (self.tests or self._openers)
        """Whether nothing is to be asked of a record, and nothing to be opened."""
        self._required = tuple((name, self.chains[name].get) for name in _REQUIRED)
        simple = [name for name in self.chains if name in _TARGETS and name not in _REQUIRED]
        self._optional = tuple((name, self.chains[name].get) for name in simple)
        self._scopes = self._variables()

    def takes(self, fields: Fields, record: Record) -> bool:
        """Whether every condition holds. Opens the texts that hold JSON."""
        for _, name, around in self._openers:
            _open(fields, record, name, around)
        for holds in self._holds:  # noqa: SIM110 - a generator for each record costs more than all it asks
            if not holds(fields, record):
                return False
        return True

    def make(self, fields: Fields, record: Record) -> Fields | Refusal:
        """Our fields, or a refusal with every problem."""
        found: Fields = dict.fromkeys(FIELD_NAMES)
        try:
            for name, get in self._required:
                found[name] = value = get(fields, record)
                if value is None:
                    return self._refused(fields, record)
            for name, get in self._optional:
                found[name] = get(fields, record)
            found["variables"] = variables = {}
            for scope, keys in self._scopes:
                values = {key: value for key, get in keys if (value := get(fields, record)) is not None}
                if values:
                    variables[scope] = values
        except UnmappableError:
            return self._refused(fields, record)
        return found

    def _variables(self) -> tuple[tuple[str, tuple[tuple[str, Get], ...]], ...]:
        scopes: dict[str, list[tuple[str, Get]]] = {}
        for field, chain in self.chains.items():
            if field not in _TARGETS:
                _, scope, key = field.split(".", 2)
                scopes.setdefault(scope, []).append((key, chain.get))
        return tuple((scope, tuple(keys)) for scope, keys in scopes.items())

    def _refused(self, fields: Fields, record: Record) -> Refusal:
        problems = [*self._not_json(fields, record)]
        for field, chain in self.chains.items():
            try:
                value = chain.get(fields, record)
            except UnmappableError as error:
                problems.append(Problem(error.code, _shown(field, chain), error.shape, error.remedy))
                continue
            if value is None and field in _REQUIRED:
                problems.append(Problem(NULL, _shown(field, chain), "null", "write it, or give the mapping a default"))
        return Refusal(Stage.EVENT, tuple(problems[:_MOST_PROBLEMS]))

    def _not_json(self, fields: Fields, record: Record) -> Iterator[Problem]:
        for path, name, around in self._openers:
            value = _at(around(fields, record), name)
            if type(value) in (str, bytes):
                yield Problem(BAD_VALUE, str(path), f"{shape(value)} that is no JSON", "write JSON")


class Compiled:
    """What one writer's schema becomes. `wanted` is what of it has to be read."""

    def __init__(self, rules: Rules, name: str | None, events: tuple[EventMap, ...]) -> None:
        self.name = name
        self.events = events
        self._not_ours = others(rules, name, CONDITION)

    def of(self, fields: Fields, record: Record) -> Fields | Refusal | NotOurs:
        """The fields of our event; or why there is none. `fields` are the producer's, and are changed where a text that
        holds JSON is opened. Never raises."""
        for event in self.events:
            if event.is_for_all or event.takes(fields, record):
                return event.make(fields, record)
        return self._not_ours


def compiled(rules: Rules, name: str | None, whole: Type = ANYTHING) -> Compiled | Misfit | None:
    """The mapping of a schema of this name; None: it has none.

    `name` is the full name of the writer's record, None for events without one. `whole` is its type.
    """
    events = []
    problems: list[str] = []
    for event in rules.of_schema(name):
        try:
            events.append(EventMap(event, whole))
        except MisfitError as error:
            problems += str(error).split("\n")
    if problems:
        return Misfit(name, tuple(dict.fromkeys(problems)))
    return Compiled(rules, name, tuple(events)) if events else None


def others(rules: Rules, name: str | None, reason: str = OTHER_TYPE) -> NotOurs | Refusal:
    """What becomes of a record that none of the mapping's events takes."""
    if rules.skips_others:
        return NotOurs(reason)
    if reason == CONDITION:
        what, remedy = f"no `when` of {_schema(name)} holds", "write what the mapping expects, or skip it"
    else:
        known = [event.schema for event in rules.events if event.schema is not None]
        near = get_close_matches(name or "", known, n=1, cutoff=0.8)
        hint = f", nearly {near[0]}" if near else ""
        what, remedy = f"{_schema(name)}{hint}, of which the mapping has no event", "add it"
    return Refusal(Stage.EVENT, (Problem(NOT_OURS, "schema", what, f"{remedy} (mapping.events, mapping.others)"),))


def _schema(name: str | None) -> str:
    if name is None:
        return "an event without a schema"
    return f"record {name}" if safe_name(name, 1) == name else "a record of another name"


def _shown(field: str, chain: Chain) -> str:
    return f"{field} ({chain.says})"


def _test(condition: Condition, whole: Type, texts: Texts, problems: list[str]) -> Test | None:
    path = condition.path
    found = type_around(path) or resolved(whole, path.parts, texts)
    if isinstance(found, str):
        problems.append(f"when: {path}: {found}")
        return None
    values = condition.one_of or condition.none_of or ()
    problems += (f"when: {path}: {why}" for value in values if (why := _incomparable(found, value)) is not None)
    return Test(condition, _lenient(getter(path)), frozenset(map(type, values)))


def _lenient(get: Get) -> Get:
    """A key or header that is no text is none that a condition asks for."""

    def get_or_null(fields: Fields, record: Record) -> Any:
        try:
            return get(fields, record)
        except UnmappableError:
            return None

    return get_or_null


def _incomparable(found: Type, value: steps.Scalar) -> str | None:
    """Why a value can never be there; None: it can, or nobody knows."""
    kind = steps.kind_of(value)
    kinds = found.kinds | {Kind.INTEGER} if Kind.TIME in found.kinds else found.kinds
    if found.is_unknown:
        return None
    if kind not in kinds:
        in_quotes = "; put it in quotes" if kinds == {Kind.TEXT} else ""
        return f"it is {found.shown}, and is compared with {kind.value}{in_quotes}"
    texts = [branch.symbols for branch in found.branches if isinstance(branch, Leaf) and branch.kind is Kind.TEXT]
    if kind is Kind.TEXT and all(symbols is not None and value not in symbols for symbols in texts):
        return f"it is {found.shown}, which has no {value}"
    return None


def _no_text(path: Path, whole: Type, texts: Texts) -> list[str]:
    found = resolved(whole, path.parts, texts)
    if isinstance(found, str):
        return [f"json: {path}: {found}"]
    fits = found.is_unknown or found.kinds & {Kind.TEXT, Kind.BYTES}
    return [] if fits else [f"json: {path}: it is {found.shown}, and JSON is in text or bytes"]


def _around_text(path: Path) -> Get:
    """What gets the record or list that a text lies in."""
    if len(path.parts) == 1:
        return lambda fields, _: fields
    return getter(path._replace(parts=path.parts[:-1]))


def _open(fields: Fields, record: Record, name: str | int, around: Get) -> None:
    """Put what the JSON says in the place of its text; what is none stays, and is refused later."""
    inside: Any = around(fields, record)
    value = _at(inside, name)
    if type(value) in (str, bytes):
        try:
            inside[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            pass


def _at(inside: Any, name: str | int) -> Any:
    if type(inside) is dict:
        return inside.get(name)
    if type(inside) is list and type(name) is int and name < len(inside):
        return inside[name]
    return None
