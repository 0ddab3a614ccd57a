"""`connector pause` and `connector resume` against a listener with fakes behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from typer.testing import Result

from connector.config import load
from connector.core.pauses import EVERYTHING, Source, Target
from connector.edge.control import HOLDS, LONGEST_REASON
from connector.edge.listener import Listener
from connector.runtime import control
from tests.cli.conftest import Run, own_loop
from tests.support.ports import free_port
from tests.support.told import Told

TOKEN = "planted-token-0123"
WriteConfig = Callable[..., Path]


class Stage(NamedTuple):
    """A listener of these settings, and what it is told."""

    told: Told
    config: Path
    url: str


@contextmanager
def listening(config_file: WriteConfig, **admin: object) -> Iterator[Stage]:
    """A connector's listener for commands, on the port that its settings name."""
    port = free_port()
    config = config_file(admin={"control_port": port, **admin})
    told = Told()
    server = control.server(load(config, {}), told)
    with own_loop() as loop:
        asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", port), loop).result(60)
        try:
            yield Stage(told, config, f"http://127.0.0.1:{port}")
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)


@pytest.fixture
def stage(config_file: WriteConfig) -> Iterator[Stage]:
    with listening(config_file) as stage:
        yield stage


def shown(run: Result) -> str:
    """What was printed, without borders and line breaks."""
    return " ".join(run.output.translate(dict.fromkeys(map(ord, "│┃"), " ")).split())


