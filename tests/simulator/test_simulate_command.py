"""`connector simulate`: the simulator as a process of its own."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from connector.cli.simulate import simulate
from connector.simulator.rules import ACCOUNT_ID, PASSWORD

RUN = "import typer; from connector.cli.simulate import simulate; typer.run(simulate)"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(simulate)
    return app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_url_serves_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    """The URL is its first line; a signal stops it with exit code 0."""
    scenario = tmp_path / "day.yaml"
    scenario.write_text("seed: 1")
    command = [sys.executable, "-c", RUN, "--port", "0", "--scenario", str(scenario), "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(url + "/_simulator/scenario", timeout=10) as response:
            assert b'"seed":7' in response.read()
        process.send_signal(number)
        assert process.wait(10) == 0


def test_each_request_is_a_line_without_its_phone_number(tmp_path: Path) -> None:
    scenario = tmp_path / "day.yaml"
    scenario.write_text("rules: [{when: {markers: [later]}, do: {kind: reject}}]")
    command = [sys.executable, "-c", RUN, "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        for marker in ("order-7", "later", "a 12025550123", "12025-550123"):
            _post(url, marker)
        _post(url, "order-7", password="wrong")
        process.send_signal(signal.SIGTERM)
        lines = [" ".join(line.split()) for line in process.stdout]
    assert lines == [
        "accepted sim-0-0000001 service 0A1B to …23 order-7",
        "temporary sim-0-0000002 service 0A1B to …23 later",
        "accepted sim-0-0000003 service 0A1B to …23",
        "accepted sim-0-0000004 service 0A1B to …23",
        "credentials sim-0-0000005",
    ]


def _post(url: str, marker: str, password: str = PASSWORD) -> None:
    variables = {"session": {"eventId": marker, "seat": "12A"}}
    body = {"endUser": {"phoneNumber": "12025550123"}, "variables": variables}
    credentials = base64.b64encode(f"{ACCOUNT_ID}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/service/v1/invokeService/0A1B", json.dumps(body).encode(), headers)
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def test_a_wrong_scenario_is_a_usage_error(app: typer.Typer, tmp_path: Path) -> None:
    """What is wrong with the file is said, with exit code 2."""
    scenario = tmp_path / "day.yaml"
    scenario.write_text("rulez: []")
    result = CliRunner().invoke(app, ["--scenario", str(scenario)])
    assert (result.exit_code, "rulez" in result.output) == (2, True)


def test_a_taken_port_is_a_failure(app: typer.Typer) -> None:
    """A port that somebody else has ends it with exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["--port", str(taken.getsockname()[1])])
    assert (result.exit_code, "cannot listen" in result.output) == (1, True)
