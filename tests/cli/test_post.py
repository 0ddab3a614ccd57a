"""`connector post`: one event, for real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import EVENT, PASSWORD, PHONE_NUMBER, VALUE, Run, Simulator

Configure = Callable[..., Path]


@pytest.fixture
def config(config_file: Configure, simulator: Simulator) -> Path:
    return config_file({"base_url": simulator.url})


def test_an_accepted_event_ends_with_exit_code_0(connector: Run, config: Path, event_file: Path) -> None:
    """The answer's status, request id and class are printed: vendor support asks for the id."""
    result = connector("post", event_file, "--config", config, "--yes")
    assert result.exit_code == 0
    assert "HTTP 202\nX-Request-Id: " in result.stdout
    assert "class: accepted (accepted)" in result.stdout


def test_exactly_one_event_is_posted(connector: Run, config: Path, event_file: Path, simulator: Simulator) -> None:
    """A second post would text a person twice."""
    connector("post", event_file, "--config", config, "--yes")
    assert simulator.ledger.accepted == 1


def test_a_dash_is_standard_input(connector: Run, config: Path, event_file: Path, simulator: Simulator) -> None:
    """In a pod with a read-only root, where a file cannot be put: `kubectl exec -i`."""
    result = connector("post", "-", "--config", config, "--yes", given=event_file.read_text())
    assert (result.exit_code, simulator.ledger.accepted) == (0, 1)
    nothing = connector("post", "-", "--config", config, "--yes", given="")
    assert (nothing.exit_code, simulator.ledger.accepted) == (2, 1)


def test_a_file_that_cannot_be_read_is_a_usage_error(connector: Run, config: Path, tmp_path: Path) -> None:
    for missing in (tmp_path / "missing.json", tmp_path):
        result = connector("post", missing, "--config", config, "--yes")
        assert result.exit_code == 2
        assert "No such file" in result.stderr or "directory" in result.stderr


def test_without_yes_nothing_is_posted(connector: Run, config: Path, event_file: Path, simulator: Simulator) -> None:
    """It says what it would do, and exits with 2."""
    result = connector("post", event_file, "--config", config)
    assert (result.exit_code, simulator.ledger.accepted) == (2, 0)
    assert f"POST {simulator.url}/service/v1/invokeService/0A1B" in result.stdout


def test_neither_person_nor_credential_is_shown(connector: Run, config: Path, event_file: Path) -> None:
    """Its output ends in tickets."""
    output = connector("post", event_file, "--config", config, "--yes").output
    assert "Authorization: Basic ***" in output
    assert '"phoneNumber":"…23"' in output
    assert not any(secret in output for secret in (PASSWORD, PHONE_NUMBER, VALUE))


def test_a_refused_event_is_not_posted(connector: Run, config: Path, tmp_path: Path, simulator: Simulator) -> None:
    """Every problem is printed; exit code 1."""
    event = tmp_path / "bad.json"
    event.write_text(json.dumps({**EVENT, "phoneNumber": "0123456", "serviceId": "FF"}))
    result = connector("post", event, "--config", config, "--yes")
    assert (result.exit_code, simulator.ledger.accepted) == (1, 0)
    assert "national_phone_number" in result.stdout
    assert "service_id_not_allowed" in result.stdout


def test_an_expired_event_is_not_posted(connector: Run, config: Path, tmp_path: Path, simulator: Simulator) -> None:
    """Stale is worse than late, also by hand."""
    event = tmp_path / "old.json"
    event.write_text(json.dumps({**EVENT, "expiresAt": 1_000_000_000_000}))
    result = connector("post", event, "--config", config, "--yes")
    assert (result.exit_code, simulator.ledger.accepted) == (1, 0)


def test_an_answer_that_is_not_acceptance_ends_with_exit_code_1(
    connector: Run, config_file: Configure, event_file: Path, simulator: Simulator
) -> None:
    """With the table's class and remedy."""
    config = config_file({"base_url": simulator.url, "account_id": "somebody"})
    result = connector("post", event_file, "--config", config, "--yes")
    assert result.exit_code == 1
    assert "password_file" in result.stdout


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1} {"b": 2}', "{"])
def test_a_file_that_is_not_one_object_is_a_usage_error(
    connector: Run, config: Path, tmp_path: Path, content: str
) -> None:
    """Exactly one event, never the first of several."""
    event = tmp_path / "event.json"
    event.write_text(content)
    assert connector("post", event, "--config", config, "--yes").exit_code == 2
