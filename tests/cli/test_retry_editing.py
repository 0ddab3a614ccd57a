"""`connector retry expedite` and `drop` on real Kafka."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from connector.cli.loading import load_without_password
from connector.cli.retry.moving import Wanted, move
from connector.cli.today import Judge
from connector.config.client import consumer_properties
from connector.core.envelope import REWRITTEN, Cause, History, Origin, retry_headers
from connector.core.letters.chosen import Filters
from connector.core.letters.letter import DeadLetter, letter_of
from connector.core.letters.retry import OPERATOR_DROPPED
from connector.core.record import Partition, Record
from connector.core.refusal import Stage
from connector.core.settled_map import LogIdentity, Run, decode, encode
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.rewriting import Rewriting
from connector.edge.kafka.scan import Scan
from connector.edge.kafka.sole import SoleMember
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, Topics, event, make
from tests.support.kafka_broker import Kafka

BUSY = Cause(Stage.INVOKE, "vendor_temporary", "busy", 500, "1010", "req-1")
THROTTLED = Cause(Stage.INVOKE, "throttled", "slow down", 429)
TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
HOUR_MS = 3_600_000


class Copies(NamedTuple):
    """A retry topic of two partitions, and its group."""

    topics: Topics

    @property
    def retry(self) -> str:
        return f"{self.topics.main}.retry"

    @property
    def group(self) -> str:
        return f"{self.topics.main}-group"

    @property
    def properties(self) -> dict[str, str | int | float]:
        return {"bootstrap.servers": self.topics.kafka.bootstrap_servers}

    def write(self, causes: Iterable[Cause], due_in_ms: int = HOUR_MS, partition: int = 0) -> int:
        """A copy for each cause, the n-th of event `ev-n`; the time that they are due around."""
        now_ms = time.time_ns() // 1_000_000
        producer = Producer(self.properties)
        for number, cause in enumerate(causes):
            origin = Origin(Partition(self.topics.main, 0), number, now_ms)
            history = History(origin, 1, now_ms, due_ms=now_ms + due_in_ms + number)
            headers = next(retry_headers((TRACE,), history, cause, now_ms))
            value = ENCODE(event(f"ev-{number}"))
            producer.produce(self.retry, value, PHONE.encode(), partition, headers=list(headers))
        assert producer.flush(60) == 0
        return now_ms

    def commit(self, offset: int, metadata: str = "", partition: int = 0) -> None:
        groups = KafkaGroups(self.properties)
        groups.set(self.group, {Partition(self.retry, partition): Commit(offset, metadata)})

    def committed(self, partition: int = 0) -> Commit | str | None:
        place = Partition(self.retry, partition)
        return KafkaGroups(self.properties).committed(self.group, [place]).get(place)

    def identity(self) -> LogIdentity:
        identities, place = LogIdentities(self.properties), Partition(self.retry, 0)
        identities.ask(self.retry)
        return identities.of([place], urgent=[place])[place].identity

    def waiting(self) -> list[Record]:
        """What the group has still to post, as a connector that starts now would read it: here with nothing ahead."""
        starts = {}
        for number in range(2):
            commit = self.committed(number)
            if isinstance(commit, Commit):
                assert commit.metadata == "" or decode(commit.metadata, commit.offset, self.identity(), 2**40) == ()
                starts[Partition(self.retry, number)] = commit.offset
        return self.read(self.retry, starts)

    def read(self, topic: str, starts: dict[Partition, int] | None = None) -> list[Record]:
        """Every committed record from there on."""
        with Scan({**self.properties, "fetch.wait.max.ms": 20}, topic, starts) as scan:
            return list(scan.records())


@pytest.fixture
def copies(kafka: Kafka, tmp_path: Path) -> Copies:
    topics = make(kafka, tmp_path)
    kafka.create_topic(f"{topics.main}.retry", 2)
    return Copies(topics)


def edit(connector: Command, copies: Copies, verb: str, *arguments: str) -> dict[str, object]:
    run = connector("retry", verb, *arguments, "--config", copies.topics.config, "--json")
    assert run.exit_code == 0, run.output
    assert PHONE not in run.output
    found: dict[str, object] = json.loads(run.stdout)
    return found


def event_of(record: Record) -> bytes:
    value = record.value or b""
    return value[value.index(b"ev-") :][:4]


def plain(record: Record) -> tuple[object, ...]:
    return record.timestamp_ms, record.key, record.value, record.headers


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(copies: Copies, connector: Command) -> None:
    copies.write([BUSY, THROTTLED, BUSY])
    copies.write([BUSY], due_in_ms=-1, partition=1)
    before = copies.waiting()
    found = edit(connector, copies, "expedite", "--class", "vendor_temporary")
    assert (found["expedited"], found["stays"]) == ({"vendor_temporary": 2}, {"due_already": 1})
    assert (found["waiting"], found["rewritten"]) == (4, 1)
    printed = connector("retry", "drop", "--config", copies.topics.config)
    assert "4 of 4 copies that wait in" in printed.output
    assert "nothing was written; --yes does it" in printed.output
    assert PHONE not in printed.output
    assert copies.waiting() == before
    assert copies.committed() is None


def test_what_is_expedited_comes_first_and_the_others_come_as_they_were(copies: Copies, connector: Command) -> None:
    """Nobody reads past a record that is not due. Key, value, headers and timestamp stay, and one header says when it
    was; the partition without any stays untouched."""
    began_ms = copies.write([BUSY, THROTTLED, BUSY, THROTTLED, BUSY])
    copies.write([BUSY], partition=1)
    before = copies.waiting()
    found = edit(connector, copies, "expedite", "--class", "throttled", "--yes")
    assert found["partitions"] == {f"{copies.retry}-0": {"taken": 2, "done": True}}
    after = [record for record in copies.waiting() if record.partition.number == 0]
    assert [event_of(record) for record in after] == [b"ev-1", b"ev-3", b"ev-0", b"ev-2", b"ev-4"]
    assert min(record.offset for record in after) >= 5
    old = {event_of(record): record for record in before if record.partition.number == 0}
    for record in after[:2]:
        due_ms = letter_of(record).due_ms
        assert due_ms is not None
        assert began_ms <= due_ms <= time.time_ns() // 1_000_000
        assert plain(record)[:3] == plain(old[event_of(record)])[:3]
    for record in after[2:]:
        assert plain(record)[:3] == plain(old[event_of(record)])[:3]
        assert record.headers[:-2] == old[event_of(record)].headers[:-1]
        assert record.headers[-2][0] == REWRITTEN
    assert copies.committed(1) is None
    assert edit(connector, copies, "expedite", "--class", "throttled", "--yes")["stays"] == {"due_already": 2}


def test_what_was_settled_ahead_of_the_commit_is_not_written_again(copies: Copies, connector: Command) -> None:
    """A map knows records by offset and epoch; afterwards the commit needs none."""
    copies.write([BUSY] * 6)
    (epoch,) = {record.leader_epoch for record in copies.waiting() if record.partition.number == 0}
    text, inside = encode(1, [Run(2, 3, epoch), Run(5, 5, epoch)], copies.identity())
    assert inside == 2
    copies.commit(1, text)
    assert edit(connector, copies, "expedite", "--event-id", "ev-4", "--yes")["waiting"] == 2
    assert [event_of(record) for record in copies.waiting()] == [b"ev-4", b"ev-1"]


def test_the_commit_names_the_log(copies: Copies, connector: Command) -> None:
    """As a connector's does: a mirror that translates it is found out."""
    copies.write([BUSY])
    edit(connector, copies, "expedite", "--yes")
    assert copies.committed() == Commit(1, encode(1, (), copies.identity())[0])
    assert encode(1, (), copies.identity())[0] != ""


