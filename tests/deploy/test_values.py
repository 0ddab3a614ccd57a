"""The chart's values, its schema, its table and the connector's settings say the same."""

from __future__ import annotations

import json
import runpy
from typing import Any

import yaml

from connector.config.reference import json_schema
from tests.deploy.conftest import CHART, ROOT

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
GENERATE = runpy.run_path(str(ROOT / "helm" / "generate.py"))
WHOLE = GENERATE["WHOLE"]


def test_what_is_generated_is_up_to_date() -> None:
    """The settings' schema, twice, and the README's table: `python helm/generate.py`."""
    assert [path for path, text in GENERATE["generated"]().items() if path.read_text("utf-8") != text] == []


def test_the_schema_contains_that_of_the_settings() -> None:
    """As `connector config --schema` prints it."""
    settings = {name: part for name, part in json_schema().items() if name != "$defs"}
    assert SCHEMA["$defs"] == {**json_schema()["$defs"], "Settings": settings}
    assert {"$ref": "#/$defs/Settings"} in SCHEMA["properties"]["config"]["anyOf"]


def test_the_schema_knows_every_value_and_no_other() -> None:
    """`global` is Helm's own: a parent chart hands it down."""

    def compare(schema: dict[str, Any], values: dict[str, Any], name: str) -> None:
        assert set(schema["properties"]) - {"global"} == set(values), name
        assert schema["additionalProperties"] is False, name
        for key, value in values.items():
            if isinstance(value, dict) and value and key not in WHOLE:
                compare(schema["properties"][key], value, f"{name}.{key}")

    compare(SCHEMA, VALUES, "values")
