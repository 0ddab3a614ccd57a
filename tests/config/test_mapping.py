"""The events of a mapping as they are written: what each word means, and what is said of one that is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector.config import ConfigError, load
from connector.config.mapping import Mapping
from connector.config.mapping_events import events_of
from connector.config.mapping_file import load_mapping
from connector.config.mapping_functions import FUNCTIONS
from connector.core.mapping.rules import Condition, Constant, Event, First, From, Join, Rules
from tests.config.conftest import SMALLEST, Write

BASE = {"schema": "com.example.Booking", "eventId": "id", "serviceId": {"value": "0A"}, "phoneNumber": "phone"}


def read(**more: Any) -> Event:
    (event,) = events_of([{**BASE, **more}])
    return event


def problems(**more: Any) -> str:
    with pytest.raises(ValueError) as raised:
        events_of([{**BASE, **more}])
    return str(raised.value)


def field(text: str) -> Any:
    return yaml.safe_load(text)


def test_off_it_is_not_there(write: Write) -> None:
    assert load(write(SMALLEST), {}).mapping is None


def test_a_mapping_is_read_with_the_settings(write: Write) -> None:
    settings = load(write(f"{SMALLEST}\nmapping: {{others: skip, events: [{BASE}]}}"), {})
    assert settings.mapping is not None
    assert settings.mapping.rules == Rules(events_of([BASE]), skips_others=True, holds_misfits=True)
    assert str(settings.mapping.events[0]) == "com.example.Booking"


def test_every_word() -> None:
    """Sources, functions, conditions."""
    event = read(
        when=[
            {"path": "a", "is": ["x", 1]},
            {"path": "b", "not": "y"},
            {"path": "c", "present": True},
            {"path": "d", "differs_from": "e"},
        ],
        json=["payload"],
        createdAt=field("{path: at, optional: true, then: [{time: seconds}, {plus: 2h}], default: 0}"),
        expiresAt=field("{first: [{path: until, default: null}, $timestamp], then: [{minus: 1m}]}"),
        variables=field("user: {name: {join: [first, {value: x}], with: ' ', then: [trim, {truncate: 5}]}}"),
    )
    assert [str(each) for each in event.when] == ["a is x or 1", "b is not y", "c is there", "d differs from e"]
    assert event.when[1] == Condition(event.when[1].path, none_of=("y",))
    assert [path.text for path in event.json] == ["payload"]
    created, expires, name = (event.sources[each] for each in ("createdAt", "expiresAt", "variables.user.name"))
    assert isinstance(created.origin, From)
    assert created.origin.optional
    assert [step.says for step in created.then] == ["time seconds", "plus 2h"]
    assert created.default == Constant(0)
    assert isinstance(expires.origin, First)
    assert expires.origin.parts[0].default == Constant(None)
    assert [step.run(120_000, None) for step in expires.then] == [60_000]
    assert isinstance(name.origin, Join)
    assert (name.origin.separator, [step.says for step in name.then]) == (" ", ["trim", "truncate 5"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("digits", "digits"),
        ("lower", "lower"),
        ("upper", "upper"),
        ("trim", "trim"),
        ("text", "text"),
        ("number", "number"),
        ("{phone: DE}", "phone DE"),
        ("{phone: {region_from: country}}", "phone country"),
        ("{phone: {region: DE, region_from: country}}", "phone country"),
        ("{time: iso}", "time iso"),
        ("{time: {format: '%d.%m.%Y', zone: Europe/Berlin}}", "time %d.%m.%Y Europe/Berlin"),
        ("{time: {format: iso, zone_from: zone}}", "time iso zone"),
        ("{format_time: '%H:%M'}", "format_time %H:%M"),
        ("{format_time: {format: '%H:%M', zone: UTC, zone_from: zone}}", "format_time %H:%M UTC zone"),
        ("{plus: 2h}", "plus 2h"),
        ("{minus: 30m}", "minus 30m"),
        ("{lookup: {A: 1, 2: b}}", "lookup of 2 entries"),
        ("{truncate: 160}", "truncate 160"),
        ("{null_if: ''}", "null_if ''"),
        ("{null_if: [n/a, '']}", "null_if '' or 'n/a'"),
    ],
)
def test_every_function(text: str, says: str) -> None:
    event = read(variables={"user": {"a": {"path": "a", "then": [yaml.safe_load(text)]}}})
    (step,) = event.sources["variables.user.a"].then
    assert step.says == says


def test_every_function_is_tried_above() -> None:
    marks = test_every_function.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    tried = {says.split()[0] for mark in marks for _, says in mark.args[1]}
    assert tried == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"phone": "x"}, "[0]: has the unknown key phone; did you mean phoneNumber?"),
        ({"zzz": "x"}, "known here: schema, when, json, eventId"),
        ({"schema": "a b"}, "[0].schema: must be the full name of a record"),
        ({"eventId": 7}, "[0].eventId: must be a path, or a mapping"),
        ({"eventId": {}}, "[0].eventId: must be a path, or a mapping"),
        ({"eventId": {"path": "a", "value": "b"}}, "must be a path, or a mapping"),
        ({"eventId": "a..b"}, "[0].eventId: is not a path: write it like booking.passenger.phone"),
        ({"eventId": "$keys"}, "[0].eventId: is nothing of a record; there are $key, $timestamp"),
        ({"eventId": {"path": 7}}, "[0].eventId.path: must be a path"),
        ({"eventId": {"value": [1]}}, "[0].eventId.value: must be a text, a number, true or false"),
        ({"eventId": {"value": 17}}, "[0].eventId: has a value that reads as no text in YAML: put it in quotes"),
        ({"serviceId": {"value": "hello"}}, "[0].serviceId: has a value that is no service id"),
        ({"serviceId": field("{path: a, then: [{lookup: {A: 0G}}]}")}, "that is no service id"),
        ({"serviceId": field("{path: a, default: xyz}")}, "that is no service id"),
        ({"serviceId": field("{first: [a, {value: xyz}]}")}, "that is no service id"),
        ({"eventId": {"path": "a", "optional": 1}}, "[0].eventId.optional: must be true or false"),
        ({"eventId": {"value": "a", "optional": True}}, "has optional without path"),
        ({"eventId": {"path": "a", "with": "-"}}, "has with without join"),
        ({"eventId": {"join": ["a"], "with": 1}}, "[0].eventId.with: must be a text"),
        ({"eventId": {"join": "a"}}, "[0].eventId.join: must be a list of sources"),
        ({"eventId": {"first": ["a", 1]}}, "[0].eventId.first[1]: must be a path, or a mapping"),
        ({"eventId": {"path": "a", "then": "digits"}}, "[0].eventId.then: must be a list of functions"),
        ({"eventId": {"path": "a", "then": ["digit"]}}, "then[0]: digit is no function; did you mean digits?"),
        ({"eventId": {"path": "a", "then": ["zzz"]}}, "zzz is no function; there are digits, lower"),
        ({"eventId": {"path": "a", "minus": "10m"}}, "has the key minus, which is a function: then: [{minus: …}]"),
        ({"eventId": {"path": "a", "digits": None}}, "has the key digits, which is a function: then: [digits]"),
        ({"eventId": {"path": "a", "then": ["phone"]}}, "needs an argument: phone: …"),
        ({"eventId": {"path": "a", "then": [{"digits": 1}]}}, "takes no argument: digits"),
        ({"eventId": {"path": "a", "then": [{"a": 1, "b": 2}]}}, "must be one function: a name"),
        ({"eventId": {"path": "a", "then": [["a"]]}}, "must be one function: a name"),
        (
            {"serviceId": field("{path: a, then: [{lookup: {A: 0A}, default: 0B}]}")},
            "then[0]: must be one function: a name, or a mapping of one name to its argument; default stands beside",
        ),
        (
            {"serviceId": field("{path: a, then: [{lookup: {A: 0A, default: 0B}}]}")},
            "then[0].lookup: has the key default, which is one of the values here: the default stands beside then",
        ),
        ({"eventId": {"value": "x"}}, "[0].eventId: is the same for every event: it needs a path"),
        ({"eventId": {"path": "a", "default": "x"}}, "[0].eventId: has a default, and events without an id"),
        ({"eventId": {"first": ["a", {"value": "x"}]}}, "[0].eventId: has a default, and events without an id"),
        ({"eventId": {"join": [{"value": "x"}, {"path": "a", "default": "y"}]}}, "[0].eventId: has a default"),
        (
            {"phoneNumber": {"path": "a", "then": ["digits", {"truncate": 11}]}},
            "[0].phoneNumber: has truncate, and what is",
        ),
        ({"phoneNumber": {"path": "a", "then": ["number"]}}, "[0].phoneNumber: has number, which drops leading zeros"),
        ({"phoneNumber": {"first": ["a", {"path": "b", "then": ["number"]}]}}, "[0].phoneNumber: has number, which"),
        ({"phoneNumber": {"join": ["a", {"path": "b", "then": ["number"]}]}}, "[0].phoneNumber: has number, which"),
        ({"phoneNumber": {"path": "a", "default": "12025550123"}}, "has a default, and all without a number"),
        ({"phoneNumber": {"first": ["a", {"value": "12025550123"}]}}, "when: [{path: …, present: true}] with others"),
        ({"eventId": field("{path: a, then: [{phone: NO}]}")}, "then[0].phone: must be a region of two letters"),
        ({"eventId": field("{path: a, then: [{phone: Germany}]}")}, "is no region: it must be ISO 3166's two letters"),
        ({"eventId": field("{path: a, then: [{phone: UK}]}")}, "such as GB"),
        ({"eventId": field("{path: a, then: [{phone: customer.country}]}")}, "for a path to them: {region_from: PATH}"),
        ({"eventId": field("{path: a, then: [{phone: {country: DE}}]}")}, "has the unknown key country"),
        ({"eventId": field("{path: a, then: [{truncate: 0}]}")}, "must be a number of characters, 1 to 4096"),
        ({"eventId": field("{path: a, then: [{null_if: []}]}")}, "null_if: must be a text or a list of them"),
        ({"eventId": field("{path: a, then: [{null_if: [NO]}]}")}, "null_if: must be a text or a list of them"),
        (
            {"eventId": field("{path: a, then: [{lookup: {NO: x}}]}")},
            "has the key false, which reads as no text",
        ),
        ({"eventId": field("{path: a, then: [{lookup: []}]}")}, "must be a mapping of values to what they become"),
        ({"createdAt": field("{path: a, then: [{time: noon}]}")}, "must have a part of a time in it"),
        (
            {"createdAt": field("{path: a, then: [{time: 5}]}")},
            "must be iso, seconds, millis, micros, nanos, or",
        ),
        ({"createdAt": field("{path: a, then: [{time: {zone: UTC}}]}")}, "needs a format as well, such as format: iso"),
        ({"createdAt": field("{path: a, then: [{format_time: {zone: UTC}}]}")}, 'such as format: "%H:%M"'),
        ({"createdAt": field("{path: a, then: [{time: {format: iso, zone: 1}}]}")}, "zone: must be a zone, such as"),
        ({"createdAt": field("{path: a, then: [{time: {format: iso, zone: Mars/X}}]}")}, "Mars/X is no zone"),
        ({"createdAt": field("{path: a, then: [{format_time: iso}]}")}, "must have a part of a time in it"),
        ({"createdAt": field("{path: a, then: [{plus: 2}]}")}, "must be a duration with its unit"),
        ({"when": {"path": "a"}}, "[0].when: must be a list of conditions"),
        ({"when": [{"path": "a"}]}, "[0].when[0]: needs path, and one of is, not, present and"),
        ({"when": ["a"]}, "[0].when[0]: must be a mapping: path"),
        ({"when": [{"path": "a", "is": []}]}, "[0].when[0].is: must have a value"),
        ({"when": [{"path": "a", "present": 1}]}, "[0].when[0].present: must be true or false"),
        ({"json": ["a["]}, "[0].json[0]: is not a path"),
        ({"variables": {"usr": {}}}, "[0].variables: has the unknown key usr; did you mean user?"),
        ({"variables": {"user": "a"}}, "[0].variables.user: must be a mapping of keys"),
        ({"variables": {"user": {1: "a"}}}, "has the key 1, which reads as no text in YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(wrong: dict[str, Any], words: str) -> None:
    found = problems(**wrong)
    assert words in found
    assert found.startswith("[0]")


@pytest.mark.parametrize(
    ("field_name", "text"),
    [
        ("serviceId", "{path: a, then: [{lookup: {A: 0A, default: 0B}}], default: null}"),
        ("phoneNumber", "{value: '12025550123'}"),
        ("phoneNumber", "{path: depot, then: [{lookup: {BER: '12025550123'}}], default: '12025550124'}"),
        ("eventId", "{join: [a, {path: b, default: '0'}]}"),
        ("eventId", "{path: a, default: null}"),
    ],
)
def test_what_looks_like_a_mistake_and_is_meant(field_name: str, text: str) -> None:
    """A value `default` where a default stands beside; a phone of everybody's; a default of no more than a part."""
    assert field_name in read(**{field_name: field(text)}).sources


