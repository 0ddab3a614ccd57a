"""The demo as a newcomer starts it, with fewer events."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.deadline import wait_until
from tests.support.kafka_broker import Kafka

COMMAND = [sys.executable, "-m", "connector", "demo"]
EVENTS = "--events=150"
BALANCE = "The books balance: 150 records, none lost, none posted twice."


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs it with `folder` for what it leaves."""
    environ = os.environ | {"TMPDIR": str(folder)}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=100, env=environ)


def test_the_books_balance_on_the_embedded_broker_and_what_to_try_next_works(tmp_path: Path) -> None:
    """Exit code 0, one dead letter in full, and nobody's phone number on the screen. With --keep it stays up."""
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    command = [*COMMAND, EVENTS, "--keep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as running:
        assert running.stdout is not None
        printed = []
        for line in running.stdout:
            printed.append(line)
            if " dlq show " in line:
                break
        tried = [line.split() for line in printed if " dlq " in line and "--config" in line]
        admin = json.loads(Path(tried[0][-1]).read_text())["admin"]
        answers = [subprocess.run(words, capture_output=True, text=True, check=False) for words in tried]
        running.send_signal(signal.SIGINT)
        rest, errors = running.communicate(timeout=60)
    whole = "".join([*printed, rest, *(answer.stdout for answer in answers)])
    assert (running.returncode, errors) == (0, ""), whole
    assert BALANCE in whole
    # A port that was free when the demo began may be somebody else's when the connector starts: it takes its own.
    assert (admin["port"], admin["control_port"]) == (0, 0)
    assert re.search(r" taken [1-9]", whole)
    assert "One dead letter in full" in whole
    assert "invoke.reason" in whole
    assert [(answer.returncode, answer.stderr) for answer in answers] == [(0, ""), (0, "")]
    assert "dead letters" in answers[0].stdout
    assert "it would" in answers[1].stdout
    assert not any(tmp_path.iterdir())
    assert not re.search(r"55501\d\d|7700900\d\d\d", whole)


def test_the_books_balance_on_given_brokers_and_nothing_is_left_there(kafka: Kafka, tmp_path: Path) -> None:
    """Topics and group of its own, deleted afterwards."""
    ran = demo(tmp_path, EVENTS, f"--kafka={kafka.bootstrap_servers}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert BALANCE in ran.stdout
    (name,) = set(re.findall(r"connector-demo-[0-9a-f]{8}(?=\.dlq)", ran.stdout))
    admin = kafka.admin()
    assert not [group for group in admin.list_consumer_groups().result(60).valid if group.group_id == name]
    # A deletion is answered before every broker has heard of it.
    wait_until(
        lambda: not [t for t in admin.list_topics(timeout=60).topics if t.startswith(name)], 60, "topics are gone"
    )


def test_brokers_that_do_not_answer_are_a_failure_with_a_reason(tmp_path: Path) -> None:
    """Exit code 1 and a sentence, no traceback."""
    ran = demo(tmp_path, "--kafka=127.0.0.1:1")
    assert ran.returncode == 1
    assert ran.stderr.startswith("The demo broke off: ")
    assert "Traceback" not in ran.stderr


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    """Exit code 2: `apache`, which an older version took, is not looked for as a host."""
    ran = demo(tmp_path, "--kafka=apache")
    assert ran.returncode == 2
    assert "localhost:9092" in ran.stderr


def test_the_connector_does_not_outlive_the_demo() -> None:
    """SIGTERM stops both."""
    with subprocess.Popen([*COMMAND, EVENTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        process_id = next(
            int(found[1]) for line in running.stdout if (found := re.match(r"connector +process (\d+)", line))
        )
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (1, "Stopped.\n")
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
