"""A mapping for one writer's schema: checked once, then plain calls for each event."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, NamedTuple

from connector.core.event import FIELD_NAMES
from connector.core.mapping import chains, steps
from connector.core.mapping.chains import Chain, MisfitError, Target, Texts, chain_of
from connector.core.mapping.errors import (
    CONDITION,
    LEAVE_OUT,
    NOT_OURS,
    NULL,
    OTHER_TYPE,
    TOO_STRANGE,
    Misfit,
    NotOurs,
    UnmappableError,
    strange,
)
from connector.core.mapping.getters import Fields, Getter, Lenient
from connector.core.mapping.opening import opened, outer_first
from connector.core.mapping.paths import Path, getter, type_around
from connector.core.mapping.rules import Condition, Event, From, Rules, Source, completed
from connector.core.mapping.types import ANYTHING, Kind, Leaf, Type, Where, meant, resolved
from connector.core.record import Record
from connector.core.redact import safe_name
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.service_id import is_service_id

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
_REFUSES = (UnmappableError, *TOO_STRANGE)


def target_of(field: str) -> Target:
    """What a field of ours takes, by its path."""
    return _TARGETS.get(field, chains.VARIABLE)


class Test(NamedTuple):
    """A condition that can be asked. `symbols`: what an enum there can be, which the schema tells anybody."""

    condition: Condition
    getter: Getter
    types: frozenset[type]
    symbols: frozenset[str] = frozenset()
    other: Getter | None = None

    def holds(self, fields: Fields, record: Record) -> bool:
        """Whether the event is one of these."""
        value, (_, one_of, none_of, present, _) = self.getter.get(fields, record), self.condition
        if self.other is not None:
            return bool(value != self.other.get(fields, record))
        if present is not None:
            return (value is not None) is present
        if one_of is not None:
            return type(value) in self.types and value in one_of
        return not (type(value) in self.types and value in (none_of or ()))


class EventMap:
    """One kind of event, checked against a schema. `tests_inside` are those that look into its JSON, and come last.

    Raises MisfitError with every problem, one a line.
    """

    def __init__(self, event: Event, whole: Type) -> None:
        self.event = event
        problems: list[str] = []
        texts: Texts = frozenset(path.parts for path in event.json)
        for path in event.json:
            problems += _no_text(path, whole, texts - {path.parts})
        tests = [test for each in event.when if (test := _test(each, whole, texts, problems)) is not None]
        self.chains: dict[str, Chain] = {}
        for field, source in event.sources.items():
            try:
                needed = completed(source) if field in _REQUIRED else source
                self.chains[field] = chain_of(needed, target_of(field), whole, texts)
            except MisfitError as error:
                problems.append(_misfit(field, source, error))
        if problems:
            raise MisfitError("\n".join(problems))
        self._json = outer_first(event.json)
        inside = [test for test in tests if any(_looks_into(test.condition, path) for path in event.json)]
        self.tests = tuple(test for test in tests if test not in inside)
        self.tests_inside = tuple(inside)
        self._holds = tuple(test.holds for test in self.tests)
        self._holds_inside = tuple(test.holds for test in inside)
        self._is_for_all = not (tests or self._json)
        self._required = [(name, self.chains[name].getter) for name in _REQUIRED]
        simple = [name for name in self.chains if name in _TARGETS and name not in _REQUIRED]
        self._optional = [(name, self.chains[name].getter) for name in simple]
        self._scopes = self._variables()
        self._empty: Fields = dict.fromkeys(FIELD_NAMES)

    def of(self, fields: Fields, record: Record) -> Fields | Refusal | None:
        """Our fields, or a refusal with every problem; None: a condition does not hold."""
        if self._is_for_all:
            return self._make(fields, record)
        for holds in self._holds:
            if not holds(fields, record):
                return None
        if self._json:
            try:
                fields = self.opened(fields)
            except UnmappableError as error:  # nobody knows what it would have said
                return Refusal(Stage.EVENT, (Problem(error.code, "json", error.shape, error.remedy),))
            for holds in self._holds_inside:
                if not holds(fields, record):
                    return None
        return self._make(fields, record)

    def opened(self, fields: Fields) -> Fields:
        """The fields with what their JSON says. Raises UnmappableError for a text that is none."""
        return opened(fields, self._json)

    def _make(self, fields: Fields, record: Record) -> Fields | Refusal:
        """Our fields, or a refusal with every problem."""
        found = self._empty.copy()
        try:
            for name, getter in self._required:
                value = getter.get(fields, record)
                if value is None:
                    return self._refused(fields, record)
                found[name] = value
            for name, getter in self._optional:
                found[name] = getter.get(fields, record)
            variables: dict[str, dict[str, Any]] = {}
            for scope, keys in self._scopes:
                values = {key: value for key, getter in keys if (value := getter.get(fields, record)) is not None}
                if values:
                    variables[scope] = values
            found["variables"] = variables
        except _REFUSES:
            return self._refused(fields, record)
        return found

    def _variables(self) -> list[tuple[str, list[tuple[str, Getter]]]]:
        scopes: dict[str, list[tuple[str, Getter]]] = {}
        for field, chain in self.chains.items():
            if field not in _TARGETS:
                _, scope, key = field.split(".", 2)
                scopes.setdefault(scope, []).append((key, chain.getter))
        return list(scopes.items())

    def _refused(self, fields: Fields, record: Record) -> Refusal:
        problems = []
        for field, chain in self.chains.items():
            try:
                value = chain.getter.get(fields, record)
            except UnmappableError as error:
                problems.append(Problem(error.code, _shown(field, chain), error.shape, error.remedy))
                continue
            except TOO_STRANGE as error:
                wrong = strange(error)
                problems.append(Problem(wrong.code, _shown(field, chain), wrong.shape, wrong.remedy))
                continue
            if value is None and field in _REQUIRED:
                problems.append(Problem(NULL, _shown(field, chain), "null", _remedy_of_null(field, self.event)))
        return Refusal(Stage.EVENT, tuple(problems[:_MOST_PROBLEMS]))


class Compiled:
    """What one writer's schema becomes. `wanted` is what of it has to be read."""

    def __init__(self, rules: Rules, name: str | None, events: tuple[EventMap, ...]) -> None:
        self.name = name
        self.events = events
        self._not_ours = others(rules, name, CONDITION)

    def of(self, fields: Fields, record: Record) -> Fields | Refusal | NotOurs:
        """The fields of our event; or why there is none. `fields` are the producer's. Never raises."""
        for event in self.events:
            if (found := event.of(fields, record)) is not None:
                return found
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