def test_every_problem_is_told_at_once(write: Write) -> None:
    """Of all events, and with those of other sections."""
    events = [{"eventId": "a..b", "variables": {"x": {}}}, {**BASE, "createdAt": 1}]
    with pytest.raises(ConfigError) as raised:
        load(write(f"{SMALLEST}\nretry: {{delay: 1}}\nmapping: {{events: {events}}}"), {})
    told = [problem.partition(" ")[0] for problem in raised.value.problems]
    assert sorted(told) == [*["mapping.events:"] * 5, "retry.delay:"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "must list at least one event"),
        ({}, "must be a list of events"),
        (["x"], "[0]: must be a mapping: schema"),
        ([BASE, BASE], "[1]: is never reached: one before it takes everything of its schema"),
    ],
)
def test_a_list_that_is_none(events: Any, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        events_of(events)
    assert words in str(raised.value)


def test_a_mapping_that_was_read_is_taken_as_it_is() -> None:
    """Settings are validated again when secrets are read anew."""
    events = events_of([BASE])
    assert Mapping.model_validate({"events": events}).events is events


class TestFile:
    """A producer has a mapping and no settings."""

    def test_the_section_alone_is_read(self, tmp_path: Path) -> None:
        file = tmp_path / "mapping.yaml"
        file.write_text(f"kafka: {{anything: goes}}\nmapping: {{events: [{BASE}]}}")
        assert load_mapping(file).mapping.rules.events == events_of([BASE])

    def test_and_what_is_wrong_in_it_is_told(self, tmp_path: Path) -> None:
        file = tmp_path / "mapping.yaml"
        for text, words in ("{}", "mapping: is missing"), ("mapping: {events: []}", "mapping.events: must list"):
            file.write_text(text)
            with pytest.raises(ConfigError, match=words):
                load_mapping(file)

    def test_a_misspelt_section_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "mapping.yaml"
        file.write_text("mappings: {events: []}")
        with pytest.raises(ConfigError, match="mappings: unknown setting; did you mean mapping"):
            load_mapping(file)

    @pytest.mark.parametrize("flow", ["{path: passengers[0].phone}", '{path: labels["a.b"]}'])
    def test_a_path_with_brackets_within_braces_is_explained(self, tmp_path: Path, flow: str) -> None:
        file = tmp_path / "mapping.yaml"
        file.write_text(f"mapping:\n  events:\n    - phoneNumber: {flow}\n")
        with pytest.raises(ConfigError, match=r"line 3, column .*; within braces put a path with \[ \] in quotes"):
            load_mapping(file)

    @pytest.mark.parametrize(
        ("openmarket", "allowed"),
        [("", None), ("openmarket:", None), ("openmarket: {service_ids: [0a]}", {"0A": "0a"})],
    )
    def test_services_are_known_where_the_file_has_them(
        self, tmp_path: Path, openmarket: str, allowed: dict[str, str] | None
    ) -> None:
        file = tmp_path / "mapping.yaml"
        file.write_text(f"mapping: {{events: [{BASE}]}}\n{openmarket}\n")
        assert load_mapping(file).allowed_services == allowed


words = st.sampled_from(["path", "then", "user", "time"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(FUNCTIONS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner),
)


@given(st.dictionaries(st.sampled_from([*BASE, "when", "json", "variables", "createdAt"]), trees))
def test_events_or_problems_and_nothing_else(tree: dict[str, Any]) -> None:
    with suppress(ValueError):
        assert len(events_of([tree])) == 1
