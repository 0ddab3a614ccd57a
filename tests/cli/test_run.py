"""`connector run` before its first record: what cannot work ends it with a word about what to do, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

Configure = Callable[..., Path]
VENDOR = {"base_url": "http://127.0.0.1:1"}
BROKER = {"bootstrap_servers": "127.0.0.1:1"}


def started(config: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs until it ends by itself."""
    command = [sys.executable, "-m", "connector", "run", "--config", str(config)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


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


def test_too_few_open_files_for_the_posts_in_flight_are_told_before_the_first_record(config_file: Configure) -> None:
    """Later each post that has no file would be one that never went, and the vendor would be held to blame."""
    config = config_file(VENDOR, kafka=BROKER, admin={"port": 0}, delivery={"in_flight": 5000})
    run = f'ulimit -n 5000 && exec "{sys.executable}" -m connector run --config "{config}"'
    ended = subprocess.run(["sh", "-c", run], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    (line,) = [found for text in ended.stderr.splitlines() if (found := orjson.loads(text))["event"] == "cannot_start"]
    assert "open 5,000 files" in line["reason"]
    assert "lower delivery.in_flight" in line["remedy"]


def test_an_error_that_nobody_foresaw_is_one_line_and_ends_the_process(config_file: Configure) -> None:
    """In the log's own shape, redacted like every other: here a host's name that no resolver takes."""
    ended = started(config_file(VENDOR, kafka=BROKER, admin={"port": 0, "host": "x" * 70}))
    assert ended.returncode == 1
    lines = [orjson.loads(text) for text in ended.stderr.splitlines()]
    (fault,) = [line for line in lines if line["event"] == "process_fault"]
    assert "label too long" in fault["exception"]


@pytest.fixture
def without_opentelemetry(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with which the extra is not there."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text('import sys\nsys.modules["opentelemetry"] = None\n')
    return str(folder)


def test_tracing_without_its_extra_is_refused_with_the_remedy(
    config_file: Configure, without_opentelemetry: str
) -> None:
    config = config_file(VENDOR, kafka=BROKER, admin={"port": 0}, tracing={"enabled": True})
    ended = started(config, PYTHONPATH=without_opentelemetry)
    assert ended.returncode == 2
    assert "tracing.enabled: OpenTelemetry is not installed: pip install 'invoke-connector[otel]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_tracing_nothing_of_the_extra_is_needed(config_file: Configure, without_opentelemetry: str) -> None:
    """It gets as far as its listener."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = {"host": "127.0.0.1", "port": taken.getsockname()[1]}
        ended = started(config_file(VENDOR, kafka=BROKER, admin=admin), PYTHONPATH=without_opentelemetry)
    assert ended.returncode == 1
    assert "cannot_start" in ended.stderr


def test_a_variable_that_opentelemetry_cannot_use_is_a_problem_of_the_configuration(config_file: Configure) -> None:
    config = config_file(VENDOR, kafka=BROKER, admin={"port": 0}, tracing={"enabled": True})
    ended = started(config, OTEL_BSP_MAX_QUEUE_SIZE="3")
    assert ended.returncode == 2
    assert "tracing: a variable OTEL_… cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr
