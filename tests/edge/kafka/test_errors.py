"""Every error of Kafka has its row, and the page of operations has every row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from connector.edge.kafka.errors import DEFAULTS, ROWS, name_of, remedy_of, row_of
from connector.edge.kafka.verdicts import Action, Operation, Row

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text()
CODES = sorted({value for name, value in vars(KafkaError).items() if name.strip("_").isupper() and type(value) is int})


def test_the_library_has_its_constants() -> None:
    assert len(CODES) > 150


@pytest.mark.parametrize("operation", Operation)
def test_every_error_has_exactly_one_row(operation: Operation) -> None:
    for code in CODES:
        rows = [row for row in ROWS if row.operation is operation and code in row.codes]
        assert [row_of(operation, KafkaError(code))] == (rows or [DEFAULTS[operation]])


@pytest.mark.parametrize("row", [row for row in ROWS if row.action is Action.STOP], ids=lambda row: row.name)
def test_what_ends_the_process_says_what_to_do(row: Row) -> None:
    assert len(row.remedy) > 20


def test_an_error_that_is_waited_out_may_have_a_remedy_by_its_name() -> None:
    assert "does not exist" in str(remedy_of(name_of(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))))
    assert remedy_of("transport") is None


def test_only_reading_can_end_the_process() -> None:
    """A commit or a copy that is refused is tried for ever: the alternative would be to lose its record."""
    assert {row.operation for row in ROWS if row.action is Action.STOP} == {Operation.CONSUME}


def test_the_page_has_every_row_and_no_other() -> None:
    table = PAGE.split("## Kafka's errors")[1].split("\n## ")[0]
    shown = {
        tuple(cell.strip(" `") for cell in line.split("|")[1:5]) for line in re.findall(r"^\| .*$", table, re.M)[1:]
    }
    expected = {(row.operation, row.name, _codes(row), row.action) for row in (*ROWS, *DEFAULTS.values())}
    assert shown == expected


def _codes(row: Row) -> str:
    return ", ".join(sorted(name_of(KafkaError(code)) for code in row.codes))
