"""The contracts of .importlinter hold, and each of them can fail."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

ROOMS = "Rooms look down, never up or sideways"
ROAD = "The road runs one way"
PURE = "The core does no input or output, and knows no clock, chance or log"
PORTS = "The engine talks to the world only through ports"
SIMULATOR = "The simulator reads the vendor's page for itself"
CYCLES = "Nothing goes round in circles"


class Intruder(NamedTuple):
    """A line too many in one file of the connector, and the contract that it breaks."""

    file: str
    line: str
    contract: str


INTRUDERS = {
    "an edge knows the engine": Intruder("edge/clock.py", "import connector.engine.ports", ROOMS),
    "a low room knows a high one": Intruder("observe/logs.py", "import connector.cli.main", ROOMS),
    "the engine knows a neighbour": Intruder("engine/pipeline.py", "import connector.edge.clock", PORTS),
    "a room that nobody declared": Intruder("helpers/__init__.py", "", ROOMS),
    "a station that looks ahead": Intruder("core/record.py", "import connector.core.event", ROAD),
    "a station that nobody declared": Intruder("core/helpers.py", "", ROAD),
    "waiting in the core": Intruder("core/outcome.py", "import asyncio", PURE),
    "a clock in the core": Intruder("core/schedule.py", "import time", PURE),
    "a library in a new file of the core": Intruder("core/helpers.py", "import aiohttp", PURE),
    "a library in the engine": Intruder("engine/pipeline.py", "import aiohttp", PORTS),
    "a simulator that knows our rules": Intruder("simulator/rules.py", "import connector.core.request", SIMULATOR),
    "two stations that know each other": Intruder("core/event.py", "import connector.core.request", CYCLES),
}


def _lint(folder: Path) -> str:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    linted = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not linted.stderr
    return linted.stdout


def test_the_connector_keeps_every_contract() -> None:
    assert " 0 broken." in _lint(ROOT)


@pytest.mark.parametrize("name", INTRUDERS)
def test_an_intruder_is_caught(name: str, tmp_path: Path) -> None:
    intruder = INTRUDERS[name]
    shutil.copytree(ROOT / "connector", tmp_path / "connector", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    path = tmp_path / "connector" / intruder.file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(intruder.line + "\n")
    assert f"{intruder.contract} BROKEN" in _lint(tmp_path)


def test_every_contract_has_an_intruder() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    names = {contracts[section]["name"] for section in contracts.sections() if ":contract:" in section}
    assert names == {intruder.contract for intruder in INTRUDERS.values()}
