"""The page of the simulator is about the simulator that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from connector.simulator import scenario
from connector.simulator.scenario import Fault, Latency, Scenario, parse

PAGE = (Path(__file__).parents[2] / "docs/simulator.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
MODELS = [each for each in vars(scenario).values() if isinstance(each, type) and issubclass(each, BaseModel)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_scenario(example: str) -> None:
    assert parse(example) != Scenario()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


def test_every_word_of_the_language_is_on_the_page() -> None:
    fields = {field for model in MODELS for field in model.model_fields} - {"kind"}
    kinds = {model.model_fields["kind"].default for union in (Fault, Latency) for model in get_args(get_args(union)[0])}
    words = fields | kinds - {None}
    assert len(words) > 30
    assert {word for word in words if not re.search(rf"[`{{ ]{word}[`:]", PAGE)} == set()
