"""Scenarios are data, and refused when they are not understood."""

from __future__ import annotations

import pytest

from connector.simulator.scenario import Reject, Scenario, ScenarioError, parse


def test_yaml_and_json_are_read_alike() -> None:
    """A YAML scenario equals the same in JSON."""
    yaml = "rules: [{when: {first: 2, phone_numbers: ['12025550123']}, do: {kind: reject}}]"
    json = '{"rules": [{"when": {"first": 2, "phone_numbers": ["12025550123"]}, "do": {"kind": "reject"}}]}'
    assert parse(yaml) == parse(json)
    assert parse(yaml).rules[0].do == Reject(cause="temporary")


def test_nothing_is_a_good_day() -> None:
    """An empty file is the scenario without faults."""
    assert parse("") == Scenario()


def test_a_scenario_survives_its_own_json() -> None:
    """What the control API shows can be set again."""
    scenario = parse("{capacity: {servers: [{count: 3}, {after: 20, count: 1}]}, passwords: [{after: 1, password: x}]}")
    assert parse(scenario.model_dump_json()) == scenario


@pytest.mark.parametrize(
    "text",
    [
        "rule: []",
        "latency: {kind: fixed, second: 1}",
        "latency: {kind: normal}",
        "latency: {kind: fixed, seconds: -1}",
        "latency: {kind: fixed, seconds: '1'}",
        "rules: [{when: {share: 1.1}}]",
        "rules: [{when: {phone_numbers: [12025550123]}}]",
        "rules: [{do: {kind: reject, cause: mood}}]",
        "rules: [{do: {kind: html, status: 700}}]",
        "rules: [{when: {markers: [a]}, do: {kind: reset, when: before_body}}]",
        "capacity: {servers: []}",
        "[1]",
        "{",
        "a: !!python/object:object {}",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """Unknown keys, wrong types and impossible rules are errors."""
    with pytest.raises(ScenarioError):
        parse(text)