def _remedy_of_null(field: str, event: Event) -> str:
    """A default service is one; a default number or id would be that of everybody who has none."""
    if field == "serviceId":
        return "write it, or give the mapping a default"
    origin = event.sources[field].origin
    return f"write it, or {LEAVE_OUT.format(_in_braces(origin.path.text) if isinstance(origin, From) else '…')}"


def _in_braces(path: str) -> str:
    """As YAML takes it there: a path with brackets has to stand in quotes."""
    return f"'{path}'" if "[" in path else path


def _misfit(field: str, source: Source, error: MisfitError) -> str:
    looks_constant = field == "serviceId" and isinstance(source.origin, From) and is_service_id(source.origin.path.text)
    return f"{field}: {error}{'; a constant is {value: …}' if looks_constant else ''}"


def _test(condition: Condition, whole: Type, texts: Texts, problems: list[str]) -> Test | None:
    path = condition.path
    found = type_around(path) or resolved(whole, path.parts, texts)
    if isinstance(found, str):
        problems.append(f"when: {path}: {found}")
        return None
    values = condition.one_of or condition.none_of or ()
    problems += (f"when: {path}: {why}" for value in values if (why := _incomparable(found, value)) is not None)
    other = condition.differs_from
    if other is not None and isinstance(missing := type_around(other) or resolved(whole, other.parts, texts), str):
        problems.append(f"when: {other}: {missing}")
    other_get = None if other is None else Lenient(getter(other))
    return Test(condition, Lenient(getter(path)), frozenset(map(type, values)), _symbols(found), other_get)


def _symbols(found: Type) -> frozenset[str]:
    return frozenset().union(*(each.symbols or () for each in found.branches if isinstance(each, Leaf)))


def _looks_into(condition: Condition, json: Path) -> bool:
    """Whether it asks for something that lies in this JSON."""
    paths = (condition.path, condition.differs_from)
    return any(p is not None and p.around is None and p.parts[: len(json.parts)] == json.parts for p in paths)


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
        known = sorted(frozenset().union(*(symbols or () for symbols in texts)))
        return f"it is {found.shown}, which has no {value}; {meant(str(value), known)}"
    return None


def _no_text(path: Path, whole: Type, texts: Texts) -> list[str]:
    if path.around is not None:
        return [f"json: {path}: only what lies in the event can be opened"]
    if any(isinstance(part, Where) for part in path.parts):
        return [f"json: {path}: name the item by its place; one that is searched for cannot be opened"]
    found = resolved(whole, path.parts, texts)
    if isinstance(found, str):
        return [f"json: {path}: {found}"]
    fits = found.is_unknown or found.kinds & {Kind.TEXT, Kind.BYTES}
    return [] if fits else [f"json: {path}: it is {found.shown}, and JSON is in text or bytes"]
