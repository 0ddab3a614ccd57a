"""`connector run` before its first record: what cannot work ends it with a word about what to do, and no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

Configure = Callable[..., Path]
VENDOR = {"base_url": "http://127.0.0.1:1"}
BROKER = {"bootstrap_servers": "127.0.0.1:1"}


def started(config: Path) -> subprocess.CompletedProcess[str]:
    """Runs until it ends by itself."""
    command = [sys.executable, "-m", "connector", "run", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_a_kafka_property_that_does_not_exist_is_a_problem_of_the_configuration(config_file: Configure) -> None:
    """librdkafka knows its properties; its refusal names the one that is wrong."""
    kafka = {**BROKER, "client": {"no.such.property": 1}}
    ended = started(config_file(VENDOR, kafka=kafka, admin={"port": 0}))
    assert ended.returncode == 2
    assert "no.such.property" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_somebody_else_has_is_named_with_the_setting(config_file: Configure) -> None:
    """`cannot_start` says what to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = {"host": "127.0.0.1", "port": taken.getsockname()[1]}
        ended = started(config_file(VENDOR, kafka=BROKER, admin=admin))
    assert ended.returncode == 1
    (line,) = [found for text in ended.stderr.splitlines() if (found := orjson.loads(text))["event"] == "cannot_start"]
    assert "address already in use" in line["reason"]
    assert "admin.port" in line["remedy"]


def test_an_error_that_nobody_foresaw_is_one_line_and_ends_the_process(config_file: Configure) -> None:
    """In the log's own shape, redacted like every other: here a host's name that no resolver takes."""
    ended = started(config_file(VENDOR, kafka=BROKER, admin={"port": 0, "host": "x" * 70}))
    assert ended.returncode == 1
    lines = [orjson.loads(text) for text in ended.stderr.splitlines()]
    (fault,) = [line for line in lines if line["event"] == "process_fault"]
    assert "UnicodeError: label too long" in fault["exception"]
