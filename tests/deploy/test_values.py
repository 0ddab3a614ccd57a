"""The chart's values, its schema and its table say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.deploy.conftest import CHART

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
WHOLE = {"resources"}
"""Values that people set as one."""


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in WHOLE:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_the_table_lists_every_value_with_its_default_and_no_other() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", (CHART / "README.md").read_text(encoding="utf-8"), re.M)
    assert [(name, json.loads(default)) for name, default in rows] == list(_leaves(VALUES))


def test_the_schema_knows_every_value_and_no_other() -> None:
    """`global` is Helm's own: a parent chart hands it down."""
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    for name, value in VALUES.items():
        if isinstance(value, dict) and value and name not in WHOLE:
            assert set(SCHEMA["properties"][name]["properties"]) == set(value), name


def test_the_schema_refuses_unknown_keys_at_every_level_of_ours() -> None:
    objects = {name: of for name, of in SCHEMA["properties"].items() if "properties" in of}
    assert all(one["additionalProperties"] is False for one in [SCHEMA, *objects.values()])
    assert "additionalProperties" not in SCHEMA["properties"]["config"]
