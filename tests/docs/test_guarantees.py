"""The page of guarantees names the test that holds each row, and the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.observe.definition import PREFIX
from connector.observe.table import TABLE
from tests.docs.test_operations import lines_of_the_page

ROOT = Path(__file__).parents[2]
ROWS = [
    row.split("|")
    for row in (ROOT / "docs/delivery-guarantees.md")
    .read_text()
    .split("## Fault by fault")[1]
    .split("##")[0]
    .splitlines()
    if row.startswith("|")
][2:]
TESTS = set(re.findall(r"def (test_\w+)", "".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py"))))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip())
def test_each_fault_names_a_test_that_exists(row: list[str]) -> None:
    """A guarantee without its test is a claim."""
    named = re.findall(r"`(test_\w+)`", row[5])
    assert named
    assert set(named) <= TESTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip())
def test_each_fault_says_what_is_seen_of_it(row: list[str]) -> None:
    """Whoever looks for a line or a metric of the page finds it."""
    metrics = {metric.exported_name.removeprefix(PREFIX) for metric in TABLE}
    assert row[3].strip()
    assert set(re.findall(r"`([a-z_]+)`", row[3])) <= metrics | lines_of_the_page()


def test_there_are_rows() -> None:
    """The table was found."""
    assert len(ROWS) > 15
