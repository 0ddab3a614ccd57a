"""`connector dlq redrive` and `edit` on real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.core.envelope import REDRIVES, Cause
from connector.core.refusal import Stage
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, Letter, Topics, event, make
from tests.support.deadline import wait_until
from tests.support.kafka_broker import Kafka

REJECTED = Cause(Stage.INVOKE, "rejected", "why", 400)
BAD_NUMBER = Cause(Stage.REQUEST, "bad_phone_number", "phoneNumber: bad_phone_number")
TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Topics:
    return make(kafka, tmp_path)


def redrive(connector: Command, stage: Topics, *arguments: str | Path, verb: str = "redrive") -> dict[str, object]:
    run = connector("dlq", verb, *arguments, "--config", stage.config, "--json")
    assert run.exit_code == 0, run.output
    found: dict[str, object] = json.loads(run.stdout)
    assert PHONE not in run.output
    return found


def test_a_dry_run_says_what_would_go_and_writes_nothing(stage: Topics, connector: Command) -> None:
    stage.write(
        [
            Letter(ENCODE(event("ev-1"))),
            Letter(ENCODE(event("ev-2")), maybe_delivered=1),
            Letter(ENCODE(event("ev-3")), REJECTED),
            Letter(ENCODE(event("ev-4", "no number")), BAD_NUMBER),
            Letter(ENCODE(event("ev-5", createdAt=1_700_000_000_000)), Cause(Stage.ROUTE, "expired", "late")),
        ]
    )
    found = redrive(connector, stage)
    assert found["redriven"] == {"retries_exhausted": 1}
    assert found["refused_today"] == {"bad_phone_number": 1, "expired": 1}
    assert found["stays"] == {"possible_duplicate": 1, "rejected": 1}
    assert stage.read(stage.main) == []
    printed = connector("dlq", "redrive", "--config", stage.config).output
    assert "nothing was written; --yes does it" in printed
    assert PHONE not in printed


def test_what_is_redriven_is_the_record_that_it_was(stage: Topics, connector: Command) -> None:
    """Key, value and headers; of ours only how often it was redriven."""
    letter = Letter(ENCODE(event("ev-1")), original=(TRACE, ("empty", None), ("twice", b"1"), ("twice", b"2")))
    stage.write([letter])
    assert redrive(connector, stage, "--yes")["redriven"] == {"retries_exhausted": 1}
    (written,) = stage.read(stage.main)
    assert written == (PHONE.encode(), letter.value, (*letter.original, (REDRIVES, b"1")))


def test_what_was_redriven_is_not_redriven_again_by_whatever_filter(stage: Topics, connector: Command) -> None:
    """The marks tell, also where what stays between keeps the position."""
    stage.write([Letter(ENCODE(event(f"ev-{number}")), REJECTED if number % 2 else BAD_NUMBER) for number in range(8)])
    first = redrive(connector, stage, "--yes", "--class", "rejected", "--include", "rejected")
    assert first["redriven"] == {"rejected": 4}
    second = redrive(connector, stage, "--yes", "--include", "rejected")
    assert second["redriven"] == {"bad_phone_number": 4}
    assert redrive(connector, stage, "--yes", "--include", "rejected")["redriven"] == {}
    assert len(stage.read(stage.main)) == 8
    assert json.loads(connector("dlq", "summary", "--config", stage.config, "--json").output)["redriven"] == 8
    again = redrive(connector, stage, "--yes", "--include", "redriven_before", "--event-id", "ev-0")
    assert again["redriven"] == {"bad_phone_number": 1}


def test_of_a_record_that_has_two_letters_one_is_redriven(stage: Topics, connector: Command) -> None:
    """A process that is killed after a letter was written and before its commit leaves the record to another one, which
    writes a second letter. An equal event of another record is another one."""
    letters = [Letter(ENCODE(event("ev-1"))), Letter(ENCODE(event("ev-1")))]
    stage.write(letters)
    stage.write(letters[:1])
    found = redrive(connector, stage, "--yes")
    assert (found["redriven"], found["stays"]) == ({"retries_exhausted": 2}, {"written_twice": 1})
    assert redrive(connector, stage, "--yes")["redriven"] == {}
    assert len(stage.read(stage.main)) == 2


def test_what_a_crash_wrote_behind_the_position_stays_too(stage: Topics, connector: Command) -> None:
    letter = Letter(ENCODE(event("ev-1")))
    stage.write([letter])
    assert redrive(connector, stage, "--yes")["redriven"] == {"retries_exhausted": 1}
    stage.write([letter])
    found = redrive(connector, stage, "--yes")
    assert (found["redriven"], found["stays"]) == ({}, {"written_twice": 1})


def test_two_letters_without_a_key_are_one_records_in_whichever_partition(stage: Topics, connector: Command) -> None:
    """Without a key nothing keeps them together, and the second may be read before the one that was redriven."""
    letter = Letter(ENCODE(event("ev-1")), key=None, partition=1, from_partition=0)
    stage.write([letter])
    assert redrive(connector, stage, "--yes")["redriven"] == {"retries_exhausted": 1}
    stage.write([letter._replace(partition=0)])
    for yes in ((), ("--yes",)):
        found = redrive(connector, stage, *yes)
        assert (found["redriven"], found["stays"]) == ({}, {"written_twice": 1})
    assert len(stage.read(stage.main)) == 1


def test_a_record_is_redriven_so_often_and_then_stays(stage: Topics, connector: Command) -> None:
    value = ENCODE(event("ev-1"))
    stage.write([Letter(value, original=((REDRIVES, b"2"),)), Letter(value, original=((REDRIVES, b"3"),))])
    found = redrive(connector, stage, "--yes")
    assert (found["redriven"], found["stays"]) == ({"retries_exhausted": 1}, {"redriven_too_often": 1})
    (written,) = stage.read(stage.main)
    assert written[2] == ((REDRIVES, b"3"),)


def test_expired_ones_go_with_a_new_expiry(stage: Topics, connector: Command) -> None:
    stage.write([Letter(ENCODE(event("ev-1", createdAt=1_700_000_000_000)), Cause(Stage.ROUTE, "expired", "late"))])
    found = redrive(connector, stage, "--yes", "--new-expiry", "2h")
    assert (found["redriven"], found["changed"]) == ({"expired": 1}, {"expiresAt": 1, "createdAt": 1})


def test_an_edit_shows_the_difference_and_redrives_what_it_corrects(
    stage: Topics, connector: Command, tmp_path: Path
) -> None:
    stage.write([Letter(ENCODE(event("ev-1", "+ 1-202-555-0112")), BAD_NUMBER), Letter(ENCODE(event("ev-2")))])
    patch = tmp_path / "patch.yaml"
    patch.write_text('phone_number: {without: "+- "}\nservice_id: {0FFF: 0A1B}\n')
    printed = connector("dlq", "edit", patch, "--config", stage.config)
    assert printed.exit_code == 0, printed.output
    assert "- phoneNumber: + #-###-###-##12" in printed.output
    assert "+ phoneNumber: #########12" in printed.output
    found = redrive(connector, stage, patch, "--yes", verb="edit")
    assert (found["redriven"], found["stays"]) == ({"bad_phone_number": 1}, {"not_changed": 1})
    (written,) = stage.read(stage.main)
    assert written[1] == ENCODE(event("ev-1"))


@pytest.mark.parametrize("text", ["", "phone: 1", 'phone_number: {without: "12"}', "service_id: [", "expires_in: 2"])
def test_a_patch_that_is_none_is_refused(
    connector: Command, config_file: Callable[..., Path], tmp_path: Path, text: str
) -> None:
    patch = tmp_path / "patch.yaml"
    patch.write_text(text)
    assert connector("dlq", "edit", patch, "--config", config_file()).exit_code == 2


def test_a_topic_of_copies_is_no_target(connector: Command, config_file: Callable[..., Path]) -> None:
    run = connector("dlq", "redrive", "--to", "invocations.retry", "--config", config_file())
    assert run.exit_code == 2


@pytest.mark.timeout(120)
def test_a_kill_in_the_middle_loses_none_and_repeats_none(stage: Topics, connector: Command) -> None:
    """The copies, their marks and the position are there together, or none of them; the next run does the rest."""
    values = [ENCODE(event(f"ev-{number}")) for number in range(300)]
    stage.write([Letter(value, partition=number % 2) for number, value in enumerate(values)])
    command = [sys.executable, "-m", "connector", "dlq", "redrive", "--yes", "--rate", "10"]  # half a minute
    process = subprocess.Popen([*command, "--config", str(stage.config)], env={**os.environ})
    try:
        wait_until(lambda: stage.read(stage.main), 60, "a batch was redriven")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = len(stage.read(stage.main))
    assert before < len(values)
    found = redrive(connector, stage, "--yes")
    assert found["redriven"] == {"retries_exhausted": len(values) - before}
    assert Counter(value for _, value, _ in stage.read(stage.main)) == Counter(values)


def test_without_the_right_to_transactions_it_says_so_and_redrives_all_the_same(
    stage: Topics, connector: Command
) -> None:
    """An idempotent producer, then the marks, then the position."""
    stage.write([Letter(ENCODE(event(f"ev-{number}"))) for number in range(3)])
    stage.kafka.refuse_transactions(f"{stage.main}-group.redrive")
    run = connector("dlq", "redrive", "--yes", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert "the brokers take no transactions (transactional_id_authorization_failed)" in run.output
    assert len(stage.read(stage.main)) == 3
    assert redrive(connector, stage, "--yes")["redriven"] == {}
    assert len(stage.read(stage.main)) == 3
