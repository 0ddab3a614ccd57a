"""`connector status` and `connector offsets` on real Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from connector.cli.offsets.setting import changes
from connector.core.record import Partition
from connector.core.settled_map import LogIdentity, Run, encode
from connector.core.signals import Commit
from connector.edge.kafka.bounds import Bounds, Look
from connector.edge.kafka.identity import LogIdentities
from tests.cli.conftest import Run as Command
from tests.support.clusters import RealCluster, joined
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka

ROOT = Path(__file__).parents[2]
ANOTHER = LogIdentity("another-cluster", "another-topic")


class Stage(NamedTuple):
    """A topic with ten records, and settings that name it."""

    cluster: RealCluster
    partition: Partition
    config: Path

    def map_of(self, base: int, *runs: Run) -> str:
        """What a connector would commit at `base`."""
        identities = LogIdentities({"bootstrap.servers": self.cluster.kafka.bootstrap_servers})
        identities.ask(self.partition.topic)
        text, _ = encode(base, runs, identities.of([self.partition], urgent=[self.partition])[self.partition].identity)
        return text


@pytest.fixture
def stage(kafka: Kafka, config_file: Callable[..., Path]) -> Stage:
    cluster = RealCluster(kafka)
    main = cluster.create()
    partition = Partition(main, 0)
    for number in range(10):
        cluster.append(partition, str(number).encode())
    names = {"main": main, "retry": f"{main}.retry", "dead_letter": f"{main}.dlq"}
    kafka.create_topic(names["retry"])
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": cluster.group, "topics": names}
    return Stage(cluster, partition, config_file(kafka=settings))


def lines_of(output: str) -> str:
    """A table without its borders and line breaks."""
    return " ".join(output.replace("│", " ").split())


def test_status_shows_a_group_that_has_not_begun(stage: Stage, connector: Command) -> None:
    run = connector("status", "--config", stage.config)
    assert run.exit_code == 0, run.output
    assert f"group {stage.cluster.group}: not known to the brokers" in run.output
    assert f"{stage.partition} none 0 to 10 10 nothing" in lines_of(run.output)


def test_status_decodes_what_is_settled_ahead(stage: Stage, connector: Command) -> None:
    stage.cluster.commit(stage.partition, 3, stage.map_of(3, Run(5, 6, 0), Run(8, 8, 0)))
    shown = lines_of(connector("status", "--config", stage.config).output)
    assert "3 0 to 10 7 3 offsets in 2 runs, 5 to 8" in shown


@pytest.mark.parametrize(
    ("metadata", "why"),
    [("by hand", "another program's metadata"), (encode(3, (), ANOTHER)[0], "another cluster")],
)
def test_status_says_why_metadata_is_ignored(stage: Stage, connector: Command, metadata: str, why: str) -> None:
    stage.cluster.commit(stage.partition, 3, metadata)
    assert why in lines_of(connector("status", "--config", stage.config).output)


def test_status_as_json_says_the_same(stage: Stage, connector: Command) -> None:
    stage.cluster.commit(stage.partition, 3, stage.map_of(3, Run(5, 6, 0), Run(8, 8, 0)))
    run = connector("status", "--config", stage.config, "--json")
    retry = {"topic": f"{stage.partition.topic}.retry", "committed": None, "log_start": 0, "log_end": 0, "lag": 0}
    main = {"topic": stage.partition.topic, "committed": 3, "log_start": 0, "log_end": 10, "lag": 7}
    common: dict[str, Any] = {"partition": 0, "map_ignored": None, "gone": False, "unknown": []}
    assert run.exit_code == 0
    assert json.loads(run.stdout) == {
        "group": {"name": stage.cluster.group, "state": "empty", "members": 0},
        "partitions": [
            {**common, **main, "settled_ahead": 3, "settled_runs": [[5, 6], [8, 8]]},
            {**common, **retry, "settled_ahead": 0, "settled_runs": []},
        ],
        "unread_topics": {},
    }


def test_the_page_shows_the_document_of_status(stage: Stage, connector: Command) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    shown = json.loads(page.split("`status --json`")[1].split("```")[1])
    said = json.loads(connector("status", "--config", stage.config, "--json").stdout)
    assert shown.keys() == said.keys()
    assert shown["group"].keys() == said["group"].keys()
    assert [*shown["partitions"][0]] == [*said["partitions"][0]]


def test_status_as_json_names_the_topics_that_are_not_there(
    kafka: Kafka, config_file: Callable[..., Path], connector: Command
) -> None:
    names = {"main": "no-such-topic", "retry": "nor-this", "dead_letter": "nor-that"}
    file = config_file(kafka={"bootstrap_servers": kafka.bootstrap_servers, "topics": names})
    run = connector("status", "--config", file, "--group", "nobody", "--json")
    assert run.exit_code == 0
    assert json.loads(run.stdout) == {
        "group": {"name": "nobody", "state": None, "members": 0},
        "partitions": [],
        "unread_topics": {"no-such-topic": "missing", "nor-this": "missing"},
    }


def test_status_of_another_group(stage: Stage, connector: Command) -> None:
    run = connector("status", "--config", stage.config, "--group", "nobody")
    assert "group nobody: not known" in run.output


def test_what_is_exported_can_be_set_again_with_its_map(stage: Stage, connector: Command, tmp_path: Path) -> None:
    text = stage.map_of(3, Run(5, 6, 0))
    stage.cluster.commit(stage.partition, 3, text)
    exported = connector("offsets", "export", "--config", stage.config).output
    stage.cluster.commit(stage.partition, 7)
    file = tmp_path / "offsets.json"
    file.write_text(exported)

    run = connector("offsets", "set", file, "--config", stage.config, "--yes")

    assert run.exit_code == 0, run.output
    assert f"{stage.partition}: 7 → 3 with its map: up to 4 records are posted again" in run.output
    assert stage.cluster.committed_with_metadata(stage.partition) == (3, text)


def test_without_yes_nothing_is_set(stage: Stage, connector: Command, tmp_path: Path) -> None:
    stage.cluster.commit(stage.partition, 7)
    run = connector("offsets", "set", offsets_file(tmp_path, stage.partition, 9), "--config", stage.config)
    assert "up to 2 records are never posted" in run.output
    assert "nothing was done" in run.output
    assert stage.cluster.committed(stage.partition) == 7


def test_a_map_of_another_offset_is_left_out(stage: Stage, connector: Command, tmp_path: Path) -> None:
    stage.cluster.commit(stage.partition, 7)
    file = offsets_file(tmp_path, stage.partition, 4, metadata=stage.map_of(3, Run(5, 6, 0)))
    assert connector("offsets", "set", file, "--config", stage.config, "--yes").exit_code == 0
    assert stage.cluster.committed_with_metadata(stage.partition) == (4, "")


def test_a_map_of_another_cluster_is_left_out(stage: Stage, connector: Command, tmp_path: Path) -> None:
    """Whoever moves a group by hand has decided; a connector would take the commit for a translated one."""
    file = offsets_file(tmp_path, stage.partition, 4, metadata=encode(4, [Run(5, 6, 0)], ANOTHER)[0])
    assert connector("offsets", "set", file, "--config", stage.config, "--yes").exit_code == 0
    assert stage.cluster.committed_with_metadata(stage.partition) == (4, "")


async def test_a_group_with_members_is_not_touched(stage: Stage, connector: Command, tmp_path: Path) -> None:
    file = offsets_file(tmp_path, stage.partition, 9)
    async with joined(stage.cluster.member(stage.partition.topic)) as member:
        await eventually(lambda: bool(member.assigned), 60, "no assignment")
        run = connector("offsets", "set", file, "--config", stage.config, "--yes")
    assert run.exit_code == 1
    assert "stop them all first" in run.output


def test_a_partition_that_is_not_there_is_named(stage: Stage, connector: Command, tmp_path: Path) -> None:
    file = offsets_file(tmp_path, Partition(stage.partition.topic, 7), 9)
    run = connector("offsets", "set", file, "--config", stage.config, "--yes")
    assert run.exit_code == 1
    assert f"there is no {stage.partition.topic}-7" in run.output


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("{", "file"),
        ('{"group": "g"}', "offsets"),
        ('{"group": "g", "offsets": [{"topic": "t", "partition": -1, "offset": 1}]}', "offsets.0.partition"),
        ('{"group": "g", "offsets": [{"topic": "t", "partition": 0, "offset": "1"}]}', "offsets.0.offset"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_field(
    config_file: Callable[..., Path], connector: Command, tmp_path: Path, content: str, names: str
) -> None:
    file = tmp_path / "offsets.json"
    file.write_text(content)
    run = connector("offsets", "set", file, "--config", config_file())
    assert run.exit_code == 2
    assert names in lines_of(run.output)
    assert "offsets export" in lines_of(run.output)


@pytest.mark.parametrize(
    ("after", "meaning"),
    [
        (5, "as it is"),
        (3, "up to 2 records are posted again"),
        (9, "up to 4 records are never posted"),
        (12, "beyond the log's end (10)"),
        (1, "before the log's first (2)"),
    ],
)
def test_each_change_says_what_it_means(after: int, meaning: str) -> None:
    partition = Partition("t", 0)
    told = Look({partition: Bounds(2, 10, 10)})
    (line,) = changes({partition: Commit(after, "")}, {partition: Commit(5, "")}, told)
    assert meaning in line


def offsets_file(folder: Path, partition: Partition, offset: int, **more: Any) -> Path:
    """A file for one partition."""
    place = {"topic": partition.topic, "partition": partition.number, "offset": offset, **more}
    file = folder / "offsets.json"
    file.write_text(json.dumps({"group": "any", "offsets": [place]}))
    return file


def test_status_counts_what_can_be_read_and_tells_an_open_transaction_apart(
    stage: Stage, connector: Command, kafka: Kafka
) -> None:
    """Ten records can be read; three more wait for their producer."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": stage.partition.topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(stage.partition.topic, b"x", partition=0)
    assert producer.flush(60) == 0
    shown = lines_of(connector("status", "--config", stage.config).stdout)
    producer.abort_transaction(20)
    assert f"{stage.partition} none 0 to 13 10 nothing" in shown
    assert f"{stage.partition}: 3 offsets from 10 on wait for the end of an open transaction" in shown