@pytest.mark.parametrize("metadata", ["s1:damaged", "another program's"])
def test_a_map_that_cannot_be_read_is_a_reason_to_do_nothing(copies: Copies, connector: Command, metadata: str) -> None:
    """It may have been one: what it told of would be posted again."""
    copies.write([BUSY] * 3)
    copies.commit(1, metadata)
    run = connector("retry", "expedite", "--yes", "--config", copies.topics.config)
    assert run.exit_code == 1
    assert "map_" in run.output
    assert copies.committed() == Commit(1, metadata)


def test_what_is_dropped_is_a_dead_letter_and_waits_no_more(copies: Copies, connector: Command) -> None:
    """The original bytes are kept; a redrive takes it along only when somebody says so."""
    copies.write([BUSY, THROTTLED, BUSY])
    values = [record.value for record in copies.waiting()]
    assert edit(connector, copies, "drop", "--event-id", "ev-1", "--yes")["dropped"] == {"throttled": 1}
    assert [record.value for record in copies.waiting()] == [values[0], values[2]]
    (dead,) = copies.read(copies.topics.dead_letter)
    assert (dead.key, dead.value) == (PHONE.encode(), values[1])
    letter = letter_of(dead)
    assert (letter.code, letter.status, letter.original) == (OPERATOR_DROPPED, 429, (TRACE,))
    config = copies.topics.config
    assert json.loads(connector("dlq", "redrive", "--config", config, "--json").output)["stays"] == {
        OPERATOR_DROPPED: 1
    }
    said = connector("dlq", "redrive", "--include", OPERATOR_DROPPED, "--config", config, "--json")
    assert json.loads(said.output)["redriven"] == {OPERATOR_DROPPED: 1}


