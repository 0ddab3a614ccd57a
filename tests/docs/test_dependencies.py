"""docs/dependencies.md names every direct dependency, and nothing else; the locks hold each."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN, DEV = PROJECT["dependencies"], PROJECT["optional-dependencies"]["dev"]
OTEL = PROJECT["optional-dependencies"]["otel"]

# They come with what names them: each is the part of that package which its users program against.
_COMES_WITH = {
    "pydantic": "pydantic-settings",
    "pydantic-core": "pydantic-settings",
    "pyyaml": "pydantic-settings",
    "yarl": "aiohttp",
    **dict.fromkeys(
        (f"opentelemetry-{part}" for part in ("api", "proto", "semantic-conventions")),
        "opentelemetry-sdk",
    ),
    **dict.fromkeys(
        (
            "requests",
            *(f"opentelemetry-exporter-{part}" for part in ("http-transport", "otlp-common", "otlp-proto-common")),
        ),
        "opentelemetry-exporter-otlp-proto-http",
    ),
}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]


def _section(title: str) -> list[str]:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| ([A-Za-z0-9_.-]+) \|", section.split("|---|---|---|")[1], re.MULTILINE)


@pytest.mark.parametrize(("title", "required"), [("To run", RUN), ("To trace", OTEL), ("To develop", DEV)])
def test_the_page_names_what_pyproject_asks_for_in_its_order(title: str, required: list[str]) -> None:
    assert _section(title) == [_name(requirement) for requirement in required]


@pytest.mark.parametrize(("lock", "required"), [("run.txt", RUN + OTEL), ("dev.txt", RUN + OTEL + DEV)])
def test_the_lock_pins_every_direct_dependency(lock: str, required: list[str]) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==", text, re.MULTILINE)
    assert {_name(requirement).lower() for requirement in required} <= {name.lower() for name in pinned}


def test_the_connector_imports_nothing_that_is_not_asked_for() -> None:
    graph = grimp.build_graph("connector", include_external_packages=True, cache_dir=None)
    outside = {module for module in graph.modules if not module.startswith("connector")}
    third_party = outside - set(sys.stdlib_module_names)
    owners = packages_distributions()
    asked = {_name(requirement) for requirement in RUN + OTEL}
    imported = {name.lower().replace("_", "-") for module in third_party for name in owners[module]}
    assert {_COMES_WITH.get(name, name) for name in imported} <= asked
