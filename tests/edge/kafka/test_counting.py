"""Letters counted by two processes, on real Kafka."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.letters.tally import Tally
from connector.core.record import Partition
from connector.edge.kafka.counting import Helper, Part, count, halves
from connector.edge.kafka.records import record_of
from connector.edge.kafka.scan import Scan
from tests.support.clusters import RealCluster
from tests.support.kafka_broker import Kafka


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_two_parts_have_each_offset_once_and_as_many_of_them(spans: list[tuple[int, int]]) -> None:
    partitions = [Partition("dlq", number) for number in range(len(spans))]
    whole = Part(
        {each: start for each, (start, _) in zip(partitions, spans, strict=True)},
        {each: start + size for each, (start, size) in zip(partitions, spans, strict=True)},
    )
    first, second = (_offsets(each) for each in halves(whole))
    assert not first & second
    assert first | second == _offsets(whole)
    assert len(second) - len(first) in (0, 1)


def _offsets(part: Part) -> set[tuple[Partition, int]]:
    assert part.starts.keys() == part.ends.keys()
    return {(each, offset) for each, end in part.ends.items() for offset in range(part.starts[each], end)}


_COUNTING = """
import os, sys
from connector.core.letters.tally import Tally
from connector.edge.kafka.counting import Helper, count
from connector.edge.kafka.records import record_of
from connector.edge.kafka.scan import Scan

servers, topic, second = sys.argv[1:]

def other():
    if second == "dies":
        os._exit(9)
    return Tally(lambda value, headers: "second", record_of)

properties = {"bootstrap.servers": servers}
tally, read = Tally(lambda value, headers: "first", record_of), []
with Helper(properties, topic, other, many=1) as helper, Scan(properties, topic) as scan:
    count(scan, tally, read.append, helper)
import orjson
print(orjson.dumps({"services": tally.services, "letters": tally.letters, "read": sum(read)}).decode())
"""
"""A process of its own, since only one without threads is helped."""


@pytest.fixture(scope="module")
def letters(kafka: Kafka) -> tuple[Kafka, str]:
    """Three partitions with 30, 10 and no letters."""
    cluster = RealCluster(kafka)
    topic = cluster.create(3)
    for number, many in enumerate((30, 10)):
        cluster.append_all(Partition(topic, number), [b"x"] * many)
    return kafka, topic


def test_a_scan_reads_each_record_before_its_ends_once_whatever_is_written_meanwhile(kafka: Kafka) -> None:
    """More than come at a time, with further ones behind the end of each partition."""
    cluster = RealCluster(kafka)
    topic = cluster.create(3)
    partitions = [Partition(topic, number) for number in range(3)]
    sizes = (350, 120, 1)
    for each, size in zip(partitions, sizes, strict=True):
        cluster.append_all(each, [b"x"] * size)
    with Scan({"bootstrap.servers": kafka.bootstrap_servers}, topic, {partitions[0]: 10}) as scan:
        for each in partitions:
            cluster.append_all(each, [b"later"] * 150)
        read = [(each.partition, each.offset) for each in scan.records()]
    wanted = {(each, offset) for each, size in zip(partitions, sizes, strict=True) for offset in range(size)}
    wanted -= {(partitions[0], offset) for offset in range(10)}
    assert len(read) == len(wanted)
    assert set(read) == wanted


def counted(kafka: Kafka, topic: str, second: str) -> Mapping[str, object]:
    """What a process says that counted with another one."""
    command = [sys.executable, "-c", _COUNTING, kafka.bootstrap_servers, topic, second]
    run = subprocess.run(command, capture_output=True, check=False, text=True)
    assert run.returncode == 0, run.stderr
    found = orjson.loads(run.stdout)
    assert isinstance(found, dict)
    return found


def test_each_process_counts_half(letters: tuple[Kafka, str]) -> None:
    assert counted(*letters, "works") == {"services": {"first": 20, "second": 20}, "letters": 40, "read": 40}


def test_where_the_other_process_dies_its_half_is_counted_all_the_same(letters: tuple[Kafka, str]) -> None:
    found = counted(*letters, "dies")
    assert (found["services"], found["letters"]) == ({"first": 40}, 40)


def test_a_process_with_threads_counts_alone(letters: tuple[Kafka, str]) -> None:
    """The clients of these tests have some."""
    kafka, topic = letters
    properties, tally = {"bootstrap.servers": kafka.bootstrap_servers}, Tally(lambda value, headers: "first", record_of)
    assert kafka.admin().list_topics(timeout=60) is not None
    with (
        Helper(properties, topic, lambda: Tally(lambda value, headers: "second", record_of), many=1) as helper,
        Scan(properties, topic) as scan,
    ):
        count(scan, tally, lambda read: None, helper)
    assert tally.services == {"first": 40}
