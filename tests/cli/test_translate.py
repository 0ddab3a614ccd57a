"""`connector offsets translate` and `export` on real Kafka: a group goes on in another cluster where it stopped."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from connector.cli.offsets.files import unanswered
from connector.core.record import Partition
from connector.core.settled_map import Run, decode, encode
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.identity import Log, LogIdentities
from connector.edge.kafka.stretches import Stretches
from tests.cli.conftest import Run as Command
from tests.support.clusters import RealCluster, joined
from tests.support.deadline import eventually, wait_until
from tests.support.kafka_broker import Kafka, KafkaBroker
from tests.support.mirror import End, mirror

COUNT = 200


class Side(NamedTuple):
    """A cluster with a topic of one partition, and the settings of a connector there."""

    cluster: RealCluster
    partition: Partition
    config: Path

    @property
    def end(self) -> End:
        return End(self.cluster.kafka.bootstrap_servers, self.partition)

    def log(self) -> Log:
        """The partition's, as Kafka tells it now."""
        identities = LogIdentities({"bootstrap.servers": self.cluster.kafka.bootstrap_servers})
        identities.ask(self.partition.topic)
        return identities.of([self.partition], urgent=[self.partition])[self.partition]

    def commit(self, offset: int, *ahead: tuple[int, int]) -> None:
        """As a connector does that has settled so much."""
        text, _ = encode(offset, [Run(first, last, 0) for first, last in ahead], self.log().identity)
        self.cluster.commit(self.partition, offset, text)

    def append(self, values: Iterable[bytes], *, in_transaction: bool = False) -> None:
        """Write them; the marker of a transaction takes an offset after them."""
        properties = {"transactional.id": "events"} if in_transaction else {"linger.ms": "1"}
        producer = Producer({"bootstrap.servers": self.cluster.kafka.bootstrap_servers, **properties})
        if in_transaction:
            producer.init_transactions(20)
            producer.begin_transaction()
        for number, value in enumerate(values):
            key, headers = b"phone-%d" % (number % 7), [("traceparent", b"00")]
            producer.produce(self.partition.topic, value, key, partition=0, headers=list(headers))
        assert producer.flush(60) == 0
        if in_transaction:
            producer.commit_transaction(20)
            self.wait_for(number + 2)

    def wait_for(self, end: int) -> None:
        """The broker writes the marker of a transaction after it has said that it is over."""
        wait_until(lambda: self.cluster.end(self.partition) == end, 60, "no marker")

    def skipped(self) -> set[bytes | None]:
        """The values of the records that a connector which starts here does not post."""
        offset, metadata = self.cluster.committed_with_metadata(self.partition)
        log = self.log()
        runs = decode(metadata, offset, log.identity, log.end)
        assert not isinstance(runs, str), runs
        with Stretches({"bootstrap.servers": self.cluster.kafka.bootstrap_servers}) as reader:
            return {
                each.value
                for each in reader.read(self.partition, 0, log.end)
                if each.offset < offset or any(run.first <= each.offset <= run.last for run in runs)
            }


def side(kafka: Kafka, folder: Path, config_file: Callable[..., Path], name: str | None = None) -> Side:
    """A new topic and group at this broker."""
    cluster = RealCluster(kafka)
    topic = cluster.create()
    names = {"main": topic, "retry": f"{topic}.retry", "dead_letter": f"{topic}.dlq"}
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": cluster.group, "topics": names}
    written = config_file(kafka=settings)
    config = folder / f"{name or uuid.uuid4().hex}.yaml"
    written.rename(config)
    return Side(cluster, Partition(topic, 0), config)


@pytest.fixture
def source(kafka: Kafka, tmp_path: Path, config_file: Callable[..., Path]) -> Side:
    """A topic with records."""
    made = side(kafka, tmp_path, config_file)
    made.append(values(0, COUNT))
    return made


@pytest.fixture
def target(kafka: Kafka, tmp_path: Path, config_file: Callable[..., Path]) -> Side:
    """Another topic and group. It is the same cluster, and nothing here knows."""
    return side(kafka, tmp_path, config_file)