def test_without_a_target_everything_is_paused(stage: Stage, connector: Run) -> None:
    run = connector("pause", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert [each.target for each in stage.told.paused()] == [EVERYTHING]


def test_what_is_in_force_is_shown_with_who_since_when_and_why(stage: Stage, connector: Run) -> None:
    stage.told.in_force.append("brake")
    run = connector("pause", "invocations:3", "--config", stage.config, "--reason", "[b]gates")
    assert "pause of invocations:3 command 2026-11-26 21:00:00 [b]gates" in shown(run)
    assert "brake hold connector 2026-11-26 21:00:00 a fault" in shown(run)


@pytest.mark.parametrize("kafka", [{"group_id": "another"}, {"topics": {"main": "another"}}])
@pytest.mark.parametrize("command", [["pause"], ["resume"], ["resume", "--hold", "brake"]])
def test_a_command_for_another_deployment_on_the_same_port_is_refused(
    config_file: WriteConfig, connector: Run, kafka: dict[str, object], command: list[str]
) -> None:
    """Whoever listens there says who it is, and does nothing."""
    with listening(config_file) as stage:
        stage.told.in_force.append("brake")
        port = int(stage.url.rpartition(":")[2])
        another = config_file(admin={"control_port": port}, kafka=kafka)
        run = connector(*command, "--config", another)
        assert run.exit_code == 1
        assert "this connector is group invoke-connector on topic invocations" in run.stderr
        assert stage.told.paused() == ()
        assert stage.told.in_force == ["brake"]


def test_the_table_names_the_deployment(stage: Stage, connector: Run) -> None:
    run = connector("pause", "--config", stage.config)
    assert run.output.startswith("group invoke-connector on topic invocations:\n")


def test_several_targets_are_paused_and_one_is_resumed(stage: Stage, connector: Run) -> None:
    connector("pause", "invocations", "invocations.retry", "--config", stage.config)
    run = connector("resume", "invocations", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert [each.target for each in stage.told.paused()] == [Target("invocations.retry")]


def test_without_a_target_everything_is_resumed(stage: Stage, connector: Run) -> None:
    connector("pause", "invocations:1", "invocations:2", "--config", stage.config)
    run = connector("resume", "--config", stage.config)
    assert (run.exit_code, run.output) == (
        0,
        "group invoke-connector on topic invocations: nothing is paused, no hold is in force\n",
    )


def test_what_the_file_pauses_stays_and_is_told(stage: Stage, connector: Run) -> None:
    """A script that goes on after it would be wrong: exit code 1."""
    stage.told.pauses.follow_file(frozenset({EVERYTHING}), 1)
    run = connector("resume", "--config", stage.config)
    assert run.exit_code == 1
    assert "* stays paused by the file: take it out of hold.paused_file" in run.stderr
    assert [each.source for each in stage.told.paused()] == [Source.FILE]


def test_a_part_of_a_whole_stays_and_is_told(stage: Stage, connector: Run) -> None:
    connector("pause", "invocations", "--config", stage.config)
    run = connector("resume", "invocations:3", "--config", stage.config)
    assert run.exit_code == 1
    assert "invocations stays paused as a whole, by command: resume the whole" in run.stderr


@pytest.mark.parametrize("kind", HOLDS)
def test_a_hold_is_ended_by_its_kind(stage: Stage, connector: Run, kind: str) -> None:
    stage.told.in_force.extend(HOLDS)
    run = connector("resume", "--hold", kind, "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert kind not in stage.told.in_force


def test_a_hold_that_is_not_in_force_is_told(stage: Stage, connector: Run) -> None:
    run = connector("resume", "--hold", "brake", "--config", stage.config)
    assert (run.exit_code, run.stderr) == (1, "no brake hold is in force\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "invocations:x"],
        ["resume", "not a topic"],
        ["pause", "--reason", "x" * (LONGEST_REASON + 1)],
        ["pause", "--reason", "two\nlines"],
        ["resume", "invocations", "--hold", "brake"],
        ["resume", "--hold", "retry"],
    ],
)
def test_nonsense_is_a_usage_error_before_anything_is_asked(
    config_file: WriteConfig, connector: Run, arguments: list[str]
) -> None:
    """Exit code 2, with nobody there to command."""
    assert connector(*arguments, "--config", config_file()).exit_code == 2


def test_a_topic_that_is_not_read_is_refused_with_those_that_are(stage: Stage, connector: Run) -> None:
    run = connector("pause", "invocations-3", "--config", stage.config)
    assert run.exit_code == 1
    assert "only invocations and invocations.retry are read here" in run.stderr


def test_when_nobody_listens_the_remedy_says_where_to_look(config_file: WriteConfig, connector: Run) -> None:
    run = connector("pause", "--config", config_file(admin={"control_port": free_port()}))
    assert run.exit_code == 1
    assert "is it running on this machine, or in this pod" in run.stderr
    assert "admin.control_port" in run.stderr


def test_an_address_of_ipv6_is_asked_at(config_file: WriteConfig, connector: Run) -> None:
    port = free_port()
    run = connector("pause", "--config", config_file(admin={"control_host": "::1", "control_port": port}))
    assert f"no connector can be reached at http://[::1]:{port} " in run.stderr


def test_who_listens_on_every_address_is_asked_at_loopback(
    config_file: WriteConfig, connector: Run, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("planted-token-0123")
    token.chmod(0o600)
    port = free_port()
    admin = {"control_host": "*", "control_port": port, "control_token_file": str(token)}
    run = connector("pause", "--config", config_file(admin=admin))
    assert f"no connector can be reached at http://127.0.0.1:{port} " in run.stderr


def test_another_address_can_be_named(stage: Stage, connector: Run, config_file: WriteConfig) -> None:
    run = connector("pause", "--url", stage.url + "/", "--config", config_file(admin={"control_port": free_port()}))
    assert run.exit_code == 0, run.output
    assert stage.told.pauses.everything


def test_any_free_port_must_be_named(config_file: WriteConfig, connector: Run) -> None:
    run = connector("pause", "--config", config_file(admin={"control_port": 0}))
    assert run.exit_code == 2
    assert "--url" in run.stderr


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_told(config_file: WriteConfig, connector: Run, url: str) -> None:
    run = connector("pause", "--config", config_file(), "--url", url)
    assert run.exit_code == 1
    assert "no connector can be reached" in run.stderr


def test_the_token_of_the_settings_is_brought(config_file: WriteConfig, connector: Run, tmp_path: Path) -> None:
    """Also where every interface is listened on."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with listening(config_file, control_host="0.0.0.0", control_token_file=str(file)) as stage:  # noqa: S104 - what is tested
        run = connector("pause", "--config", stage.config)
        assert run.exit_code == 0, run.output
        assert stage.told.pauses.everything


def test_a_renewed_token_counts_and_the_old_one_does_not(
    config_file: WriteConfig, connector: Run, tmp_path: Path
) -> None:
    """Without a restart; a file that is empty for a moment changes nothing."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    old = tmp_path / "old"
    old.write_text(TOKEN)
    with listening(config_file, control_token_file=str(file)) as stage:
        file.write_text("")
        as_before = config_file(admin={"control_token_file": str(old)})
        assert connector("pause", "--config", as_before, "--url", stage.url).exit_code == 0
        file.write_text("another-token-4567")
        refused = connector("resume", "--config", as_before, "--url", stage.url)
        renewed = config_file(admin={"control_token_file": str(file)})
        accepted = connector("resume", "--config", renewed, "--url", stage.url)
    assert (refused.exit_code, accepted.exit_code) == (1, 0)
    assert "admin.control_token_file" in refused.stderr
    assert "token-0123" not in refused.output


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, "404: Not Found", "no connector's listener for commands"),
        (200, "<html>", "no connector's listener for commands"),
        (200, "[]", "no connector's listener for commands"),
        (307, "", "no connector's listener for commands"),
        (500, "500 Internal Server Error", "failed at it (HTTP 500)"),
        (200, '{"paused": 3, "holds": []}', "of another version"),
    ],
)
def test_somebody_else_who_answers_is_told_apart(
    config_file: WriteConfig, connector: Run, status: int, body: str, words: str
) -> None:
    """Such as the admin listener, or a proxy."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "/"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    listener = Listener()
    with own_loop() as loop:
        port = asyncio.run_coroutine_threadsafe(listener.start(app, "127.0.0.1", 0), loop).result(60)
        run = connector("pause", "--config", config_file(admin={"control_port": port}))
        asyncio.run_coroutine_threadsafe(listener.stop(), loop).result(60)
    assert run.exit_code == 1
    assert words in run.stderr