def test_all_that_waits_is_dropped_and_nothing_is_written_anew(copies: Copies, connector: Command) -> None:
    copies.write([BUSY] * 3)
    assert edit(connector, copies, "drop", "--yes")["rewritten"] == 0
    assert copies.waiting() == []
    assert len(copies.read(copies.topics.dead_letter)) == 3


def test_where_a_dead_letter_cannot_be_written_nothing_is_done(copies: Copies, connector: Command) -> None:
    copies.write([BUSY] * 3)
    before = copies.waiting()
    copies.topics.kafka.refuse_writes(copies.topics.dead_letter)
    run = connector("retry", "drop", "--yes", "--config", copies.topics.config)
    assert run.exit_code == 1
    assert "topic_authorization_failed" in run.stderr
    assert copies.waiting() == before


def test_while_the_group_has_members_it_refuses(copies: Copies, connector: Command) -> None:
    copies.write([BUSY])
    member = Consumer({**copies.properties, "group.id": copies.group})
    member.subscribe([copies.retry])
    deadline = time.monotonic() + 60
    while not member.assignment():
        assert time.monotonic() < deadline
        member.poll(0.05)
    try:
        run = connector("retry", "expedite", "--yes", "--config", copies.topics.config)
        dry = connector("retry", "expedite", "--config", copies.topics.config)
    finally:
        member.close()
    assert run.exit_code == 1
    assert f"group {copies.group} has 1 members: stop them all first" in run.stderr
    assert dry.exit_code == 0
    assert "has 1 members: stop them all before" in dry.output
    assert copies.committed() is None


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_whoever_is_no_longer_alone_in_the_group_moves_nothing(copies: Copies, protocol: str) -> None:
    """The coordinator refuses a commit for a partition that somebody else has, and with it all that was written."""
    copies.write([BUSY] * 2)
    copies.write([BUSY] * 2, partition=1)
    before = copies.waiting()
    joining = {**copies.properties, "group.id": copies.group, "group.protocol": protocol}
    if protocol == "classic":
        joining["partition.assignment.strategy"] = "cooperative-sticky"
    rewriting = Rewriting(copies.properties, f"{copies.group}.retry")
    with SoleMember(joining, copies.retry, 2, [copies.topics.main]) as member:
        other = Consumer(joining)
        other.subscribe([copies.retry])
        told = None
        deadline = time.monotonic() + 60
        while not other.assignment():
            assert time.monotonic() < deadline
            other.poll(0.05)
            try:
                member.check()
            except AdminError as error:
                told = error
        taken = other.assignment()[0].partition
        with pytest.raises(AdminError) as refused:
            rewriting.write([], member, Partition(copies.retry, taken), Commit(2, ""))
        other.close()
    assert (told.code if told else "", refused.value.code) == ("rebalanced", "rebalanced")
    assert copies.waiting() == before


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_the_member_reads_all_topics_of_the_group(copies: Copies, protocol: str) -> None:
    """The coordinator may forget commits of what no member reads. A topic that is not there is nobody's."""
    joining = {**copies.properties, "group.id": copies.group, "group.protocol": protocol}
    with SoleMember(joining, copies.retry, 2, [copies.topics.main, f"{copies.retry}.gone"]) as member:
        asked = copies.topics.kafka.admin().describe_consumer_groups([copies.group])[copies.group].result(60)
        assert {each.topic for each in asked.members[0].assignment.topic_partitions} == {
            copies.retry,
            copies.topics.main,
        }
        member.check()


