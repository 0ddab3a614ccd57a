"""`connector offsets repeats` on real Kafka: what the ledger says of the records behind a group's commits."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from connector.cli.offsets.behind import ACCEPTED, UNREADABLE, Behind, Event, Ledger
from connector.core.envelope import Origin
from connector.core.ledger import Entry, Fate, Told
from connector.core.record import Partition
from connector.core.settled_map import Run, encode
from connector.core.signals import Commit
from connector.edge.avro.entries import Entries, decoded
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, SERVICE, Topics, event, make
from tests.support.kafka_broker import Kafka

_KEY = "0123456789abcdef"
_LONG_AGO_MS = 2 * 3_600_000
_PARTITION = Partition("main", 0)


def entry(origin: Partition, event_id: str, fate: Fate = Fate.ACCEPTED, ago_ms: int = 0) -> Entry:
    """Of an event of this partition; settled so long ago."""
    settled_ms = time.time_ns() // 1_000_000 - ago_ms
    place = Origin(origin, 70, None)
    return Entry(event_id, PHONE, SERVICE, fate, "", 1, False, None, settled_ms, settled_ms, place)


def told(written: Entry, key: str = _KEY) -> Told:
    """The entry as it is read."""
    found = decoded(Entries(key, "group").encode(written))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """Of ev-0 to ev-7 of partition 0, two are before the commit, ev-5 is in its map and ev-7 is past its time. The
    others have no commit: 1 has ev-10 and ev-11, and 2 a record of a schema that is not known, and one without a value.
    """
    folder = tmp_path_factory.mktemp("repeats")
    stage = make(kafka, folder, partitions=3)
    kafka.create_topic(f"{stage.main}.ledger", 2)
    (folder / "key").write_text(_KEY)
    settings = json.loads(stage.config.read_text())
    settings["ledger"] = {"key_file": str(folder / "key")}
    stage.config.write_text(json.dumps(settings))
    zero, one, group = Partition(stage.main, 0), Partition(stage.main, 1), f"{stage.main}-group"
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number, partition in [*((each, 0) for each in range(7)), (10, 1), (11, 1)]:
        producer.produce(stage.main, ENCODE(event(f"ev-{number}")), PHONE.encode(), partition=partition)
    producer.produce(stage.main, ENCODE(event("ev-7", expiresAt=1)), PHONE.encode(), partition=0)
    for value in (b"\0\0\0\0\x4dof schema 77", None):
        producer.produce(stage.main, value, PHONE.encode(), partition=2)
    ours, others, before = Entries(_KEY, group), Entries(_KEY, "another"), Entries("another key of old", group)
    entries = [
        *((0, ours.encode(entry(zero, each))) for each in ("ev-1", "ev-2", "ev-2", "ev-7")),
        (0, ours.encode(entry(zero, "ev-3", Fate.RETRY))),
        (0, ours.encode(entry(zero, "ev-4", Fate.DEAD_LETTER))),
        (1, ours.encode(entry(one, "ev-10", ago_ms=_LONG_AGO_MS))),
        (1, before.encode(entry(one, "ev-11", ago_ms=_LONG_AGO_MS))),
        (1, ours.encode(entry(one, "ev-3", ago_ms=_LONG_AGO_MS))),
        (0, others.encode(entry(zero, "ev-6"))),
        (0, b"no entry"),
    ]
    for partition, value in entries:
        producer.produce(f"{stage.main}.ledger", value, partition=partition)
    assert producer.flush(60) == 0
    properties = {"bootstrap.servers": kafka.bootstrap_servers}
    identities = LogIdentities(properties)
    identities.ask(stage.main)
    text, _ = encode(2, [Run(5, 5, 0)], identities.of([zero], urgent=[zero])[zero].identity)
    KafkaGroups(properties).set(group, {zero: Commit(2, text)})
    return stage


def test_what_the_ledger_has_behind_the_commits_would_be_posted_again(stage: Topics, connector: Command) -> None:
    """Entries of the same group, topic and partition count; of a record without one it is not known where later ones
    have some, and the ones behind all entries were not posted. What is a dead letter today is not posted again, and
    what cannot be read is counted apart."""
    run = connector("offsets", "repeats", "--config", stage.config, "--json")
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    columns = ("offset", "records", "entries", "accepted", "dead_letters", "untold", "unreadable", "refused_today")
    assert [[each[name] for name in columns] for each in found["partitions"]] == [
        [2, 5, 6, 1, 1, 1, 0, 1],
        [None, 2, 3, 2, 0, 0, 0, 0],
        [None, 2, 0, 0, 0, 0, 2, 0],
    ]
    assert (found["repeats"], found["untold"], found["unreadable"]) == (3, 1, 2)
    assert (found["repeats_with_deduplicate"], found["repeats_with_deduplicate_in_one_process"]) == (2, 2)


def test_it_says_what_deduplicate_would_save(stage: Topics, connector: Command) -> None:
    """And of which partition of the ledger the last entry is the earliest. It shows no phone number."""
    run = connector("offsets", "repeats", "--config", stage.config)
    assert "-0: commit 2, 5 records behind it: 1 accepted, 1 dead letters, 1 before the last of these" in run.output
    assert "-1: no commit, 2 records behind it: 2 accepted" in run.output
    assert "-2: no commit, 2 records behind it: nothing is told of this partition, 2 cannot be read\n" in run.output
    assert "posted again: 3; with delivery.deduplicate of 1h, which is off: at least 2\n" in run.output
    assert "if they were accepted: 1 of which nothing is told" in run.output
    assert "not counted: 2 that cannot be read" in run.output
    assert f"UTC (in {stage.main}.ledger-1; others have later ones): " in run.output
    assert PHONE not in run.output


def test_figures_that_are_not_to_be_relied_on_fail(stage: Topics, connector: Command, tmp_path: Path) -> None:
    """Since the registry does not answer, and since the ledger was written with another key. What the mapping passes
    over, such as a record without a value, is not counted at all."""
    (tmp_path / "key").write_text("fedcba9876543210")
    mapped = {"schema": "Booking", "eventId": "id", "serviceId": {"value": SERVICE}, "phoneNumber": "phone"}
    settings = json.loads(stage.config.read_text())
    settings["ledger"] = {"key_file": str(tmp_path / "key")}
    settings["mapping"] = {"events": [mapped], "others": "skip"}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings["schemas"] = {"registry": {"url": f"http://127.0.0.1:{closed.getsockname()[1]}"}}
        (tmp_path / "config.yaml").write_text(json.dumps(settings))
        run = connector("offsets", "repeats", "--config", tmp_path / "config.yaml", "--json")
    assert run.exit_code == 1, run.output
    found = json.loads(run.stdout)
    assert (found["partitions"][2]["records"], found["unreadable"]) == (1, 1)
    assert (found["repeats"], found["repeats_with_deduplicate"]) == (3, 3)
    unread, other_key = found["problems"]
    assert unread.startswith("1 records cannot be read: schema: schema_unavailable (")
    assert "ledger.key_file has another key" in other_key
    assert unread in run.stderr


def test_a_group_that_runs_is_said_and_one_that_starts_at_the_end_has_nothing_behind(
    stage: Topics, connector: Command, tmp_path: Path
) -> None:
    settings = json.loads(stage.config.read_text())
    settings["kafka"] |= {"group_id": f"{stage.main}-new", "start": "latest"}
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    member = Consumer({"bootstrap.servers": stage.kafka.bootstrap_servers, "group.id": f"{stage.main}-new"})
    member.subscribe([stage.main])
    deadline = time.monotonic() + 60
    while not member.assignment():
        assert time.monotonic() < deadline, "no assignment"
        member.poll(0.1)
    run = connector("offsets", "repeats", "--config", tmp_path / "config.yaml", "--json")
    member.close()
    assert run.exit_code == 1, run.output
    found = json.loads(run.stdout)
    assert [each["records"] for each in found["partitions"]] == [0, 0, 0]
    assert found["problems"] == [f"group {stage.main}-new has 1 members: stop them all first"]


def test_without_a_ledger_nothing_is_told(connector: Command, config_file: Callable[..., Path]) -> None:
    run = connector("offsets", "repeats", "--config", config_file())
    assert run.exit_code == 2
    assert "the delivery ledger is off" in " ".join(run.stderr.replace("│", " ").split())


def _one(service_id: str | None = SERVICE) -> Behind:
    """A partition with one event behind its commit."""
    behind = Behind(0)
    behind.add(Event("ev", service_id, Entries(_KEY, "group").hmac_of(PHONE)))
    return behind


@pytest.mark.parametrize(
    ("behind", "entry_of_it"),
    [
        (_one(), told(entry(_PARTITION, "ev"), "another key")),
        (_one(), told(entry(_PARTITION, "ev")._replace(end_user=""))),
        (_one(), told(entry(_PARTITION, "ev")._replace(service_id=None))),
        (_one(), told(entry(_PARTITION, "ev")._replace(service_id="0A1C"))),
        (_one(None), told(entry(_PARTITION, "ev"))),
    ],
)
def test_deduplicate_knows_an_event_by_service_and_hmac(behind: Behind, entry_of_it: Told) -> None:
    behind.tell(entry_of_it)
    assert (behind.count(ACCEPTED), behind.unrecognised(0)) == (1, 1)
    same = _one()
    same.tell(told(entry(_PARTITION, "ev")))
    assert (same.count(ACCEPTED), same.unrecognised(0)) == (1, 0)


def test_what_cannot_be_read_is_told_by_no_entry() -> None:
    behind = Behind(0)
    behind.add_other(UNREADABLE)
    behind.tell(told(entry(_PARTITION, "ev")._replace(event_id=None)))
    assert (behind.count(UNREADABLE), behind.count(ACCEPTED), behind.untold) == (1, 0, 0)


def test_a_process_remembers_the_newest_only() -> None:
    ledger, written = Ledger(most=2), entry(_PARTITION, "ev")
    for settled_ms in (3_000, 1_000):
        ledger.note(_PARTITION, told(written._replace(settled_ms=settled_ms)))
    assert ledger.not_remembered(0) is None
    ledger.note(_PARTITION, told(written._replace(settled_ms=2_000)))
    assert ledger.not_remembered(0) == 1_000
    assert ledger.not_remembered(1_000) is None


def test_each_partition_of_the_ledger_has_a_last_entry() -> None:
    """In a mirror they lag on their own. The seconds of a long one are not all kept."""
    ledger, other, written = Ledger(most=1), Partition("main", 1), told(entry(_PARTITION, "ev"))
    for second in range(5_000):
        settled = written.entry._replace(settled_ms=second * 1000)
        ledger.note(_PARTITION, written._replace(entry=settled))
    ledger.note(other, written._replace(entry=written.entry._replace(settled_ms=7_000)))
    assert (ledger.lasts, ledger.lately) == ({_PARTITION: 4_999, other: 7}, 10)