def values(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def translate(connector: Command, source: Side, target: Side, *more: str) -> tuple[int, str]:
    run = connector("offsets", "translate", "--from", source.config, "--to", target.config, *more)
    return run.exit_code, " ".join(run.output.split())


def test_in_another_cluster_exactly_what_was_settled_is_skipped(
    kafka: Kafka, private_kafka: KafkaBroker, tmp_path: Path, config_file: Callable[..., Path], connector: Command
) -> None:
    """Two brokers, offsets that differ by a transaction's marker, a map with two runs, MirrorMaker's own commit: none
    is posted again, none is lost."""
    source, target = side(kafka, tmp_path, config_file), side(private_kafka, tmp_path, config_file)
    source.append(values(0, COUNT // 2), in_transaction=True)
    source.append(values(COUNT // 2, COUNT))
    source.commit(131, (140, 149), (152, 152))  # of numbers 0 to 129, 139 to 148 and 151, behind one marker
    mirror(source.end, target.end)
    target.cluster.commit(target.partition, 90)

    code, said = translate(connector, source, target)
    assert code == 0, said
    assert "131 and 11 settled ahead → 130 and 11 settled ahead" in said
    assert "posted again: up to 0; with the commits that are there now up to 51" in said
    assert "nothing was done" in said
    assert target.cluster.committed_with_metadata(target.partition) == (90, "")

    assert translate(connector, source, target, "--yes")[0] == 0
    assert target.skipped() == {*values(0, 130), *values(139, 149), *values(151, 152)}

    code, said = translate(connector, source, target, "--yes", "--json")
    assert code == 0, said
    (line,) = json.loads(said)["partitions"]
    assert (line["offset"], line["ahead"], line["repeats"], line["repeats_now"]) == (130, 11, 0, 0)


def test_a_topic_that_is_no_mirror_is_refused(source: Side, target: Side, connector: Command) -> None:
    source.commit(50)
    target.append(b"other-%d" % number for number in range(COUNT))
    code, said = translate(connector, source, target, "--yes")
    assert code == 1
    assert "the records do not match" in said
    assert "--leave goes on without one; nothing was done" in said
    code, said = translate(connector, source, target, "--yes", "--leave", f"{target.partition.topic}:0")
    assert code == 0, said
    assert "left as it is: nothing is set: it has no commit at the target" in said
    assert "0 offsets set" in said
    assert target.cluster.committed_with_metadata(target.partition) == (-1001, "")
    code, said = translate(connector, source, target, "--yes", "--leave", f"{source.partition.topic}:0")
    assert code == 2
    assert "is no partition that is" in said


def test_a_mirror_that_has_not_caught_up_is_refused(source: Side, target: Side, connector: Command) -> None:
    """What it brings later would be posted again."""
    source.commit(50)
    mirror(source.end, target.end, most=40)
    code, said = translate(connector, source, target, "--yes")
    assert code == 1
    assert "10 records or more that are settled at the source are not at the target yet" in said


def test_a_mirror_that_wrote_more_twice_than_is_compared_first_is_looked_at_again(
    kafka: Kafka, tmp_path: Path, config_file: Callable[..., Path], target: Side, connector: Command
) -> None:
    """MirrorMaker repeats what it had not committed when it was killed."""
    source = side(kafka, tmp_path, config_file)
    source.append(values(0, 3000))
    source.commit(2500)
    mirror(source.end, target.end, most=2400)
    mirror(source.end, target.end, first=800)
    code, said = translate(connector, source, target)
    assert code == 0, said
    assert "2500 → 4100;" in said


def test_what_a_mirror_copied_of_an_aborted_transaction_is_known(
    source: Side, target: Side, connector: Command
) -> None:
    """MirrorMaker reads uncommitted records unless it is told not to; nobody reads them at the source."""
    producer = Producer({"bootstrap.servers": source.end.bootstrap_servers, "transactional.id": "aborting"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(source.partition.topic, b"aborted", partition=0)
    assert producer.flush(60) == 0
    mirror(source.end, target.end, uncommitted=True)
    producer.abort_transaction(20)
    source.wait_for(COUNT + 2)
    source.append([b"last"])
    mirror(source.end, target.end, first=COUNT + 2)
    source.commit(source.cluster.end(source.partition))
    code, said = translate(connector, source, target)
    assert code == 0, said
    assert f"→ {COUNT + 2};" in said


def test_an_aborted_record_and_its_repetition_cannot_be_told_apart(
    source: Side, target: Side, connector: Command, tmp_path: Path
) -> None:
    """The file says that the first is settled and the second is not, and the target has one of them."""
    producer = Producer({"bootstrap.servers": source.end.bootstrap_servers, "transactional.id": source.cluster.group})
    producer.init_transactions(20)
    for end in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce(source.partition.topic, b"again", partition=0, timestamp=1_000)
        assert producer.flush(60) == 0
        end(20)
    source.wait_for(COUNT + 4)
    source.commit(COUNT + 2)
    mirror(source.end, target.end)
    file = tmp_path / "offsets.json"
    connector("offsets", "export", "--config", source.config, "--with-records", "--out", file)
    run = connector("offsets", "translate", "--exported", file, "--to", target.config, "--yes")
    said = " ".join(run.output.split())
    assert run.exit_code == 1, said
    assert f"records that cannot be told apart: the one at {COUNT} of the target" in said
    assert target.cluster.committed_with_metadata(target.partition) == (-1001, "")


@pytest.mark.parametrize("name", ["invocations", "*", "invocations:x"])
def test_only_a_partition_can_be_left(name: str, connector: Command) -> None:
    run = connector("offsets", "translate", "--from", "a.yaml", "--to", "b.yaml", "--leave", name)
    assert run.exit_code == 2
    assert "--leave" in run.output


async def test_a_source_that_still_runs_is_refused(source: Side, target: Side, connector: Command) -> None:
    """It would go on settling."""
    source.commit(50)
    mirror(source.end, target.end)
    async with joined(source.cluster.member(source.partition.topic)) as member:
        await eventually(lambda: bool(member.assigned), 60, "no assignment")
        code, said = translate(connector, source, target, "--yes")
    assert code == 1
    assert "the group at the source has 1 members: stop them all first" in said


def test_what_a_connector_settled_at_the_target_is_not_posted_again(
    source: Side, target: Side, connector: Command
) -> None:
    """It was started there too early, or the command is given once more."""
    source.commit(50, (55, 56))
    mirror(source.end, target.end)
    target.commit(52, (70, 71))
    assert translate(connector, source, target, "--yes")[0] == 0
    assert target.skipped() == {*values(0, 52), *values(55, 57), *values(70, 72)}


def test_where_the_target_went_further_than_is_compared_it_is_left(
    source: Side, target: Side, connector: Command
) -> None:
    source.commit(50)
    mirror(source.end, target.end)
    target.commit(190, (195, 195))
    code, said = translate(connector, source, target, "--yes")
    assert code == 0, said
    assert "left as it is: the target has gone on by itself, to 190" in said
    assert target.cluster.committed(target.partition) == 190


def test_a_commit_of_unknown_origin_further_on_is_refused(source: Side, target: Side, connector: Command) -> None:
    """What lies between would never be posted, and what set it is not known."""
    source.commit(50)
    mirror(source.end, target.end)
    target.cluster.commit(target.partition, 60)
    code, said = translate(connector, source, target, "--yes")
    assert code == 1
    assert "the commit at the target, 60, is beyond 50" in said


def test_an_export_stands_in_for_a_source_that_is_gone(
    source: Side, target: Side, connector: Command, tmp_path: Path
) -> None:
    """It knows what was settled when it was written, with the map; what came after is posted again, and said."""
    mirror(source.end, target.end)
    source.commit(50, (60, 69))
    file = tmp_path / "offsets.json"
    run = connector("offsets", "export", "--config", source.config, "--with-records", "--out", file, "--json")
    assert json.loads(run.output) == {"group": source.cluster.group, "offsets": 1, "file": str(file)}
    source.commit(120)

    run = connector("offsets", "translate", "--exported", file, "--to", target.config, "--yes")
    said = " ".join(run.output.split())
    assert run.exit_code == 0, said
    assert f"posted again: up to {COUNT - 60}; with the commits that are there now up to {COUNT}" in said
    assert "what the source settled after" in said
    assert target.skipped() == {*values(0, 50), *values(60, 70)}


def test_of_an_export_and_the_mirrors_own_commit_the_later_one_counts(
    source: Side, target: Side, connector: Command, tmp_path: Path
) -> None:
    mirror(source.end, target.end)
    source.commit(50, (60, 79))
    file = tmp_path / "offsets.json"
    connector("offsets", "export", "--config", source.config, "--with-records", "--out", file)
    target.cluster.commit(target.partition, 70)
    run = connector("offsets", "translate", "--exported", file, "--to", target.config, "--yes")
    assert run.exit_code == 0, run.output
    assert target.skipped() == {*values(0, 80)}


def test_an_export_without_records_is_refused(source: Side, connector: Command, tmp_path: Path) -> None:
    source.commit(50)
    file = tmp_path / "offsets.json"
    connector("offsets", "export", "--config", source.config, "--out", file)
    run = connector("offsets", "translate", "--exported", file, "--to", source.config)
    assert run.exit_code == 2
    assert "--with-records" in " ".join(run.output.split())


def test_an_export_of_nothing_leaves_the_file_as_it_was(source: Side, connector: Command, tmp_path: Path) -> None:
    """A schedule must not replace the last good one by an empty one."""
    file = tmp_path / "offsets.json"
    file.write_text("the last good one")
    run = connector("offsets", "export", "--config", source.config, "--out", file)
    assert run.exit_code == 1
    assert "has committed nothing" in run.output
    assert file.read_text() == "the last good one"
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


def test_a_file_that_cannot_be_written_fails_the_export(source: Side, connector: Command, tmp_path: Path) -> None:
    source.commit(50)
    run = connector("offsets", "export", "--config", source.config, "--out", tmp_path / "no" / "offsets.json")
    assert run.exit_code == 1
    assert "No such file or directory" in run.output


@pytest.mark.parametrize("given", [(), ("--from", "a.yaml", "--exported", "b.json")])
def test_one_source_must_be_named(given: tuple[str, ...], connector: Command) -> None:
    run = connector("offsets", "translate", "--to", "b.yaml", *given)
    assert run.exit_code == 2
    assert "one of --from and --exported" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("code", "is_gone"), [("timed_out", True), ("transport", True), ("group_authorization_failed", False)]
)
def test_of_a_source_that_is_not_reached_it_is_said_what_stands_in(
    code: str, is_gone: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unanswered(AdminError(code, ""), "the source's brokers", "--exported FILE").exit_code == 1
    first, *more = capsys.readouterr().err.splitlines()
    assert first == f"the source's brokers answer {code}"
    assert more == (["if they are gone: --exported FILE"] if is_gone else [])