def test_a_right_to_a_topic_that_is_missing_is_told(copies: Copies) -> None:
    """And not waited for until the time is over."""
    copies.topics.kafka.refuse_writes(copies.topics.main)  # whoever has a rule for one thing may do nothing else
    joining = {**copies.properties, "group.id": copies.group}
    with pytest.raises(AdminError) as refused:
        SoleMember(joining, copies.retry, 2, [copies.topics.main])
    assert refused.value.code == "topic_authorization_failed"


def test_a_right_to_the_group_that_is_missing_is_told(copies: Copies) -> None:
    copies.topics.kafka.refuse_group(copies.group)
    joining = {**copies.properties, "group.id": copies.group}
    with pytest.raises(AdminError) as refused:
        SoleMember(joining, copies.retry, 2)
    assert refused.value.code == "group_authorization_failed"


class _Interrupting(Filters):
    """Each record that is looked at, somebody presses Ctrl-C."""

    def take(self, letter: DeadLetter) -> bool:
        signal.raise_signal(signal.SIGINT)
        return super().take(letter)


@pytest.mark.parametrize("while_it", ["chooses", "writes"])
def test_ctrl_c_leaves_everything_as_it_was(copies: Copies, while_it: str) -> None:
    """It is obeyed every 500 records that are read, and for each that is written."""
    copies.write([BUSY] * 501)
    before = copies.waiting()
    settings = load_without_password(copies.topics.config, {})
    filters = _Interrupting() if while_it == "chooses" else Filters()
    with Judge(settings) as judge:
        moved = move(settings, judge, Wanted(copies.retry, filters, True), lambda _: signal.raise_signal(signal.SIGINT))
    assert (moved.stopped, moved.done) == (True, [])
    assert bool(moved.plan.touched) == (while_it == "writes")
    assert copies.waiting() == before
    assert copies.committed() is None


class _StoppedError(Exception):
    pass


def test_who_waits_to_be_let_in_can_be_stopped() -> None:
    """Here no broker is there at all."""
    looks = 0

    def going_on() -> None:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        SoleMember({"bootstrap.servers": "127.0.0.1:1", "group.id": "x"}, "retry", 1, going_on=going_on)


def test_whoever_starts_while_a_commit_is_open_waits_for_its_end(copies: Copies) -> None:
    """A connector asks for offsets as this consumer does: by the properties of its members."""
    settings = load_without_password(copies.topics.config, {}).kafka
    place = TopicPartition(copies.retry, 0, 7, "")
    starting = Consumer(consumer_properties(settings))
    producer = Producer({**copies.properties, "transactional.id": f"{copies.group}.retry"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([place], starting.consumer_group_metadata(), 20)
    with pytest.raises(KafkaException) as waited:
        starting.committed([place], timeout=1)
    producer.commit_transaction(20)
    assert waited.value.args[0].code() == KafkaError._TIMED_OUT
    assert starting.committed([place], timeout=60)[0].offset == 7
    starting.close()


def test_without_the_right_to_transactions_nothing_is_done(copies: Copies, connector: Command) -> None:
    copies.write([BUSY])
    copies.topics.kafka.refuse_transactions(f"{copies.group}.retry")
    run = connector("retry", "expedite", "--yes", "--config", copies.topics.config)
    assert run.exit_code == 1
    assert f"grant WRITE on the transactional id {copies.group}.retry" in run.stderr
    assert copies.committed() is None


@pytest.mark.parametrize("verb", ["expedite", "drop"])
def test_a_topic_that_is_no_retry_topic_is_refused(
    connector: Command, config_file: Callable[..., Path], verb: str
) -> None:
    """The commit behind the main topic's records would lose them."""
    run = connector("retry", verb, "--topic", "invocations", "--config", config_file())
    assert run.exit_code == 2
