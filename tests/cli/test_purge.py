"""`connector dlq export` and `purge` on real Kafka."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import fastavro
import pytest

from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, Letter, Topics, event, make
from tests.support.kafka_broker import Kafka

LETTERS = [Letter(ENCODE(event(f"ev-{number}"))) for number in range(3)] + [Letter(b"no event", partition=1)]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Topics:
    stage = make(kafka, tmp_path)
    stage.write(LETTERS)
    return stage


def left(stage: Topics) -> list[bytes | None]:
    return [value for _, value, _ in stage.read(stage.dead_letter)]


def test_an_export_holds_every_byte_only_when_asked_to(stage: Topics, connector: Command, tmp_path: Path) -> None:
    masked, whole, avro = tmp_path / "masked", tmp_path / "whole", tmp_path / "avro"
    connector("dlq", "export", masked, "--config", stage.config)
    assert PHONE not in masked.read_text()
    assert "Ada" not in masked.read_text()
    assert len(masked.read_text().splitlines()) == 4
    assert connector("dlq", "export", whole, "--reveal", "--config", stage.config).exit_code == 0
    lines = [json.loads(line) for line in whole.read_text().splitlines()]
    assert {base64.b64decode(line["value_base64"]) for line in lines} == {letter.value for letter in LETTERS}
    assert whole.stat().st_mode & 0o077 == 0
    assert connector("dlq", "export", avro, "--format", "avro", "--config", stage.config).exit_code == 2
    connector("dlq", "export", avro, "--format", "avro", "--reveal", "--config", stage.config, "--event-id", "ev-1")
    with avro.open("rb") as file:
        (row,) = fastavro.reader(file)
    assert isinstance(row, dict)
    assert (row["value"], row["key"], row["class"]) == (LETTERS[1].value, PHONE.encode(), "retries_exhausted")
    assert connector("dlq", "export", avro, "--reveal", "--config", stage.config).exit_code == 2


def test_what_is_nowhere_else_is_not_purged(stage: Topics, connector: Command, tmp_path: Path) -> None:
    """Neither by --yes alone, nor with an export that holds no values or not all letters."""
    part, masked = tmp_path / "part", tmp_path / "masked"
    connector("dlq", "export", part, "--reveal", "--event-id", "ev-0", "--config", stage.config)
    connector("dlq", "export", masked, "--config", stage.config)
    for arguments, code in (
        ((), 0),
        (("--yes",), 1),
        (("--yes", "--exported", part), 1),
        (("--yes", "--exported", masked), 2),
        (("--yes", "--exported", stage.config), 2),
    ):
        run = connector("dlq", "purge", "--up-to", "0:1", *arguments, "--config", stage.config)
        assert run.exit_code == code, run.output
    assert len(left(stage)) == 4
    assert connector("dlq", "purge", "--config", stage.config).exit_code == 2


def test_what_was_exported_or_redriven_is_purged(stage: Topics, connector: Command, tmp_path: Path) -> None:
    file = tmp_path / "export"
    connector("dlq", "redrive", "--yes", "--event-id", "ev-1", "--config", stage.config)
    connector("dlq", "export", file, "--reveal", "--event-id", "ev-0", "--config", stage.config)
    run = connector("dlq", "purge", "--up-to", "0:1", "--yes", "--exported", file, "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert "deleted 2 letters" in run.output
    assert {LETTERS[2].value, b"no event"} <= set(left(stage))
    assert LETTERS[0].value not in left(stage)


def test_all_is_purged_up_to_a_time_when_somebody_says_that_it_may_be_lost(stage: Topics, connector: Command) -> None:
    run = connector("dlq", "purge", "--before", "0s", "--yes-lose", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert left(stage) == []
