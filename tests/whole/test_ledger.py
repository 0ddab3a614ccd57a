"""The delivery ledger, with real Kafka and real processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connector.cli.main import app
from connector.core.ledger import Fate, Told
from connector.core.record import Partition
from connector.edge.avro.entries import decoded, hmac_of
from tests.whole.stage import Stage, books_balance, event, number, single_object

KEY = "0123456789abcdef-ledger"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    file = tmp_path / "ledger-key"
    file.write_text(f"{KEY}\n")
    return str(file)


def entries(stage: Stage, count: int) -> list[Told]:
    """The first so many entries; none of their bytes holds a phone number."""
    found = []
    for record in stage.cluster.read(Partition(f"{stage.main}.ledger", 0), count):
        told = decoded(record.value)
        assert told is not None
        assert b"1201555" not in (record.value or b"") + (record.key or b"")
        found.append(told)
    return found


def traced(config: Path, *asked: str) -> dict[str, Any]:
    """What `connector trace` says."""
    run = CliRunner().invoke(app, ["trace", *asked, "--config", str(config), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert isinstance(found, dict)
    return found


def of_another_group(config: Path) -> Path:
    """The settings of a connector that shares the topics."""
    settings = json.loads(config.read_text())
    settings["kafka"]["group_id"] = "another"
    file = config.with_name("another.yaml")
    file.write_text(json.dumps(settings))
    return file


async def test_each_settled_record_has_an_entry_and_trace_tells_of_it(stage: Stage, key_file: str) -> None:
    """By event id, by phone number and by the request id of an accepted post, which leaves nothing else in Kafka."""
    stage.create_topics()
    stage.cluster.kafka.create_topic(f"{stage.main}.ledger")
    connector = stage.connector(ledger={"key_file": key_file})
    await connector.start()
    stage.produce([single_object(event("good", 1)), b"not Avro"])
    await connector.until(accepted=1, dead_lettered=1)
    await connector.counts("ledger_written_total", 2)
    by_fate = {told.entry.fate: told for told in entries(stage, 2)}
    accepted, dead = by_fate[Fate.ACCEPTED], by_fate[Fate.DEAD_LETTER]
    assert accepted.hmac == hmac_of(KEY, number(1))
    assert (accepted.entry.event_id, accepted.entry.origin[:2]) == ("good", (Partition(stage.main, 0), 0))
    assert (dead.entry.code, dead.entry.event_id, dead.hmac) == ("bad_frame", None, None)
    request_id = accepted.entry.request_id
    assert request_id is not None
    for asked in (("good",), ("--phone", f"+{number(1)}"), ("--request-id", request_id)):
        (found,) = (await asyncio.to_thread(traced, connector.config, *asked))["events"]
        assert (found["accepted_posts"], found["now"]) == (1, ["accepted, as the ledger tells"])
        assert request_id in found["steps"][-1]["text"]
    other = of_another_group(connector.config)
    told = await asyncio.to_thread(traced, other, "good")
    assert (told["other_groups"], told["events"][0]["accepted_posts"]) == ([stage.cluster.group], 0)
    told = await asyncio.to_thread(traced, other, "good", "--all-groups")
    assert (told["other_groups"], told["events"][0]["accepted_posts"]) == ([], 1)
    assert f"(group {stage.cluster.group})" in told["events"][0]["now"][-1]
    assert await connector.stop() == 0


async def test_where_it_is_required_nothing_is_committed_without_its_entry(stage: Stage, key_file: str) -> None:
    """It goes on by itself once the ledger can be written, and has posted nothing twice."""
    stage.create_topics()
    ledger = f"{stage.main}.ledger"
    stage.cluster.kafka.create_topic(ledger)
    stage.cluster.kafka.refuse_writes(ledger)
    connector = stage.connector(
        ledger={"key_file": key_file, "required": True}, delivery={"in_flight": 1, "uncommitted": 4}
    )
    await connector.start()
    marks = [f"e-{n}" for n in range(8)]
    stage.produce([single_object(event(mark, n)) for n, mark in enumerate(marks)])
    await connector.shows(ledger_waiting=4, in_flight=0, records_accepted_total=4)
    await connector.counts("ledger_refused_total", 8)
    assert stage.cluster.committed(Partition(stage.main, 0)) <= 0

    stage.cluster.kafka.accept_writes(ledger)

    await connector.until(accepted=8)
    await connector.shows(ledger_waiting=0, records_in_hand=0)
    assert await connector.stop() == 0
    assert stage.cluster.committed(Partition(stage.main, 0)) == 8
    assert {told.entry.event_id for told in entries(stage, 8)} == set(marks)
    assert stage.accepted_once(marks)
    assert connector.lines("ledger_failed")[0]["required"] is True
    assert connector.lines("ledger_recovered")


async def test_a_ledger_that_cannot_be_written_keeps_nobody_and_is_counted(stage: Stage, key_file: str) -> None:
    stage.create_topics()
    stage.cluster.kafka.create_topic(ledger := f"{stage.main}.ledger")
    stage.cluster.kafka.refuse_writes(ledger)
    connector = stage.connector(ledger={"key_file": key_file})
    await connector.start()
    stage.produce([single_object(event("good", 1))])
    await connector.until(accepted=1)
    await connector.counts("ledger_left_out_total", 1)
    assert await connector.stop() == 0
    assert stage.cluster.committed(Partition(stage.main, 0)) == 1


async def test_what_a_producer_wrote_twice_is_posted_once_and_a_restart_remembers_it(
    stage: Stage, key_file: str
) -> None:
    """By the ledger, which is read before the first post; an event of another id behind it is posted."""
    stage.create_topics()
    stage.cluster.kafka.create_topic(f"{stage.main}.ledger")
    sections: dict[str, dict[str, Any]] = {
        "ledger": {"key_file": key_file, "required": True},
        "delivery": {"deduplicate": "10m"},
    }
    twice = single_object(event("twice", 1))
    first = stage.connector(**sections)
    await first.start()
    stage.produce([twice, twice])
    await first.shows(records_accepted_total=1, records_duplicate_total=1, records_in_hand=0)
    assert await first.stop() == 0
    stage.produce([twice, single_object(event("other", 1))])
    second = stage.connector(**sections)
    await second.start()
    metrics = await second.shows(records_accepted_total=1, records_duplicate_total=1, records_in_hand=0)
    assert books_balance(metrics)
    assert await second.stop() == 0
    assert stage.accepted_once(["twice", "other"])
    assert stage.cluster.committed(Partition(stage.main, 0)) == 4
    fates = [told.entry.fate for told in entries(stage, 4)]
    assert sorted(fates) == [Fate.ACCEPTED, Fate.ACCEPTED, Fate.DUPLICATE, Fate.DUPLICATE]
