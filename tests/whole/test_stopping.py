"""Being told to stop, at any time and more than once: a real process, signals, and what the vendor got."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.deadline import eventually
from tests.whole.stage import Stage, event, single_object

PATIENCE = 60.0
DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"

SLOW = {"kind": "uniform", "low": 6.0, "high": 6.2}
"""Seconds that the vendor takes for an answer: long enough to be told to stop in between."""

MOMENTS = (0.0, 0.05, 0.15, 0.3, 0.5, 0.8, "starting", "assigned")
"""Seconds after the interpreter began, or a line of the log. How far a start is by then depends on the machine, and no
answer does."""


async def test_a_second_sigterm_changes_nothing(stage: Stage) -> None:
    """There are runtimes that send it twice, and terminals that hang up. Posts are answered, and none is repeated."""
    stage.create_topics(partitions=2)
    stage.scenario(latency=SLOW)
    events = [event(f"e-{n}", n) for n in range(60)]
    stage.produce_events(events)
    connector = stage.connector(delivery={"in_flight": 20}, pace={"floor": 20})
    await connector.start()
    await connector.status_when(lambda status: status.get("in_flight", 0) >= 5)
    connector.signal(signal.SIGTERM)
    await eventually(lambda: connector.lines("stopping"), PATIENCE, "it drains")
    for again in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        connector.signal(again)
        assert (await connector.metrics())["in_flight"] > 0
    assert await connector.ended() == 0
    assert connector.lines("stopped")

    stage.scenario()
    await connector.start()
    await eventually(lambda: stage.simulator.ledger.accepted >= len(events), PATIENCE, "all are accepted")
    assert await connector.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)


@pytest.fixture
def at_a_terminal() -> Iterator[None]:
    """What the test starts is ended by a hangup, also when the tests themselves run under nohup."""
    ours = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, ours)


@pytest.mark.usefixtures("at_a_terminal")
async def test_a_hangup_is_a_stop(stage: Stage) -> None:
    """A terminal that is closed must text nobody twice."""
    stage.create_topics()
    connector = stage.connector()
    await connector.start()
    connector.signal(signal.SIGHUP)
    assert await connector.ended() == 0
    assert connector.lines("stopped")


async def test_under_nohup_a_hangup_changes_nothing(stage: Stage) -> None:
    stage.create_topics()
    connector = stage.connector()
    await connector.spawn("nohup")
    await connector.joins()
    connector.signal(signal.SIGHUP)
    stage.produce([single_object(event("after"))])
    await connector.until(accepted=1)
    assert await connector.stop() == 0


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
async def test_only_a_second_sigint_ends_the_process_at_once(stage: Stage, first: signal.Signals) -> None:
    """A person at a terminal. The first one does not count for that when somebody else has asked to stop before."""
    stage.create_topics()
    stage.scenario(rules=[{"do": {"kind": "hang"}}])
    stage.produce([single_object(event("hangs"))])
    connector = stage.connector()
    await connector.start()
    await connector.shows(in_flight=1)
    connector.signal(first)
    await eventually(lambda: connector.lines("stopping"), PATIENCE, "it drains")
    others = [signal.SIGTERM, signal.SIGINT] if first is signal.SIGTERM else [signal.SIGTERM]
    for number in others:
        connector.signal(number)
        assert (await connector.metrics())["in_flight"] == 1
    connector.signal(signal.SIGINT)
    assert await connector.ended() == 128 + signal.SIGINT


async def test_as_process_1_a_stop_at_any_moment_of_the_start_is_obeyed(stage: Stage, namespace: list[str]) -> None:
    """As the image starts it. What was posted by then is answered and committed, and mostly nothing was."""
    stage.create_topics(partitions=4)
    events = [event(f"e-{n}", n) for n in range(100)]
    stage.produce_events(events)
    for moment in MOMENTS:
        connector = stage.connector()
        process_1 = await _first_in_namespace(await connector.spawn(*namespace, *_entry_point()))
        if isinstance(moment, float):
            await asyncio.sleep(moment)
        else:
            await eventually(partial(connector.lines, moment), PATIENCE, f"it says {moment}")
        os.kill(process_1, signal.SIGTERM)
        assert await connector.ended() == 0, (moment, connector.log)
        assert "Traceback" not in connector.log

    connector = stage.connector()
    await connector.start()
    await eventually(lambda: stage.simulator.ledger.accepted >= len(events), PATIENCE, "all are accepted")
    assert await connector.stop() == 0
    assert stage.accepted_once(fields["eventId"] for fields in events)


async def test_as_process_1_another_command_ends_by_sigterm(namespace: list[str]) -> None:
    """A Job that is deleted: with the signal's code, unless the command has an end of its own for it."""
    words = (*namespace, *_entry_point(), sys.executable, "-m", "connector", "simulate", "--port", "0")
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    os.kill(await _first_in_namespace(process.pid), signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() in (0, 128 + signal.SIGTERM)


async def test_before_the_group_is_joined_a_stop_ends_the_process_at_once(stage: Stage) -> None:
    """Also while its main thread is busy: here it reads its settings from a file that does not come."""
    stage.create_topics()
    connector = stage.connector()
    connector.config.unlink()
    os.mkfifo(connector.config)
    await connector.spawn()
    writing = await asyncio.to_thread(connector.config.open, "w")  # it has begun to read
    with writing:
        connector.signal(signal.SIGTERM)
        assert await connector.ended() == 0
    assert connector.log == ""


async def test_a_stop_is_obeyed_while_no_broker_answers(stage: Stage) -> None:
    stage.create_topics()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connector = stage.connector(kafka={"bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}"})
        await connector.spawn()
        await eventually(lambda: connector.lines("starting"), PATIENCE, "it begins")
        async with asyncio.timeout(PATIENCE):
            assert await connector.stop() == 0


@pytest.fixture
def namespace() -> list[str]:
    """The words of a command that starts another one as process 1 of a PID namespace; fails in CI where it cannot."""
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        words += ["--user", "--map-root-user"]
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"no PID namespace to be had ({error}): run as root, or allow user namespaces"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return words


def _entry_point() -> list[str]:
    """What the image puts before the program."""
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE.read_text(encoding="utf-8"), re.M)
    before: list[str]
    *before, program = json.loads(entry)
    assert program == "connector"
    return before


async def _first_in_namespace(unshare: int) -> int:
    """Process 1 of the namespace by its number out here, once it is the interpreter, which has done nothing yet."""

    def is_there() -> int:
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
        if not children:
            return 0
        words = Path(f"/proc/{children[0]}/cmdline").read_bytes().split(b"\0")
        return int(children[0]) if b"python" in words[0] else 0

    return await eventually(is_there, PATIENCE, "the interpreter begins")
