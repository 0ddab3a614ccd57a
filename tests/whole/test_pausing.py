"""Who may stop a process or slow it down: people, by commands and a file, the vendor, and the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.mount import Mount
from tests.whole.stage import ListeningVendor, Stage, event, single_object

PATIENCE = 60.0
NEVER = {"first": "1h", "longest": "1h"}
"""Longer than any test."""


def _produce(stage: Stage, partition: int, *marks: str) -> None:
    stage.produce([single_object(event(mark, crc32(mark.encode()) % 10_000)) for mark in marks], partition=partition)


def _at(stage: Stage) -> Sequence[float]:
    """When each request came, by the vendor's clock."""
    assert isinstance(stage.simulator.vendor, ListeningVendor)
    return stage.simulator.vendor.at


async def _accepted(stage: Stage, *marks: str) -> None:
    """Wait until the vendor has accepted these, each once, and see that it has accepted nothing else."""
    await eventually(lambda: not stage.lost(marks), PATIENCE, f"{marks} are accepted")
    assert stage.accepted_once(marks)


async def _rest(connector: ConnectorProcess, *partitions: str) -> None:
    """Wait until these are its own and take nothing, because somebody said so."""

    def rest(status: Mapping[str, Any]) -> bool:
        found = status.get("partitions", {})
        # Not only: a pause of everything is a hold, too, of what is known to wait.
        return all("paused" in found.get(partition, {}).get("waits_for", ()) for partition in partitions)

    await connector.status_when(rest)


async def _told(connector: ConnectorProcess, code: int, *command: str) -> str:
    got, printed = await connector.command(*command)
    assert got == code, printed
    return printed


async def test_commands_pause_and_resume_a_partition_and_everything(stage: Stage) -> None:
    """A part of what is paused as a whole cannot be resumed; the command says so and fails."""
    stage.create_topics(partitions=2)
    zero, one = f"{stage.main}:0", f"{stage.main}:1"
    connector = stage.connector()
    await connector.start()
    assert "pause of" in await _told(connector, 0, "pause", one, "--reason", "gate B twice")
    _produce(stage, 1, "paused")
    _produce(stage, 0, "beside")
    await _accepted(stage, "beside")
    await _rest(connector, f"{stage.main}-1")
    status = await connector.status()
    assert [(each["target"], each["source"]) for each in status["paused"]] == [(one, "command")]

    await _told(connector, 0, "pause")
    _produce(stage, 0, "held")
    await _rest(connector, f"{stage.main}-0")
    assert "paused as a whole" in await _told(connector, 1, "resume", zero)
    await _accepted(stage, "beside")

    await _told(connector, 0, "resume")
    await _accepted(stage, "beside", "held", "paused")
    assert [line["kind"] for line in connector.lines("hold_left")] == ["manual"]
    assert await connector.stop() == 0


async def test_a_topic_that_is_paused_lets_the_other_one_go_on(stage: Stage) -> None:
    """Retries are posted while the main topic is paused."""
    stage.create_topics(partitions=2)
    stage.scenario(rules=[{"when": {"markers": ["later"], "first": 1, "of": "invocation"}, "do": {"kind": "reject"}}])
    connector = stage.connector(retry={"delay": "3s"})
    await connector.start()
    _produce(stage, 0, "later")
    await connector.until(retried=1)
    await _told(connector, 0, "pause", stage.main)
    _produce(stage, 0, "paused")
    _produce(stage, 1, "paused-too")
    await _accepted(stage, "later")
    await _told(connector, 0, "resume", stage.main)
    await _accepted(stage, "later", "paused", "paused-too")
    assert await connector.stop() == 0


async def test_the_file_pauses_from_the_start_and_is_followed_as_it_changes(stage: Stage, tmp_path: Path) -> None:
    """Swapped as kubelet swaps a ConfigMap; no command undoes what it says."""
    stage.create_topics(partitions=2)
    pauses = Mount(tmp_path / "pauses", paused="*\n")
    connector = stage.connector(hold={"paused_file": str(pauses["paused"])})
    _produce(stage, 0, "zero")
    _produce(stage, 1, "one")
    await connector.start()
    await _rest(connector, f"{stage.main}-0", f"{stage.main}-1")
    assert "by the file" in await _told(connector, 1, "resume")
    assert stage.simulator.ledger.answers == {}
    pauses.swap(paused=f"# partition 1 again tomorrow\n{stage.main}:1\n")
    await _accepted(stage, "zero")
    pauses.swap(paused="")
    await _accepted(stage, "zero", "one")
    assert await connector.stop() == 0


async def test_a_command_tries_a_canary_at_once(stage: Stage) -> None:
    """Somebody who knows that the account was unblocked need not wait for the canary's time."""
    stage.create_topics(partitions=2)
    blocked = {"do": {"kind": "reject", "cause": "blocked"}}
    stage.scenario(rules=[blocked])
    marks = [f"e-{n}" for n in range(20)]
    for n, mark in enumerate(marks):
        _produce(stage, n % 2, mark)
    connector = stage.connector(hold={"canary": NEVER})
    await connector.start()
    await eventually(lambda: connector.lines("hold_entered"), PATIENCE, "posting stops")
    await _told(connector, 0, "resume", "--hold", "deployment")
    await connector.status_when(lambda status: [hold["tries"] for hold in status.get("holds", ())] == [1])
    assert stage.simulator.ledger.answers == {"blocked": 2}
    stage.scenario()
    await _told(connector, 0, "resume", "--hold", "deployment")
    await _accepted(stage, *marks)
    assert "no deployment hold is in force" in await _told(connector, 1, "resume", "--hold", "deployment")
    assert await connector.stop() == 0


