"""`connector top` against listeners with made-up processes behind them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console
from typer.testing import Result

from connector.cli.top.frame import Frame, frame
from connector.cli.top.screen import screen
from connector.edge.admin import AdminServer
from connector.edge.status_client import Shown
from connector.observe.page.html import Page
from tests.cli.conftest import Run, own_loop
from tests.support.ports import free_port

URL = "http://a:9464"
AWAY = Shown(5.0, None, {}, "not reached")


def told(accepted: int = 0, partitions: int = 1, answers: int = 0, **changed: object) -> dict[str, Any]:
    """`/status` of a process."""
    records = {"taken": accepted, "accepted": accepted, "retried": 0, "dead_lettered": 0, "skipped": 0, "released": 0}
    rows: dict[str, object] = {
        f"invocations:{number}": {
            "committable": accepted,
            "lag": number,
            "oldest_seconds": None,
            "queued": 0,
            "in_hand": 0,
            "waits_for": [],
        }
        for number in range(partitions)
    }
    return {
        "version": "1.2.3",
        "ready": True,
        "holds": [],
        "paused": [],
        "pace": {"in_flight_limit": 32.0},
        "records": records,
        "in_hand": 5,
        "in_flight": 3,
        "uncommitted": 7,
        "oldest_unsettled_seconds": 12.0,
        "answers": {"accepted": answers or accepted, "retry_later": 2},
        "partitions": rows,
        **changed,
    }


def shown(at: float, status: Mapping[str, Any], posts: Mapping[float, float] | None = None) -> Shown:
    return Shown(at, status, posts or {})


def text_of(found: Frame, height: int = 40, width: int = 140) -> str:
    out = io.StringIO()
    Console(width=width, file=out).print(screen(found, height))
    return out.getvalue()


def test_rates_are_of_between_two_looks() -> None:
    looks = (
        [shown(10.0, told(100)), shown(10.0, told(0))],
        [shown(12.0, told(300)), shown(12.0, told(50))],
    )
    found = frame([URL, "http://b:9464"], *looks, most=20)
    assert found.rates["accepted"] == pytest.approx(125.0)
    assert found.answers["accepted"].total == 350
    assert found.answers["accepted"].rate == pytest.approx(125.0)
    assert found.partitions[0].rate == pytest.approx(100.0)


def test_the_first_look_has_no_rates() -> None:
    found = frame([URL], [], [shown(10.0, told(100))], most=20)
    assert (found.rates, found.answers["accepted"].rate, found.partitions[0].rate) == ({}, None, None)


def test_a_process_that_was_started_anew_has_no_rates_until_the_next_look() -> None:
    """Its counters begin at 0: a difference would be negative."""
    found = frame([URL], [shown(10.0, told(1000))], [shown(12.0, told(10))], most=20)
    assert found.rates == {}
    assert found.partitions[0].rate is None


def test_how_long_posts_take_is_of_the_posts_between_the_looks() -> None:
    before = {0.1: 100.0, 1.0: 100.0, float("inf"): 100.0}
    now = {0.1: 100.0, 1.0: 200.0, float("inf"): 200.0}
    found = frame([URL], [shown(1.0, told(1), before)], [shown(2.0, told(2), now)], most=20)
    assert found.post_seconds is not None
    assert list(found.post_seconds) == pytest.approx([0.55, 0.991])
    assert frame([URL], [shown(1.0, told(1), now)], [shown(2.0, told(2), now)], most=20).post_seconds is None


def test_a_process_that_is_away_is_named_and_the_others_are_shown() -> None:
    found = frame([URL, "http://b:9464"], [AWAY, shown(1.0, told(1))], [AWAY, shown(2.0, told(3))], most=20)
    assert found.rates["accepted"] == pytest.approx(2.0)
    text = text_of(found)
    assert "processes: 2, 1 ready, 1 away" in text
    assert re.search(r"http://a:9464 +away +not reached", text)


def test_what_holds_is_said_at_the_top() -> None:
    status = told(holds=[{"kind": "endpoint", "why": "down"}], paused=[{"target": "invocations:3"}], ready=False)
    text = text_of(frame([URL], [], [shown(1.0, status)], most=20))
    assert "endpoint hold; invocations:3 paused" in text


def test_a_thousand_partitions_and_fifty_processes_fit_a_terminal() -> None:
    """Those furthest behind first; of the others how many they are."""
    urls = [f"http://10.0.0.{number}:9464" for number in range(50)]
    found = frame(urls, [], [shown(1.0, told(partitions=1000))] * 50, most=20)
    assert found.partitions_in_all == 50_000
    assert found.partitions[0].lag == 999
    for height in (24, 40, 60):
        text = text_of(found, height)
        assert len(text.splitlines()) <= height
        assert re.search(r"and 49,9\d\d more", text)


@pytest.mark.parametrize("status", [{}, {"version": "1"}, [], {**told(), "records": {"taken": "many"}}])
def test_a_status_of_something_else_is_a_problem_of_that_process(status: Any) -> None:
    (process,) = frame([URL], [], [shown(1.0, status)], most=20).processes
    assert process.problem == "shows no status that this version can read"


def test_a_text_of_others_is_no_markup_and_no_control_sequence() -> None:
    text = text_of(frame([URL], [], [shown(1.0, told(answers=1) | {"answers": {"[red]\x1b[2J": 1}})], most=20))
    assert "[red]" in text
    assert "\x1b[2J" not in text


@contextmanager
def process(status: Callable[[], Mapping[str, object]]) -> Iterator[str]:
    """A listener as a connector has it; where it listens."""
    page = b'# TYPE invoke_connector_post_seconds histogram\ninvoke_connector_post_seconds_bucket{le="+Inf"} 3.0\n'
    server = AdminServer(
        lambda _form: page,
        turn_age=lambda: 0.0,
        turn_age_bound=1.0,
        is_ready=lambda: True,
        status=status,
        page=lambda: Page("", ""),
    )
    with own_loop() as loop:
        port = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result(60)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)


def counting() -> Callable[[], Mapping[str, object]]:
    """A status that moves on with every look."""
    looks = iter(range(10, 1_000_000, 10))
    return lambda: told(next(looks))


def nobody() -> str:
    return f"http://127.0.0.1:{free_port()}"


def once_answered(connector: Run, *arguments: str | Path) -> Result:
    """Run it again while somebody is too slow for it: on a machine with much to do that says nothing."""
    deadline = time.monotonic() + 60
    while True:
        run = connector("top", *arguments, "--every", "0.1")
        if "no answer within" not in run.output or time.monotonic() > deadline:
            return run


def test_once_prints_a_frame_of_two_looks(connector: Run) -> None:
    with process(counting()) as one, process(counting()) as other:
        run = once_answered(connector, "--url", one, "--url", other, "--url", nobody(), "--once")
    assert run.exit_code == 0, run.output
    assert run.output.startswith("processes: 3, 2 ready, 1 away\n")


def test_json_is_one_frame_for_programs(connector: Run) -> None:
    with process(lambda: told(7, partitions=30)) as url:
        run = once_answered(connector, "--url", url, "--json", "--partitions", "3")
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert (found["partitions_in_all"], len(found["partitions"])) == (30, 3)
    assert found["processes"][0]["problem"] is None


def test_without_any_answer_the_exit_code_is_1(connector: Run) -> None:
    run = connector("top", "--url", nobody(), "--once", "--every", "0.1")
    assert run.exit_code == 1
    assert "not reached" in run.output


def test_the_settings_name_the_process_on_this_machine(connector: Run, config_file: Callable[..., Path]) -> None:
    with process(counting()) as url:
        port = int(url.rpartition(":")[2])
        run = once_answered(connector, "--config", config_file(admin={"port": port}), "--json")
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("arguments", [[], ["--url", "pod:9464"], ["--url", "http://a:b@pod"], ["--url", "http://pod"]])
def test_whom_to_look_at_has_to_be_said_and_a_live_view_needs_a_terminal(connector: Run, arguments: list[str]) -> None:
    assert connector("top", *arguments).exit_code == 2


async def _anything(request: web.Request) -> web.Response:
    return web.Response(text="<html>")


def test_another_listener_is_no_connector(connector: Run) -> None:
    async def serve() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_get("/{path}", _anything)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    with own_loop() as loop, ExitStack() as ends:
        runner, port = asyncio.run_coroutine_threadsafe(serve(), loop).result(60)
        ends.callback(lambda: asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60))
        run = once_answered(connector, "--url", f"http://127.0.0.1:{port}", "--once")
    assert run.exit_code == 1
    assert "no connector's listener" in run.output


def test_on_a_terminal_it_is_live_until_q_is_pressed() -> None:
    """On a pseudo-terminal: a second frame has rates; the terminal is given back as it was."""
    with process(counting()) as url:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "connector", "top", "--url", url, "--every", "0.1"]
        child = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "140", "LINES": "40"},
        )
        os.close(theirs)
        try:
            seen = _read_until(ours, rb"accepted [\d.,]+/s")
            os.write(ours, b"q")
            seen += _read_until(ours, rb"\x1b\[\?1049l")
            assert child.wait(60) == 0
        finally:
            child.kill()
            child.wait()
            os.close(ours)
    assert b"processes: 1, 1 ready" in seen


def _read_until(terminal: int, wanted: bytes) -> bytes:
    """Blocks until it is there; a process that ends first fails it, and the test's own time-out one that hangs."""
    seen = b""
    while re.search(wanted, seen) is None:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            chunk = b""
        assert chunk, seen
        seen += chunk
    return seen
