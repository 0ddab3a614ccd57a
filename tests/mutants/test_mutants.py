"""Each bug of the list is found. Without this nobody knows whether the world can find anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
_FINDS = 1
"""The exit code of the world and of pytest when something failed; a crash of either has another one."""


def _copy(folder: Path) -> None:
    """The package and its tests, which `python -m` finds before the installed ones."""
    for name in ("connector", "tests", "schemas"):
        shutil.copytree(
            ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)


def _run(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = arguments.split()
    if words[0] == "pytest":
        words[1:1] = ["--exitfirst", "--quiet", "-p", "no:cacheprovider", "-p", "no:randomly"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_a_bug_is_found(mutant: Mutant, tmp_path: Path) -> None:
    _copy(tmp_path)
    file = tmp_path / "connector" / mutant.file
    text = file.read_text()
    assert text.count(mutant.old) == 1, "the code changed: give the mutant its new place"
    file.write_text(text.replace(mutant.old, mutant.new))
    run = _run(mutant.found_by, tmp_path)
    assert run.returncode == _FINDS, f"nothing found it:\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}"


_RUNS = {mutant.found_by for mutant in MUTANTS}
_TESTS = {run for run in _RUNS if run.startswith("pytest ")}


@pytest.mark.parametrize(
    "found_by", sorted(_RUNS - _TESTS), ids=lambda run: run.removeprefix("tests.whole.world ").split()[0]
)
def test_without_a_bug_nothing_is_found(found_by: str, tmp_path: Path) -> None:
    """By the tests neither, or this run would fail: `test_the_tests_that_find_bugs_are_there`."""
    _copy(tmp_path)
    run = _run(found_by, tmp_path)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]


def test_the_tests_that_find_bugs_are_there() -> None:
    run = _run(" ".join(["pytest", "--collect-only", *sorted(run.removeprefix("pytest ") for run in _TESTS)]), ROOT)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