async def test_the_brake_stops_mass_dead_lettering_until_a_command_lets_it_go(stage: Stage) -> None:
    """What would be dead letters waits, and is written then; nothing is posted a second time for it."""
    stage.create_topics()
    stage.scenario(rules=[{"do": {"kind": "reject", "cause": "permanent"}}])
    _produce(stage, 0, *(f"e-{n}" for n in range(60)))
    connector = stage.connector(hold={"brake": {"minimum": 10}, "canary": NEVER})
    await connector.start()
    await eventually(lambda: connector.lines("hold_entered"), PATIENCE, "it brakes")
    metrics = await connector.shows(in_flight=0)
    assert metrics["records_dead_lettered_total"] < 10
    assert [hold["kind"] for hold in (await connector.status())["holds"]] == ["brake"]
    await _told(connector, 0, "resume", "--hold", "brake")
    await connector.until(dead_lettered=60)
    assert await connector.stop() == 0
    assert len(connector.lines("hold_entered")) == 1


@pytest.mark.parametrize(
    ("slip", "setting"),
    [
        ({"openmarket": {"service_ids": ["FFFF"]}}, "openmarket.service_ids"),
        ({"schemas": {"framing": "confluent"}}, "schemas.framing"),
    ],
    ids=["allow-list", "framing"],
)
async def test_a_slip_of_the_deployment_empties_nothing_into_the_dead_letters(
    stage: Stage, slip: dict[str, Any], setting: str
) -> None:
    """Nothing was ever posted, and a setting of ours may be the reason: every record keeps its place."""
    stage.create_topics()
    marks = [f"e-{n}" for n in range(36)]
    _produce(stage, 0, *marks)
    connector = stage.connector(**slip)
    await connector.start()
    metrics = await connector.shows(records_waiting=36)
    assert metrics["records_dead_lettered_total"] == 0
    (line,) = connector.lines("hold_entered")
    assert (line["kind"], line["level"], line["offset"]) == ("brake", "error", 0)
    assert setting in line["why"]
    assert await connector.stop() == 0
    mended = stage.connector()
    await mended.start()
    await _accepted(stage, *marks)
    assert await mended.stop() == 0


async def test_what_the_vendor_asks_for_twice_in_a_row_is_a_pause_of_the_process(stage: Stage) -> None:
    """All wait for as long as its `Retry-After` says; nobody goes to the retry topic for it."""
    marks, connector = await _turned_away(stage, 2)
    waited = _at(stage)[2] - _at(stage)[1]
    assert waited >= _PAUSE
    assert [line["kind"] for line in connector.lines("hold_entered")] == ["retry_after"]
    assert len(_at(stage)) == len(marks) + 2


async def test_one_who_is_asked_to_wait_does_not_stop_the_others(stage: Stage) -> None:
    """It waits in its place, and its end user's later events with it; nobody else does."""
    marks, connector = await _turned_away(stage, 1)
    at = _at(stage)
    assert at[-1] - at[0] >= _PAUSE
    assert at[-2] - at[0] < _PAUSE
    assert connector.lines("hold_entered") == []
    assert len(at) == len(marks) + 1


_PAUSE = 2
"""Seconds that the vendor asks to wait."""


async def _turned_away(stage: Stage, count: int) -> tuple[list[str], ConnectorProcess]:
    """The first so many posts of all are asked to wait; all end well."""
    stage.create_topics(partitions=2)
    too_many = {"kind": "too_many", "retry_after": _PAUSE}
    stage.scenario(rules=[{"when": {"first": count, "of": "all"}, "do": too_many}])
    marks = [f"e-{n}" for n in range(30)]
    for n, mark in enumerate(marks):
        _produce(stage, n % 2, mark)
    connector = stage.connector()
    await connector.start()
    await _accepted(stage, *marks)
    metrics = await connector.shows(records_in_hand=0)
    assert (metrics["records_retried_total"], metrics["records_dead_lettered_total"]) == (0, 0)
    assert await connector.stop() == 0
    return marks, connector


async def test_two_processes_keep_the_rate_of_the_deployment_together(stage: Stage) -> None:
    """Each takes the part that its partitions are of all: of twice the rate nothing is to be seen."""
    rate, count = 100, 400
    stage.create_topics(partitions=4)
    connectors = [stage.connector(pace={"rate": rate}, log={"accepted": False}) for _ in range(2)]
    await asyncio.gather(*(connector.start() for connector in connectors))

    def one_whole(paces: Sequence[Mapping[str, float]]) -> bool:
        return (
            all(0.0 < pace.get("share", 0.0) < 1.0 for pace in paces)
            and sum(pace["share"] for pace in paces) == pytest.approx(1.0, abs=0.001)
            and sum(pace["rate"] for pace in paces) == pytest.approx(rate)
        )

    async with asyncio.timeout(PATIENCE):
        while not one_whole(  # noqa: ASYNC110 - two processes are asked, which have no event to share
            [(await connector.status()).get("pace", {}) for connector in connectors]
        ):
            await asyncio.sleep(0.05)
    marks = [f"e-{n}" for n in range(count)]
    stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
    await _accepted(stage, *marks)
    at = _at(stage)
    assert at[-1] - at[0] >= 0.7 * count / rate
    for connector in connectors:
        assert await connector.stop() == 0
        assert connector.lines("hold_entered") == []
