"""`connector offsets repeats` on real Kafka: what the ledger says of the records behind a group's commits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from connector.cli.offsets.repeats import Ledger
from connector.core.envelope import Origin
from connector.core.ledger import Entry, Fate
from connector.core.record import Partition
from connector.core.settled_map import Run, encode
from connector.core.signals import Commit
from connector.edge.avro.entries import Entries
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, SERVICE, Topics, event, make
from tests.support.kafka_broker import Kafka

_KEY = "0123456789abcdef"
_LONG_AGO_MS = 2 * 3_600_000


def entry(origin: Partition, event_id: str, fate: Fate = Fate.ACCEPTED, ago_ms: int = 0) -> Entry:
    """Of an event of this partition; settled so long ago."""
    settled_ms = time.time_ns() // 1_000_000 - ago_ms
    place = Origin(origin, 70, None)
    return Entry(event_id, PHONE, SERVICE, fate, "", 1, False, None, settled_ms, settled_ms, place)


@pytest.fixture(scope="module")
def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """Of ev-0 to ev-6 of partition 0, two are before the commit and ev-5 is in its map; partition 1 has ev-10 and no
    commit."""
    folder = tmp_path_factory.mktemp("repeats")
    stage = make(kafka, folder)
    kafka.create_topic(f"{stage.main}.ledger", 1)
    (folder / "key").write_text(_KEY)
    settings = json.loads(stage.config.read_text())
    settings["ledger"] = {"key_file": str(folder / "key")}
    stage.config.write_text(json.dumps(settings))
    zero, one, group = Partition(stage.main, 0), Partition(stage.main, 1), f"{stage.main}-group"
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number, partition in [*((each, 0) for each in range(7)), (10, 1)]:
        producer.produce(stage.main, ENCODE(event(f"ev-{number}")), PHONE.encode(), partition=partition)
    ours, others = Entries(_KEY, group), Entries(_KEY, "another")
    told = [
        *(ours.encode(entry(zero, each)) for each in ("ev-1", "ev-2", "ev-2")),
        ours.encode(entry(zero, "ev-3", Fate.RETRY)),
        ours.encode(entry(zero, "ev-4", Fate.DEAD_LETTER)),
        ours.encode(entry(one, "ev-10", ago_ms=_LONG_AGO_MS)),
        ours.encode(entry(one, "ev-3")),
        others.encode(entry(zero, "ev-6")),
        b"no entry",
    ]
    for value in told:
        producer.produce(f"{stage.main}.ledger", value)
    assert producer.flush(20) == 0
    properties = {"bootstrap.servers": kafka.bootstrap_servers}
    identities = LogIdentities(properties)
    identities.ask(stage.main)
    text, _ = encode(2, [Run(5, 5, 0)], identities.of([zero], urgent=[zero])[zero].identity)
    KafkaGroups(properties).set(group, {zero: Commit(2, text)})
    return stage


def test_what_the_ledger_has_behind_the_commits_would_be_posted_again(stage: Topics, connector: Command) -> None:
    """Entries of the same group, topic and partition count; of a record without one it is not known where later ones
    have some, and the ones behind all entries were not posted."""
    run = connector("offsets", "repeats", "--config", stage.config, "--json")
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    columns = ("offset", "records", "accepted", "accepted_before_deduplicate", "dead_letters", "untold")
    assert [[each[name] for name in columns] for each in found["partitions"]] == [
        [2, 4, 1, 0, 1, 1],
        [None, 1, 1, 1, 0, 0],
    ]
    assert (found["repeats"], found["repeats_with_deduplicate"], found["untold"]) == (2, 1, 1)


def test_it_says_what_deduplicate_would_save(stage: Topics, connector: Command) -> None:
    """And shows no phone number."""
    run = connector("offsets", "repeats", "--config", stage.config)
    assert "-0: commit 2, 4 records behind it: 1 accepted, 1 dead letters, 1 before the last of these" in run.output
    assert "-1: no commit, 1 records behind it: 1 accepted" in run.output
    assert "posted again: 2; with delivery.deduplicate of 1h, which is off: 1\n" in run.output
    assert "if they were accepted: 1 of which nothing is told" in run.output
    assert "accepted after the last entry, of 20" in run.output
    assert PHONE not in run.output


def test_without_a_ledger_nothing_is_told(connector: Command, config_file: Callable[..., Path]) -> None:
    run = connector("offsets", "repeats", "--config", config_file())
    assert run.exit_code == 2
    assert "the delivery ledger is off" in " ".join(run.stderr.replace("│", " ").split())


def test_the_seconds_of_a_long_ledger_are_not_all_kept() -> None:
    ledger = Ledger()
    for second in range(5_000):
        ledger.note(entry(Partition("main", 0), "ev")._replace(settled_ms=second * 1000))
    assert (ledger.last, ledger.lately) == (4_999, 10)
    assert len(ledger.seconds) <= 1_000
